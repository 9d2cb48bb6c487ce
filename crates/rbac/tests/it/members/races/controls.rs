//! The obvious ways, one statement after the other, so that they fail each time.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::query;

use crate::members::support::{Database, sqlstate};

/// What is to keep the last owner, without the tenant's row: it counts.
const COUNTS_ONLY: &str = "
    ALTER TABLE stockade.rbac_member DISABLE TRIGGER rbac_1_changed;
    ALTER TABLE stockade.rbac_role_assignment DISABLE TRIGGER rbac_1_changed;";

const REVOKE: &str = "DELETE FROM stockade.rbac_role_assignment WHERE user_id = $1";
const OWNERS: &str = "SELECT count(*) FROM stockade.rbac_role_assignment WHERE role = 'owner'";

#[sqlx::test(migrations = false)]
async fn a_trigger_that_only_counts_leaves_no_owner(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, first) = Database::founded(pool, login).await;
    let second = database.person("owner").await;
    // With the lock the second waits for the first, whose transaction is open: it would for ever.
    let (mut one, mut other) = (database.begin().await, database.begin().await);
    query(REVOKE).bind(first).execute(&mut *one).await.unwrap();
    sqlx::raw_sql("SET LOCAL lock_timeout = 200").execute(&mut *other).await.unwrap();
    assert_eq!(sqlstate(query(REVOKE).bind(second).execute(&mut *other).await), "55P03");
    drop((one, other));

    sqlx::raw_sql(COUNTS_ONLY).execute(&database.superuser).await.unwrap();
    assert_eq!(
        sqlstate(database.run("DELETE FROM stockade.rbac_role_assignment", &[]).await),
        "23001",
        "it does count"
    );
    let (mut one, mut other) = (database.begin().await, database.begin().await);
    query(REVOKE).bind(first).execute(&mut *one).await.unwrap();
    query(REVOKE).bind(second).execute(&mut *other).await.unwrap();
    one.commit().await.unwrap();
    other.commit().await.unwrap();
    assert_eq!(sqlx::query_scalar::<_, i64>(OWNERS).fetch_one(&database.superuser).await.unwrap(), 0);
}

/// A row lock is not enough for a transaction that sees the past.
#[sqlx::test(migrations = false)]
async fn a_lock_that_changes_nothing_leaves_no_owner_at_repeatable_read(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, first) = Database::founded(pool, login).await;
    let second = database.person("owner").await;
    let locks_only = "CREATE OR REPLACE FUNCTION stockade.rbac_person_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN PERFORM FROM stockade.rbac_tenant WHERE tenant_id = OLD.tenant_id FOR UPDATE; RETURN NULL; END $$";
    sqlx::raw_sql(locks_only).execute(&database.superuser).await.unwrap();
    let mut late = database.app.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await.unwrap();
    crate::members::support::enter(&mut late, database.tenant).await;
    database.run(REVOKE, &[first]).await.unwrap();
    query(REVOKE).bind(second).execute(&mut *late).await.unwrap();
    late.commit().await.unwrap();
    assert_eq!(sqlx::query_scalar::<_, i64>(OWNERS).fetch_one(&database.superuser).await.unwrap(), 0);
}

#[sqlx::test(migrations = false)]
async fn who_checks_and_then_writes_grants_after_being_demoted(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, _) = Database::founded(pool, login).await;
    let (admin, viewer) = (database.person("admin").await, database.person("viewer").await);
    let mut granting = database.begin().await;
    let check = "SELECT EXISTS (SELECT FROM stockade.rbac_role_assignment WHERE user_id = $1 AND role = 'admin')";
    assert!(sqlx::query_scalar::<_, bool>(check).bind(admin).fetch_one(&mut *granting).await.unwrap());
    database.run(REVOKE, &[admin]).await.unwrap();
    let grant = "INSERT INTO stockade.rbac_role_assignment (tenant_id, user_id, role, granted_by, reason) VALUES ($1, $2, 'dispatcher', $3, 'x')";
    query(grant).bind(database.tenant).bind(viewer).bind(admin).execute(&mut *granting).await.unwrap();
    granting.commit().await.unwrap();
}

#[sqlx::test(migrations = false)]
async fn who_checks_and_then_writes_accepts_an_invitation_twice(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, owner) = Database::founded(pool, login).await;
    let invitation = "INSERT INTO stockade.rbac_invitation (tenant_id, invitation_id, token_hash, email, role, reason, invited_by, expires_at)
        VALUES ($1, $2, decode(repeat('00', 32), 'hex'), 'a@b', 'viewer', 'x', $2, now() + interval '1 day')";
    database.run(invitation, &[database.tenant, owner]).await.unwrap();
    let mut both = [database.begin().await, database.begin().await];
    for tx in &mut both {
        let open = "SELECT count(*) FROM stockade.rbac_invitation WHERE accepted_at IS NULL";
        assert_eq!(sqlx::query_scalar::<_, i64>(open).fetch_one(&mut **tx).await.unwrap(), 1);
    }
    for mut tx in both {
        let accept = "UPDATE stockade.rbac_invitation SET accepted_at = now(), accepted_by = gen_random_uuid()";
        query(accept).execute(&mut *tx).await.unwrap();
        let join = "INSERT INTO stockade.rbac_member (tenant_id, user_id) SELECT tenant_id, accepted_by FROM stockade.rbac_invitation";
        query(join).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }
    let members =
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM stockade.rbac_member").fetch_one(&database.superuser);
    assert_eq!(members.await.unwrap(), 3, "the owner and two with one invitation");
}
