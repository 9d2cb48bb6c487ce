//! What the application's role can do with SQL of its own, and cannot.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, raw_sql};
use stockade_rbac::postgres::Email;
use uuid::Uuid;

use super::support::{Database, sqlstate, why};

const DENIED: &str = "42501";
const LAST_OWNER: &str = "23001";

async fn invite(database: &Database, owner: Uuid) -> Uuid {
    let email: Email = "ann@example.com".parse().unwrap();
    let until = chrono::Utc::now() + chrono::TimeDelta::days(1);
    let (invitation, _) =
        database.as_person(owner, async |mut by| by.invite(email, "viewer", why(), until).await).await.unwrap();
    invitation.id
}

async fn owners(superuser: &PgPool, tenant: Uuid) -> i64 {
    let owners =
        "SELECT count(*) FROM stockade.rbac_role_assignment a JOIN stockade.rbac_member m USING (tenant_id, user_id)
        WHERE tenant_id = $1 AND role = 'owner' AND expires_at IS NULL AND status = 'active'";
    sqlx::query_scalar(owners).bind(tenant).fetch_one(superuser).await.unwrap()
}

#[sqlx::test(migrations = false)]
async fn another_tenant_is_neither_seen_nor_written(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, owner) = Database::founded(pool, login).await;
    invite(&database, owner).await;
    let overrides = "INSERT INTO stockade.rbac_override (tenant_id, user_id, permission, effect, granted_by, reason) VALUES ($1, $2, 'load.view', 'deny', $2, 'x')";
    database.run(overrides, &[database.tenant, owner]).await.unwrap();

    // The control: where they are, all of them are found.
    let seen = [
        "SELECT count(*) FROM stockade.rbac_tenant",
        "SELECT count(*) FROM stockade.rbac_member",
        "SELECT count(*) FROM stockade.rbac_role_assignment",
        "SELECT count(*) FROM stockade.rbac_override",
        "SELECT count(invitation_id) FROM stockade.rbac_invitation",
        "SELECT count(*) FROM stockade.rbac_subject_version",
    ];
    for (tenant, expected) in [(database.tenant, 1), (Uuid::now_v7(), 0)] {
        for sql in seen {
            let mut tx = database.begin_in(tenant).await;
            assert_eq!(sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut *tx).await.unwrap(), expected, "{sql}");
        }
    }
    let written = [
        "UPDATE stockade.rbac_tenant SET changes = 0",
        "UPDATE stockade.rbac_member SET status = 'suspended'",
        "UPDATE stockade.rbac_role_assignment SET role = 'viewer'",
        "UPDATE stockade.rbac_override SET reason = 'mine'",
        "UPDATE stockade.rbac_invitation SET revoked_at = now(), revoked_by = invited_by",
        "DELETE FROM stockade.rbac_override",
        "DELETE FROM stockade.rbac_member",
        "DELETE FROM stockade.rbac_invitation",
    ];
    for sql in written {
        let mut tx = database.begin_in(Uuid::now_v7()).await;
        assert_eq!(raw_sql(sql).execute(&mut *tx).await.unwrap().rows_affected(), 0, "{sql}");
    }
    let inserted = [
        "INSERT INTO stockade.rbac_tenant (tenant_id) VALUES ($1)",
        "INSERT INTO stockade.rbac_member (tenant_id, user_id) VALUES ($1, gen_random_uuid())",
        "INSERT INTO stockade.rbac_role_assignment (tenant_id, user_id, role, granted_by, reason) VALUES ($1, $2, 'admin', $2, 'x')",
        "INSERT INTO stockade.rbac_override (tenant_id, user_id, permission, effect, granted_by, reason) VALUES ($1, $2, 'load.edit', 'deny', $2, 'x')",
        "INSERT INTO stockade.rbac_invitation (tenant_id, invitation_id, token_hash, email, role, reason, invited_by, expires_at)
            VALUES ($1, gen_random_uuid(), decode(repeat('00', 32), 'hex'), 'a@b', 'owner', 'x', $2, now() + interval '1 day')",
    ];
    for sql in inserted {
        let mut tx = database.begin_in(Uuid::now_v7()).await;
        let query = sqlx::query(sql).bind(database.tenant);
        let query = if sql.contains("$2") { query.bind(owner) } else { query };
        assert_eq!(sqlstate(query.execute(&mut *tx).await), DENIED, "{sql}");
    }
}

