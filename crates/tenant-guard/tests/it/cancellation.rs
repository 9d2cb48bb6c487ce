//! Futures dropped at every await, and what the next borrower of the connection finds.
//!
//! A future is cut after a chosen number of polls rather than after a time, which reaches every await whatever the machine's speed.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgPool};

use crate::relay::relayed;
use crate::storm::{Bare, Guarded, POLLS, Request, requests, storm};
use crate::world::{A, B, World, cut, tenant};

/// What a cut run left for the next borrower: a context, or rows without one.
pub(crate) async fn leaked(pool: &PgPool) -> bool {
    let (context, rows): (String, i64) = sqlx::query_as(
        "SELECT coalesce(current_setting('stockade.tenant_id', true), ''), (SELECT count(*) FROM loads)",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    !context.is_empty() || rows > 0
}

#[sqlx::test]
async fn storm_leaks_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(relayed(options).await, 2).await;
    let seen = storm(&world.pool, Guarded(world.db.clone()), requests()).await;
    assert!(seen.cut * 10 > seen.requests && seen.panicked * 50 > seen.requests, "{seen:?}");
    assert_eq!((seen.leaks, seen.crossed), (0, 0), "{seen:?}");
    println!("{seen:?}");
    world.no_open_transaction().await;
    world.end().await;
}

#[sqlx::test]
async fn the_same_storm_on_sqlx_alone_leaks(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(relayed(options).await, 1).await;
    let pool = world.another_pool(2);
    let seen = storm(&pool, Bare(pool.clone()), requests() / 10).await;
    assert!(seen.leaks > 0, "sqlx no longer leaks a cancelled BEGIN: the guard's tests need another control: {seen:?}");
    println!("{seen:?}");
    pool.close().await;
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
    Guarded(world.db.clone()).request(B, 3).await;

    lock.rollback().await.unwrap();
    world.no_open_transaction().await;
    let mut tx = world.db.read(tenant(A)).await.unwrap();
    let written: i64 =
        sqlx::query_scalar("SELECT count(*) FROM loads WHERE rate_cents = 7").fetch_one(&mut tx).await.unwrap();
    assert_eq!(written, 0);
    drop(tx);
    world.end().await;
}
