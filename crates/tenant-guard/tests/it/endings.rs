//! How a transaction ends, and what becomes of its connection.

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, Executor, SqlStr};
use stockade_tenant_guard::{ErrorKind, TenantTx};
use tokio::runtime::Runtime;

use crate::world::{A, SEEDED, World, block_on, cut, tenant};

const INSERT: &str = "INSERT INTO loads (tenant_id, reference) SELECT tenant_id, 'new' FROM stockade.current_tenant";
const FAILING: &str = "SELECT 1 / (rate_cents - rate_cents) FROM loads";

async fn insert(tx: &mut TenantTx) {
    sqlx::query(INSERT).execute(tx).await.unwrap();
}

async fn begun(world: &World) -> TenantTx {
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    insert(&mut tx).await;
    tx
}

/// A transaction whose connection the server has closed.
async fn cut_off(world: &World) -> TenantTx {
    let mut tx = begun(world).await;
    world.cut_off(&mut tx).await;
    tx
}

/// The transaction wrote its one row.
async fn written(world: World) {
    assert_eq!(world.rows(A).await, SEEDED + 1);
    world.end().await;
}

async fn refused(tx: TenantTx, kind: ErrorKind) {
    assert_eq!(tx.commit().await.unwrap_err().kind(), kind);
}

/// Leaves something open on a runtime that ends, whose connections must close.
async fn on_a_runtime_that_ends(world: World, leave: impl FnOnce(&World) + Send + 'static) {
    let world = thread::spawn(move || {
        leave(&world);
        world
    })
    .join()
    .unwrap();
    world.no_session().await;
    nothing_happened(world).await;
}

/// The pool's only connection works, and nothing of the transaction was written.
async fn nothing_happened(world: World) {
    world.no_open_transaction().await;
    let mut tx = world.db.read(tenant(A)).await.unwrap();
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM loads").fetch_one(&mut tx).await.unwrap();
    assert_eq!(rows, SEEDED);
    drop(tx);
    world.end().await;
}

#[sqlx::test]
async fn commit_writes(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    begun(&world).await.commit().await.unwrap();
    written(world).await;
}

#[sqlx::test]
async fn rollback_and_drop_do_not(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    begun(&world).await.rollback().await.unwrap();
    drop(begun(&world).await);
    nothing_happened(world).await;
}

#[sqlx::test]
async fn commit_after_a_failure_is_an_error(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = begun(&world).await;
    sqlx::query(FAILING).execute(&mut tx).await.unwrap_err();
    refused(tx, ErrorKind::StatementFailed).await;

    let mut tx = begun(&world).await;
    sqlx::query(FAILING).fetch_optional(&mut tx).await.unwrap_err();
    refused(tx, ErrorKind::StatementFailed).await;
    nothing_happened(world).await;
}

#[sqlx::test]
async fn commit_after_a_refusal_is_an_error(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = begun(&world).await;
    sqlx::query("SAVEPOINT s").execute(&mut tx).await.unwrap_err();
    // The server knows of no failure, and a later success changes nothing.
    sqlx::query("SELECT 1").execute(&mut tx).await.unwrap();
    refused(tx, ErrorKind::StatementFailed).await;
    nothing_happened(world).await;
}

#[sqlx::test]
async fn a_missing_row_is_no_failure(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = begun(&world).await;
    let missing = sqlx::query("SELECT 1 WHERE false").fetch_one(&mut tx).await;
    assert!(matches!(missing, Err(sqlx::Error::RowNotFound)));
    tx.commit().await.unwrap();
    written(world).await;
}

#[sqlx::test]
async fn sqlx_alone_commits_an_aborted_transaction(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = world.pool.begin().await.unwrap();
    sqlx::query("SELECT 1 / 0").execute(&mut *tx).await.unwrap_err();
    assert!(tx.commit().await.is_ok(), "sqlx has learned to report this: the guard's own check can go");
    world.end().await;
}

#[sqlx::test]
async fn commit_after_an_abandoned_statement_is_an_error(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut admin = world.admin().await;
    // First while it is being prepared, then while it is being run.
    for _ in 0..2 {
        let mut tx = world.db.begin(tenant(A)).await.unwrap();
        let mut lock = admin.begin().await.unwrap();
        sqlx::query("LOCK TABLE loads IN SHARE MODE").execute(&mut *lock).await.unwrap();
        // The insert cannot answer while the lock is held, so one poll sends it and waits.
        assert!(cut(1, sqlx::query(INSERT).execute(&mut tx)).await.is_none());
        lock.rollback().await.unwrap();
        // The next statement drains the answer of the abandoned one and succeeds.
        sqlx::query("SELECT 1").execute(&mut tx).await.unwrap();
        refused(tx, ErrorKind::StatementAbandoned).await;
    }
    nothing_happened(world).await;
}

#[sqlx::test]
async fn statement_that_never_started_is_no_failure(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = begun(&world).await;
    drop(sqlx::query(FAILING).execute(&mut tx));
    tx.commit().await.unwrap();
    written(world).await;
}

#[sqlx::test]
async fn rows_left_unread_are_committed(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = begun(&world).await;
    let mut rows = sqlx::query("SELECT n FROM generate_series(1, 10000) n").fetch(&mut tx);
    poll_fn(|cx| rows.as_mut().poll_next(cx)).await.unwrap().unwrap();
    drop(rows);
    tx.commit().await.unwrap();
    written(world).await;
}