#[sqlx::test(migrations = false)]
async fn the_hash_of_a_token_cannot_be_read_or_replaced(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, owner) = Database::founded(pool, login).await;
    let invitation = invite(&database, owner).await;
    for sql in [
        "SELECT * FROM stockade.rbac_invitation",
        "SELECT token_hash FROM stockade.rbac_invitation",
        "SELECT email FROM stockade.rbac_invitation WHERE token_hash > decode('80', 'hex')",
        "UPDATE stockade.rbac_invitation SET token_hash = decode(repeat('00', 32), 'hex')",
        "UPDATE stockade.rbac_invitation SET role = 'owner'",
        "DELETE FROM stockade.rbac_invitation RETURNING token_hash",
    ] {
        assert_eq!(sqlstate(raw_sql(sql).execute(&mut *database.begin().await).await), DENIED, "{sql}");
    }
    // Who knows the hash learns which invitation it is of, and in its tenant alone.
    let hash: Vec<u8> = sqlx::query_scalar("SELECT token_hash FROM stockade.rbac_invitation")
        .fetch_one(&database.superuser)
        .await
        .unwrap();
    for (tenant, expected) in [(database.tenant, Some(invitation)), (Uuid::now_v7(), None)] {
        let found = sqlx::query_scalar::<_, Option<Uuid>>("SELECT stockade.rbac_invitation_of($1)").bind(&hash);
        assert_eq!(found.fetch_one(&mut *database.begin_in(tenant).await).await.unwrap(), expected);
    }
}

#[sqlx::test(migrations = false)]
async fn what_keeps_the_application_in_check_is_not_the_applications(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, _) = Database::founded(pool, login).await;
    for sql in [
        "DELETE FROM stockade.rbac_owner_role",
        "INSERT INTO stockade.rbac_owner_role VALUES ('viewer')",
        "UPDATE stockade.rbac_subject_version SET version = 1",
        "DELETE FROM stockade.rbac_subject_version",
        "SELECT nextval('stockade.rbac_version')",
        "SELECT setval('stockade.rbac_version', 1)",
        "SELECT stockade.rbac_changed(NULL, NULL)",
        "DELETE FROM stockade.rbac_tenant",
        "TRUNCATE stockade.rbac_role_assignment",
        "UPDATE stockade.rbac_tenant SET tenant_id = gen_random_uuid()",
        "UPDATE stockade.rbac_member SET user_id = gen_random_uuid()",
        "ALTER TABLE stockade.rbac_role_assignment DISABLE TRIGGER rbac_2_owner",
        "DROP TRIGGER rbac_2_owner ON stockade.rbac_role_assignment",
        "SET LOCAL session_replication_role = replica",
        "SET LOCAL ROLE stockade_owner",
        "CREATE TABLE stockade.rbac_mine ()",
    ] {
        assert_eq!(sqlstate(raw_sql(sql).execute(&mut *database.begin().await).await), DENIED, "{sql}");
    }
}

