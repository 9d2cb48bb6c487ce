//! Parts of a transaction that fail alone.

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_tenant_guard::{ErrorKind, TenantTx};

use crate::relay::relayed;
use crate::world::{A, SEEDED, World, cut, tenant};

const FAILING: &str = "SELECT 1 / (rate_cents - rate_cents) FROM loads";

async fn insert(tx: &mut TenantTx, reference: &'static str) {
    sqlx::query("INSERT INTO loads (tenant_id, reference) SELECT tenant_id, $1 FROM stockade.current_tenant")
        .bind(reference)
        .execute(tx)
        .await
        .unwrap();
}

/// The references that were added to the seed.
async fn added(world: &World) -> Vec<String> {
    let mut tx = world.db.read(tenant(A)).await.unwrap();
    sqlx::query_scalar("SELECT reference FROM loads ORDER BY reference COLLATE \"C\" OFFSET $1")
        .bind(SEEDED)
        .fetch_all(&mut tx)
        .await
        .unwrap()
}

#[sqlx::test]
async fn a_failed_statement_is_recovered(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    insert(&mut tx, "a").await;
    let mut savepoint = tx.savepoint().await.unwrap();
    insert(&mut savepoint, "b").await;
    sqlx::query(FAILING).execute(&mut *savepoint).await.unwrap_err();
    savepoint.roll_back().await.unwrap();
    let mut savepoint = tx.savepoint().await.unwrap();
    insert(&mut savepoint, "c").await;
    savepoint.release().await.unwrap();
    tx.commit().await.unwrap();
    // "L1" and so on sort before small letters.
    assert_eq!(added(&world).await, ["a", "c"]);
    world.end().await;
}

#[sqlx::test]
async fn release_after_a_failure_rolls_back_and_says_so(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    for refused in [FAILING, "SET ROLE postgres"] {
        let mut savepoint = tx.savepoint().await.unwrap();
        insert(&mut savepoint, "b").await;
        sqlx::query(refused).execute(&mut *savepoint).await.unwrap_err();
        assert_eq!(savepoint.release().await.unwrap_err().kind(), ErrorKind::StatementFailed);
    }
    insert(&mut tx, "a").await;
    tx.commit().await.unwrap();
    assert_eq!(added(&world).await, ["a"]);
    world.end().await;
}

#[sqlx::test]
async fn savepoints_nest(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    let mut outer = tx.savepoint().await.unwrap();
    insert(&mut outer, "a").await;
    let mut inner = outer.savepoint().await.unwrap();
    insert(&mut inner, "b").await;
    let mut innermost = inner.savepoint().await.unwrap();
    insert(&mut innermost, "c").await;
    innermost.release().await.unwrap();
    inner.roll_back().await.unwrap();
    insert(&mut outer, "d").await;
    outer.release().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(added(&world).await, ["a", "d"]);
    world.end().await;
}

#[sqlx::test]
async fn a_dropped_savepoint_keeps_the_transaction_from_committing(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    insert(&mut tx.savepoint().await.unwrap(), "a").await;
    assert_eq!(tx.commit().await.unwrap_err().kind(), ErrorKind::SavepointOpen);

    // Within an outer one it can be undone, or else refuses the release.
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    let mut outer = tx.savepoint().await.unwrap();
    drop(outer.savepoint().await.unwrap());
    insert(&mut outer, "b").await;
    outer.roll_back().await.unwrap();
    let mut outer = tx.savepoint().await.unwrap();
    insert(&mut outer, "c").await;
    drop(outer.savepoint().await.unwrap());
    assert_eq!(outer.release().await.unwrap_err().kind(), ErrorKind::SavepointOpen);
    insert(&mut tx, "d").await;
    tx.commit().await.unwrap();
    assert_eq!(added(&world).await, ["d"]);
    world.end().await;
}

#[sqlx::test]
async fn a_failure_before_a_savepoint_is_not_forgotten(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    // Refused by the gate: the server knows of no failure.
    sqlx::query("SAVEPOINT s").execute(&mut tx).await.unwrap_err();
    let mut savepoint = tx.savepoint().await.unwrap();
    insert(&mut savepoint, "a").await;
    savepoint.release().await.unwrap();
    assert_eq!(tx.commit().await.unwrap_err().kind(), ErrorKind::StatementFailed);

    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    sqlx::query(FAILING).execute(&mut tx).await.unwrap_err();
    assert_eq!(tx.savepoint().await.unwrap_err().kind(), ErrorKind::Database);
    assert_eq!(tx.commit().await.unwrap_err().kind(), ErrorKind::StatementFailed);
    assert!(added(&world).await.is_empty());
    world.end().await;
}

#[sqlx::test]
async fn an_abandoned_statement_is_undone(_: PgPoolOptions, options: PgConnectOptions) {
    const FAILS_LATE: &str = "UPDATE loads SET rate_cents = 1 / (rate_cents - rate_cents)";
    let world = World::new(options, 1).await;
    let mut admin = world.admin().await;
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    // Prepared once, so that the next run only waits for the lock and then fails.
    let mut savepoint = tx.savepoint().await.unwrap();
    sqlx::query(FAILS_LATE).execute(&mut *savepoint).await.unwrap_err();
    savepoint.roll_back().await.unwrap();
    tx.commit().await.unwrap();

    let mut lock = admin.begin().await.unwrap();
    sqlx::query("LOCK TABLE loads IN SHARE MODE").execute(&mut *lock).await.unwrap();
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    let mut savepoint = tx.savepoint().await.unwrap();
    assert!(cut(1, sqlx::query(FAILS_LATE).execute(&mut *savepoint)).await.is_none());
    lock.rollback().await.unwrap();
    savepoint.roll_back().await.unwrap();
    insert(&mut tx, "a").await;
    tx.commit().await.unwrap();
    assert_eq!(added(&world).await, ["a"]);
    world.end().await;
}

#[sqlx::test]
async fn every_await_of_a_savepoint_can_be_cut(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(relayed(options).await, 1).await;
    let mut committed = 0;
    for polls in 1..8 {
        for ending in 0..2 {
            let mut tx = world.db.begin(tenant(A)).await.unwrap();
            let part = async {
                let mut savepoint = tx.savepoint().await.unwrap();
                insert(&mut savepoint, "part").await;
                if ending == 0 { savepoint.release().await.unwrap() } else { savepoint.roll_back().await.unwrap() }
            };
            let whole = cut(polls, part).await.is_some();
            // What was cut commits nothing; what was not, commits.
            assert_eq!(tx.commit().await.is_ok(), whole, "{polls} polls, ending {ending}");
            world.no_open_transaction().await;
            let expected = usize::from(whole && ending == 0);
            assert_eq!(added(&world).await.len(), expected);
            sqlx::query("DELETE FROM loads WHERE reference = 'part'").execute(&mut world.admin().await).await.unwrap();
            committed += usize::from(whole);
        }
    }
    assert!(committed > 0, "every run was cut: raise the polls");
    world.end().await;
}
