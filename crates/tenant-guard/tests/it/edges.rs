//! What outlives a transaction, or cuts it short.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::types::Uuid;
use stockade_tenant_guard::ErrorKind;

use crate::world::{A, B, SEEDED, World, tenant};

#[sqlx::test]
async fn connection_lost_in_mid_transaction_writes_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    sqlx::query("DELETE FROM loads").execute(&mut tx).await.unwrap();
    let backend = world.cut_off(&mut tx).await;
    sqlx::query("SELECT 1").execute(&mut tx).await.unwrap_err();
    // It is known that nothing was written, because COMMIT was never sent.
    assert_eq!(tx.commit().await.unwrap_err().kind(), ErrorKind::StatementFailed);
    // The pool's only connection was closed, and the next scope gets another.
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    let (rows, other): (i64, i32) =
        sqlx::query_as("SELECT count(*), pg_backend_pid() FROM loads").fetch_one(&mut tx).await.unwrap();
    assert_eq!(rows, SEEDED);
    assert_ne!(other, backend);
    drop(tx);
    world.end().await;
}

#[sqlx::test]
async fn a_notification_reaches_no_scope(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    // LISTEN would stay with the connection and hand one tenant's messages to the next.
    sqlx::query("LISTEN loads").execute(&mut tx).await.unwrap_err();
    drop(tx);
    world.no_open_transaction().await;
    let mut tx = world.db.begin(tenant(B)).await.unwrap();
    let channels: Vec<String> = sqlx::query_scalar("SELECT pg_listening_channels()").fetch_all(&mut tx).await.unwrap();
    assert!(channels.is_empty());
    drop(tx);
    world.end().await;
}

#[sqlx::test]
async fn a_scope_within_a_scope_is_another_transaction(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 2).await;
    let mut outer = world.db.begin(tenant(A)).await.unwrap();
    sqlx::query("DELETE FROM loads").execute(&mut outer).await.unwrap();
    let mut inner = world.db.begin(tenant(B)).await.unwrap();
    let owners: Vec<Uuid> =
        sqlx::query_scalar("SELECT DISTINCT tenant_id FROM loads").fetch_all(&mut inner).await.unwrap();
    assert_eq!(owners, [B]);
    inner.commit().await.unwrap();
    outer.rollback().await.unwrap();
    assert_eq!((world.rows(A).await, world.rows(B).await), (SEEDED, SEEDED));
    world.end().await;
}

#[sqlx::test]
async fn known_limit_a_session_advisory_lock_outlives_the_scope(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    for (lock, left) in [("SELECT pg_advisory_xact_lock(1)", 0), ("SELECT pg_advisory_lock(1)", 1)] {
        let mut tx = world.db.begin(tenant(A)).await.unwrap();
        sqlx::query(lock).execute(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        let held: i64 = sqlx::query_scalar(held).fetch_one(&mut world.admin().await).await.unwrap();
        assert_eq!(held, left, "{lock}");
    }
    // Tenant B, on the same connection, holds what tenant A took.
    let mut tx = world.db.begin(tenant(B)).await.unwrap();
    let held: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock(1)").fetch_one(&mut tx).await.unwrap();
    assert!(held);
    drop(tx);
    // The remedy.
    let mut admin = world.admin().await;
    sqlx::query("REVOKE EXECUTE ON FUNCTION pg_advisory_lock(bigint) FROM PUBLIC").execute(&mut admin).await.unwrap();
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    let error = sqlx::query("SELECT pg_advisory_lock(1)").execute(&mut tx).await.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().code().unwrap(), "42501");
    drop(tx);
    world.end().await;
}