#[sqlx::test(migrations = false)]
async fn no_statement_of_the_application_leaves_a_tenant_without_an_owner(
    pool: PgPoolOptions,
    login: PgConnectOptions,
) {
    let (database, owner) = Database::founded(pool, login).await;
    // An owner of another tenant is no owner of this one.
    let other = Uuid::now_v7();
    let mut tx = database.begin_in(other).await;
    super::support::add(&mut tx, other, Uuid::now_v7(), &["owner"]).await;
    tx.commit().await.unwrap();
    for sql in [
        "DELETE FROM stockade.rbac_member",
        "DELETE FROM stockade.rbac_role_assignment",
        "UPDATE stockade.rbac_role_assignment SET role = 'viewer'",
        "UPDATE stockade.rbac_role_assignment SET expires_at = now() + interval '100 years'",
        "UPDATE stockade.rbac_member SET status = 'suspended'",
        "WITH moved AS (UPDATE stockade.rbac_member SET status = 'suspended' RETURNING 1) DELETE FROM stockade.rbac_role_assignment",
        "MERGE INTO stockade.rbac_role_assignment a USING (SELECT 1) AS one ON a.role = 'owner' WHEN MATCHED THEN DELETE",
        "INSERT INTO stockade.rbac_role_assignment (tenant_id, user_id, role, granted_by, reason)
            SELECT tenant_id, user_id, role, granted_by, reason FROM stockade.rbac_role_assignment
            ON CONFLICT (tenant_id, user_id, role) DO UPDATE SET role = 'viewer'",
        // The context of another tenant, or none, in the same breath.
        "DELETE FROM stockade.rbac_role_assignment WHERE set_config('stockade.tenant_id', gen_random_uuid()::text, true) <> ''",
        "DELETE FROM stockade.rbac_role_assignment WHERE set_config('stockade.tenant_id', '', true) = ''",
    ] {
        for begin in ["BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN ISOLATION LEVEL SERIALIZABLE"] {
            let mut tx = database.app.begin_with(begin).await.unwrap();
            super::support::enter(&mut tx, database.tenant).await;
            assert_eq!(sqlstate(raw_sql(sql).execute(&mut *tx).await), LAST_OWNER, "{begin}: {sql}");
        }
    }
    assert_eq!(owners(&database.superuser, database.tenant).await, 1);
    // With a second owner each of them may go, and then the other stays.
    let second = database.person("owner").await;
    database.run("DELETE FROM stockade.rbac_member WHERE user_id = $1", &[owner]).await.unwrap();
    assert_eq!(
        sqlstate(database.run("DELETE FROM stockade.rbac_member WHERE user_id = $1", &[second]).await),
        LAST_OWNER
    );
}

#[sqlx::test(migrations = false)]
async fn a_tenant_that_is_deleted_takes_its_last_owner_along(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, owner) = Database::founded(pool, login).await;
    invite(&database, owner).await;
    let deleted = sqlx::query("DELETE FROM stockade.rbac_tenant").execute(&database.superuser).await.unwrap();
    assert_eq!(deleted.rows_affected(), 1);
    let left =
        "SELECT (SELECT count(*) FROM stockade.rbac_member) + (SELECT count(*) FROM stockade.rbac_role_assignment)
        + (SELECT count(*) FROM stockade.rbac_invitation)";
    assert_eq!(sqlx::query_scalar::<_, i64>(left).fetch_one(&database.superuser).await.unwrap(), 0);
}

#[sqlx::test(migrations = false)]
async fn the_tables_refuse_grants_without_end_reason_or_shape(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, owner) = Database::founded(pool, login).await;
    for sql in [
        "INSERT INTO stockade.rbac_override (tenant_id, user_id, permission, effect, scope, granted_by, reason) VALUES ($1, $2, 'load.view', 'allow', 'tenant', $2, 'x')",
        "INSERT INTO stockade.rbac_override (tenant_id, user_id, permission, effect, scope, granted_by, reason, expires_at) VALUES ($1, $2, 'load.view', 'allow', 'platform', $2, 'x', now() + interval '1 day')",
        "INSERT INTO stockade.rbac_override (tenant_id, user_id, permission, effect, granted_by, reason, expires_at) VALUES ($1, $2, 'load.view', 'allow', $2, 'x', now() + interval '1 day')",
        "INSERT INTO stockade.rbac_override (tenant_id, user_id, permission, effect, granted_by, reason) VALUES ($1, $2, 'load.view', 'Deny', $2, 'x')",
        "INSERT INTO stockade.rbac_override (tenant_id, user_id, permission, effect, granted_by, reason) VALUES ($1, $2, 'load.view', 'deny', $2, '  ')",
        "INSERT INTO stockade.rbac_role_assignment (tenant_id, user_id, role, granted_by, reason) VALUES ($1, $2, 'Admin', $2, 'x')",
        "INSERT INTO stockade.rbac_role_assignment (tenant_id, user_id, role, granted_by, reason, expires_at) VALUES ($1, $2, 'admin', $2, 'x', now())",
        "UPDATE stockade.rbac_member SET status = 'Active' WHERE tenant_id = $1 AND user_id = $2",
    ] {
        assert_eq!(sqlstate(database.run(sql, &[database.tenant, owner]).await), "23514", "{sql}");
    }
}
