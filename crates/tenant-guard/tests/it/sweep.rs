//! Background work for many tenants.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::types::Uuid;
use stockade_tenant_guard::{BoxError, Outcome, Pace, TenantTx};

use crate::world::{A, B, SEEDED, World, cut, tenant};

const HOUR: Duration = Duration::from_secs(3_600);

fn pace(concurrency: usize, timeout: Duration) -> Pace {
    Pace { concurrency: NonZeroUsize::new(concurrency).unwrap(), timeout }
}

async fn touch(mut tx: TenantTx) -> Result<u64, BoxError> {
    let touched = sqlx::query("UPDATE loads SET rate_cents = 7").execute(&mut tx).await?.rows_affected();
    tx.commit().await?;
    Ok(touched)
}

#[sqlx::test]
async fn each_tenant_has_a_scope_and_an_outcome_of_its_own(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 2).await;
    let (c, d, e) = (Uuid::from_u128(0xc), Uuid::from_u128(0xd), Uuid::from_u128(0xe));
    let work = move |tx: TenantTx| async move {
        match tx.tenant_id().as_uuid() {
            id if id == c => Err("a bug in the data".into()),
            id if id == d => panic!("a bug in the application"),
            id if id == e => std::future::pending().await,
            _ => touch(tx).await,
        }
    };
    // A machine that is busy for a second would make A or B time out: the timeout is for E alone.
    let tenants = [A, B, c, d, e, A].map(tenant);
    let outcomes = world.db.for_each_tenant(tenants, pace(2, Duration::from_secs(3)), work).await;
    assert_eq!(outcomes.len(), 5);
    for id in [A, B] {
        assert!(matches!(outcomes[&tenant(id)], Outcome::Done(3)), "its own rows, and all of them");
    }
    assert!(matches!(&outcomes[&tenant(c)], Outcome::Failed(error) if error.to_string() == "a bug in the data"));
    assert!(matches!(outcomes[&tenant(d)], Outcome::Panicked));
    assert!(matches!(outcomes[&tenant(e)], Outcome::TimedOut));
    world.no_open_transaction().await;
    world.end().await;
}

#[sqlx::test]
async fn no_more_scopes_are_open_than_was_said(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 5).await;
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let work = {
        let (open, most) = (Arc::clone(&open), Arc::clone(&most));
        move |mut tx: TenantTx| {
            let (open, most) = (Arc::clone(&open), Arc::clone(&most));
            async move {
                most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                sqlx::query("SELECT pg_sleep(0.01)").execute(&mut tx).await?;
                open.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, BoxError>(())
            }
        }
    };
    let tenants = (0..40).map(|id| tenant(Uuid::from_u128(id)));
    let outcomes = world.db.for_each_tenant(tenants, pace(3, HOUR), work).await;
    assert!(outcomes.len() == 40 && outcomes.values().all(|outcome| matches!(outcome, Outcome::Done(()))));
    assert_eq!(most.load(Ordering::SeqCst), 3);
    world.end().await;
}

#[sqlx::test]
async fn dropping_it_stops_and_rolls_back_all(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 2).await;
    let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
    let work = move |mut tx: TenantTx| {
        let started = started.clone();
        async move {
            sqlx::query("UPDATE loads SET rate_cents = 7").execute(&mut tx).await?;
            started.send(())?;
            std::future::pending::<()>().await;
            tx.commit().await?;
            Ok::<_, BoxError>(())
        }
    };
    let db = world.db.clone();
    let sweep = tokio::spawn(async move { db.for_each_tenant([A, B].map(tenant), pace(2, HOUR), work).await.len() });
    for _ in 0..2 {
        starts.recv().await.unwrap();
    }
    sweep.abort();
    assert!(sweep.await.unwrap_err().is_cancelled());
    world.no_open_transaction().await;
    let touched: i64 = sqlx::query_scalar("SELECT count(*) FROM loads WHERE rate_cents = 7")
        .fetch_one(&mut world.admin().await)
        .await
        .unwrap();
    assert_eq!((touched, world.rows(A).await), (0, SEEDED));
    world.end().await;
}

#[sqlx::test]
async fn a_scope_that_cannot_be_opened_is_an_outcome(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    world.pool.close().await;
    let outcomes = world.db.for_each_tenant([tenant(A)], pace(1, HOUR), touch).await;
    assert!(matches!(outcomes[&tenant(A)], Outcome::NotOpened(_)));
    // No tenants, no work.
    assert!(cut(1, world.db.for_each_tenant([], pace(1, HOUR), touch)).await.unwrap().is_empty());
}