#[sqlx::test]
async fn failure_among_rows_left_unread_is_an_error(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = begun(&world).await;
    let mut rows = sqlx::query("SELECT 1 / (10000 - n) FROM generate_series(1, 10000) n").fetch(&mut tx);
    poll_fn(|cx| rows.as_mut().poll_next(cx)).await.unwrap().unwrap();
    drop(rows);
    refused(tx, ErrorKind::Database).await;
    nothing_happened(world).await;
}

#[sqlx::test]
async fn deferred_constraint_fails_the_commit(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = begun(&world).await;
    insert(&mut tx).await;
    let error = tx.commit().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Database);
    assert!(!error.is_retryable());
    nothing_happened(world).await;
}

#[sqlx::test]
async fn lost_connection_leaves_the_outcome_unknown(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let error = cut_off(&world).await.commit().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
    assert!(!error.is_retryable());
    nothing_happened(world).await;
}

#[sqlx::test]
async fn rollback_that_nobody_answered_is_an_error(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let error = cut_off(&world).await.rollback().await.unwrap_err();
    // The server's last word, where it still comes through.
    assert!(matches!(error.kind(), ErrorKind::Database | ErrorKind::Connection), "{error:?}");
    nothing_happened(world).await;
}

#[sqlx::test]
async fn aborted_connection_is_repaired(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    // sqlx 0.9.0 puts an aborted transaction back into the pool.
    let begun = world.pool.begin_with("BEGIN; SELECT 1 / 0").await;
    assert!(begun.is_err());
    let error = world.db.begin(tenant(A)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Database);
    nothing_happened(world).await;
}

#[sqlx::test]
async fn failure_that_nobody_read_closes_the_connection(_: PgPoolOptions, options: PgConnectOptions) {
    const LATE: &str = "UPDATE loads SET rate_cents = 1 / (rate_cents - rate_cents)";
    let world = World::new(options, 1).await;
    // Prepared in a scope of its own, whose locks end with it; the connection keeps the statement.
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    (&mut tx).prepare(SqlStr::from_static(LATE)).await.unwrap();
    tx.rollback().await.unwrap();

    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    let mut admin = world.admin().await;
    let mut lock = admin.begin().await.unwrap();
    sqlx::query("LOCK TABLE loads IN SHARE MODE").execute(&mut *lock).await.unwrap();
    assert!(cut(1, sqlx::query(LATE).execute(&mut tx)).await.is_none());
    drop(tx);
    // Now the update fails, and the rollback behind it finds that answer instead of its own.
    lock.rollback().await.unwrap();
    nothing_happened(world).await;
}

#[sqlx::test]
async fn panic_rolls_back(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let db = world.db.clone();
    let task = tokio::spawn(async move {
        let mut tx = db.begin(tenant(A)).await.unwrap();
        insert(&mut tx).await;
        panic!("a bug in the application");
    });
    assert!(task.await.unwrap_err().is_panic());
    nothing_happened(world).await;
}

#[sqlx::test]
async fn panic_while_a_statement_runs_rolls_back(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = begun(&world).await;
    let caught = std::panic::catch_unwind(AssertUnwindSafe(move || {
        let mut running = pin!(sqlx::query("SELECT pg_sleep(0.05)").execute(&mut tx));
        let polled = running.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        panic!("a bug in the application");
    }));
    assert!(caught.is_err());
    nothing_happened(world).await;
}

#[sqlx::test]
async fn drop_on_a_plain_thread_rolls_back(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let tx = begun(&world).await;
    thread::spawn(move || drop(tx)).join().unwrap();
    nothing_happened(world).await;
}

#[sqlx::test]
async fn commit_on_a_plain_thread_gives_the_connection_back(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let tx = begun(&world).await;
    let (done, ended) = tokio::sync::oneshot::channel();
    let other = thread::spawn(move || done.send(block_on(tx.commit())).unwrap());
    // Awaited, not joined, so that this runtime keeps driving the connection.
    ended.await.unwrap().unwrap();
    other.join().unwrap();
    assert_eq!(world.rows(A).await, SEEDED + 1);
    world.no_open_transaction().await;
    drop(world.db.read(tenant(A)).await.unwrap());
    world.end().await;
}

#[sqlx::test]
async fn drop_after_the_runtime_closes(_: PgPoolOptions, options: PgConnectOptions) {
    on_a_runtime_that_ends(World::new(options, 1).await, |world| {
        let runtime = Runtime::new().unwrap();
        let open = runtime.block_on(begun(world));
        // A pool of one: this waits in vain, but it is polled, and gets no connection.
        assert!(runtime.block_on(cut(1, world.db.begin(tenant(A)))).is_none());
        drop(runtime);
        drop(open);
    })
    .await;
}

#[sqlx::test]
async fn runtime_that_ends_during_the_rollback_closes(_: PgPoolOptions, options: PgConnectOptions) {
    on_a_runtime_that_ends(World::new(options, 1).await, |world| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let open = runtime.block_on(begun(world));
        // The rollback is spawned on a runtime that nobody drives any more.
        drop(open);
        drop(runtime);
    })
    .await;
}

#[sqlx::test]
async fn no_scope_without_a_runtime(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let db = world.db.clone();
    let error = thread::spawn(move || {
        let mut begin = pin!(db.begin(tenant(A)));
        match begin.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(begun) => begun.unwrap_err(),
            Poll::Pending => panic!("began without a runtime"),
        }
    })
    .join()
    .unwrap();
    assert_eq!(error.kind(), ErrorKind::NoRuntime);
    world.end().await;
}

#[sqlx::test]
async fn closed_pool_is_a_connection_error(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    world.pool.close().await;
    let error = world.db.begin(tenant(A)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert_eq!(error.to_string(), "could not open a tenant's scope");
    assert!(std::error::Error::source(&error).is_some());
}
