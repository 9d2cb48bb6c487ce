//! The look-up of each request says what the view of current sessions says, in every state that a session can be in.

use sqlx::{
    Executor,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::postgres::Database;

/// A session with an account and a tenant of its own for each state: what ended it, what the tenant and the account demand, a step-up, a
/// long and a short idle limit. The tenants' rows are there or not, of the session's version or the next, with any of their limits.
const STATES: &str = "
    CREATE TABLE state AS
    SELECT row_number() OVER () AS n, *
    FROM (VALUES (NULL), ('suspended'), ('version'), ('revoked')) a(ended), (VALUES (NULL), (50)) b(user_mfa),
         (VALUES (NULL), (0), (1)) c(tenant_version), (VALUES (NULL), (40), (60)) d(tenant_mfa), (VALUES (NULL), (30), (300)) e(tenant_idle),
         (VALUES (NULL), (300)) f(tenant_absolute), (VALUES (NULL), (45)) g(stepped_up), (VALUES (0), (1)) h(global_version),
         (VALUES (100), (5000)) i(idle)
    WHERE tenant_version IS NOT NULL OR (tenant_mfa IS NULL AND tenant_idle IS NULL AND tenant_absolute IS NULL);
    INSERT INTO stockade.auth_account (user_id, tenant_id, identifier, password_hash, version, status, mfa_required_from)
    SELECT md5('user' || n)::uuid, md5('tenant' || n)::uuid, n, 'none', (ended IS NOT DISTINCT FROM 'version')::int,
           CASE WHEN ended = 'suspended' THEN ended ELSE 'active' END, to_timestamp(user_mfa) FROM state;
    INSERT INTO stockade.auth_version (scope, id, version, mfa_required_from, idle_seconds, absolute_seconds)
    SELECT 'tenant', md5('tenant' || n)::uuid, tenant_version, to_timestamp(tenant_mfa), tenant_idle, tenant_absolute
    FROM state WHERE tenant_version IS NOT NULL;
    INSERT INTO stockade.auth_session (sid, digest, user_id, tenant_id, user_version, tenant_version, global_version, assurance,
        authenticated_at, last_seen_at, idle_seconds, expires_at, ip, user_agent, revoked_at, stepped_up_at)
    SELECT md5('sid' || n)::uuid, sha256(n::text::bytea), md5('user' || n)::uuid, md5('tenant' || n)::uuid, 0, 0, global_version, 'password',
           to_timestamp(0), to_timestamp(50), idle, to_timestamp(CASE global_version WHEN 0 THEN 1000 ELSE 200 END), '203.0.113.7', CASE WHEN n % 2 = 0 THEN 'a \"b\", c' END,
           CASE WHEN ended = 'revoked' THEN to_timestamp(50) END, to_timestamp(stepped_up)
    FROM state";

/// Before, at and after each end. The last field of `auth_look_up` is its own.
const COMPARE: &str = r#"
    SELECT count(*), count(viewed), count(*) FILTER (WHERE viewed IS DISTINCT FROM looked_up)
    FROM (SELECT regexp_replace(stockade.auth_look_up(s.digest, to_timestamp(t.at))::text, ',[^,]*\)$', ')') AS looked_up,
                 (SELECT ROW(r.sid, r.user_id, r.tenant_id, r.user_version, r.tenant_version, r.global_version, r.assurance,
                             r.authenticated_at, r.last_seen_at, r.idle_seconds, r.expires_at, r.ip, r.user_agent, r.mfa_required_from)::text
                  FROM stockade.auth_resolve(s.digest, to_timestamp(t.at)) r) AS viewed
          FROM stockade.auth_session s, (VALUES (79.999999), (80), (150), (299), (300), (999), (1000)) t(at)) both_ways"#;

#[sqlx::test(migrations = false)]
async fn look_up_says_what_the_view_says(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    database.admin.execute(STATES).await.unwrap();
    let mut found = Vec::new();
    for everybody in [
        "SELECT 1",
        "INSERT INTO stockade.auth_version (scope, id, version) VALUES ('global', '00000000-0000-0000-0000-000000000000', 0)",
        "UPDATE stockade.auth_version SET version = 1 WHERE scope = 'global'",
        "UPDATE stockade.auth_version SET version = 2 WHERE scope = 'global'",
    ] {
        database.admin.execute(everybody).await.unwrap();
        let (pairs, live, differing): (i64, i64, i64) =
            sqlx::query_as(COMPARE).fetch_one(&database.admin).await.unwrap();
        assert_eq!(differing, 0, "of {pairs} after `{everybody}`");
        found.push(live);
    }
    assert!(found[..3].iter().all(|live| *live > 100) && found[3] == 0, "the states miss a case: {found:?}");
    // A digest that is there, and nothing else.
    let nobody = "SELECT count(*) FROM (VALUES (NULL), (''), ('x')) d(digest)
                  WHERE stockade.auth_look_up(d.digest::bytea, to_timestamp(60)) IS DISTINCT FROM NULL";
    let nobody: i64 = sqlx::query_scalar(nobody).fetch_one(&database.admin).await.unwrap();
    assert_eq!(nobody, 0);
}
