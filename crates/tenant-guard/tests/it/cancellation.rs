//! Futures dropped at every await, and what the next borrower of the connection finds.
//!
//! A future is cut after a chosen number of polls rather than after a time, which reaches every await whatever the machine's speed.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::types::Uuid;
use sqlx::{AssertSqlSafe, Connection, PgPool};
use stockade_tenant_guard::TenantDb;
use tokio::task::JoinSet;

use crate::relay::relayed;
use crate::world::{A, B, Dice, World, cut, tenant};

const WORKERS: u64 = 4;
const ROUNDS: usize = 800;
/// More polls than any of the futures needs.
const POLLS: usize = 12;

/// What a cut run left for the next borrower: a context, or rows without one.
async fn leaked(pool: &PgPool) -> bool {
    let (context, rows): (String, i64) = sqlx::query_as(
        "SELECT coalesce(current_setting('stockade.tenant_id', true), ''), (SELECT count(*) FROM loads)",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    !context.is_empty() || rows > 0
}

/// One scope, from beginning to end, as an application would use it.
async fn scope(db: &TenantDb, id: Uuid, ending: usize) {
    if ending == 3 {
        let mut tx = db.read(tenant(id)).await.unwrap();
        assert_own(&mut tx, id).await;
        return;
    }
    let mut tx = db.begin(tenant(id)).await.unwrap();
    assert_own(&mut tx, id).await;
    sqlx::query("UPDATE loads SET rate_cents = rate_cents + 1 WHERE reference = 'L1'").execute(&mut tx).await.unwrap();
    match ending {
        0 => tx.commit().await.unwrap(),
        1 => tx.rollback().await.unwrap(),
        _ => drop(tx),
    }
}

async fn assert_own<E>(executor: &mut E, id: Uuid)
where
    for<'c> &'c mut E: sqlx::Executor<'c, Database = sqlx::Postgres>,
{
    let foreign: i64 = sqlx::query_scalar("SELECT count(*) FROM loads WHERE tenant_id <> $1")
        .bind(id)
        .fetch_one(executor)
        .await
        .unwrap();
    assert_eq!(foreign, 0, "a scope of {id} saw foreign rows");
}

#[sqlx::test]
async fn storm_leaks_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(relayed(options).await, 2).await;
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let (db, pool) = (world.db.clone(), world.pool.clone());
        workers.spawn(async move {
            let mut dice = Dice::new(worker);
            let (mut cuts, mut leaks) = (0, 0);
            for _ in 0..ROUNDS {
                let id = [A, B][dice.below(2)];
                let ending = dice.below(4);
                let polls = 1 + dice.below(POLLS);
                // Every other cut aims at the beginning, where sqlx leaks.
                let done = if dice.below(2) == 0 {
                    cut(polls, db.begin(tenant(id))).await.map(drop)
                } else {
                    cut(polls, scope(&db, id, ending)).await
                };
                cuts += usize::from(done.is_none());
                leaks += usize::from(leaked(&pool).await);
            }
            (cuts, leaks)
        });
    }
    let (mut cuts, mut leaks) = (0, 0);
    while let Some(counts) = workers.join_next().await {
        let (cut, leaked) = counts.unwrap();
        cuts += cut;
        leaks += leaked;
    }
    assert!(cuts > 500, "only {cuts} futures were cut");
    assert_eq!(leaks, 0, "leaks in {cuts} cuts");
    world.no_open_transaction().await;
    world.end().await;
}

#[sqlx::test]
async fn every_await_of_begin_can_be_cut(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(relayed(options).await, 1).await;
    let mut begun = false;
    for polls in 1..=POLLS {
        for _ in 0..5 {
            begun |= cut(polls, world.db.begin(tenant(B))).await.is_some();
            assert!(!leaked(&world.pool).await, "after {polls} polls");
        }
    }
    assert!(begun, "no cut came late enough: raise POLLS");
    world.end().await;
}

#[sqlx::test]
async fn statement_cut_while_it_waits_for_a_lock(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(relayed(options).await, 2).await;
    let mut admin = world.admin().await;
    let mut lock = admin.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM loads FOR UPDATE").execute(&mut *lock).await.unwrap();

    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    let update = sqlx::query("UPDATE loads SET rate_cents = 7").execute(&mut tx);
    let timeout = tokio::time::timeout(Duration::from_millis(50), update).await;
    assert!(timeout.is_err(), "the control: the lock is held");
    drop(tx);
    // The dropped scope's connection is busy; the other one serves.
    scope(&world.db, B, 3).await;

    lock.rollback().await.unwrap();
    world.no_open_transaction().await;
    let mut tx = world.db.read(tenant(A)).await.unwrap();
    let written: i64 =
        sqlx::query_scalar("SELECT count(*) FROM loads WHERE rate_cents = 7").fetch_one(&mut tx).await.unwrap();
    assert_eq!(written, 0);
    drop(tx);
    world.end().await;
}

#[sqlx::test]
async fn sqlx_alone_leaks(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(relayed(options).await, 1).await;
    let pool = world.another_pool(1);
    let mut leaks = 0;
    for _ in 0..5 {
        for polls in 1..=POLLS {
            let begin = pool.begin_with(AssertSqlSafe(format!("BEGIN; SET LOCAL stockade.tenant_id = '{B}'")));
            drop(cut(polls, begin).await);
            leaks += usize::from(leaked(&pool).await);
            // Repairs the connection, so that every leak counts once.
            sqlx::raw_sql("ROLLBACK").execute(&pool).await.unwrap();
        }
    }
    assert!(leaks > 0, "sqlx no longer leaks a cancelled BEGIN: the guard's tests need another control");
    pool.close().await;
    world.end().await;
}
