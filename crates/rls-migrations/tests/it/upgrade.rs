//! A schema that has been running for years gets its first plan while the application works.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sqlx::types::Uuid;
use sqlx::{PgConnection, PgPool};
use stockade_rls_migrations::Plan;
use tokio::task::JoinSet;

use crate::support::{A, B, TABLES, code, connect, freight, run, text};

/// Whether a policy of the plan is there, and how many rows of others are: in one statement, so by one snapshot.
const LOOK: &str = "
    SELECT EXISTS (SELECT FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
                    WHERE p.polname = 'stockade_tenant' AND c.relnamespace = 'freight'::regnamespace),
           (SELECT count(*) FROM freight.loads WHERE tenant_id <> $1) + (SELECT count(*) FROM freight.stops WHERE tenant_id <> $1)";

/// The old application: its role may do everything, and no table is protected.
async fn running(pool: &PgPool) -> PgConnection {
    let mut root = connect(pool, "postgres").await;
    run(&mut root, TABLES).await.unwrap();
    for role in ["owner NOLOGIN", "app LOGIN", "reader LOGIN"] {
        let create = format!(
            "DO $$ BEGIN CREATE ROLE rls_test_{role}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        );
        run(&mut root, &create).await.unwrap();
    }
    for tenant in [A, B] {
        let rows = format!(
            "INSERT INTO freight.loads SELECT '{tenant}', n, 'load' FROM generate_series(1, 500) n;
             INSERT INTO freight.stops SELECT '{tenant}', n, n, 'city' FROM generate_series(1, 500) n"
        );
        run(&mut root, &rows).await.unwrap();
    }
    run(
        &mut root,
        "GRANT USAGE ON SCHEMA freight TO rls_test_app; GRANT ALL ON ALL TABLES IN SCHEMA freight TO rls_test_app",
    )
    .await
    .unwrap();
    root
}

/// What a statement of `tenant` sees, in a transaction as tenant-guard opens one.
async fn look(conn: &mut PgConnection, tenant: Uuid) -> Result<(bool, i64), sqlx::Error> {
    run(conn, &format!("BEGIN; SET LOCAL stockade.tenant_id = '{tenant}'")).await?;
    let seen = sqlx::query_as(LOOK).bind(tenant).fetch_one(&mut *conn).await;
    run(conn, if seen.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
    seen
}

async fn write(conn: &mut PgConnection, tenant: Uuid, id: u64) -> Result<u64, sqlx::Error> {
    let statements = format!(
        "BEGIN; SET LOCAL stockade.tenant_id = '{tenant}';
         INSERT INTO freight.loads VALUES ('{tenant}', {id}, 'new'); INSERT INTO freight.stops VALUES ('{tenant}', {id}, {id}, 'new');
         UPDATE freight.loads SET name = 'changed' WHERE tenant_id = '{tenant}' AND id = {id}; COMMIT"
    );
    let outcome = run(conn, &statements).await;
    if outcome.is_err() {
        run(conn, "ROLLBACK").await?;
    }
    outcome
}

/// Deadlocks with the plan are PostgreSQL's to break, whoever is chosen.
fn is_deadlock(error: &sqlx::Error) -> bool {
    code(error) == "40P01"
}

#[derive(Default)]
struct Load {
    over: AtomicBool,
    before: AtomicU64,
    after: AtomicU64,
    writes: AtomicU64,
}

async fn read_until_over(load: Arc<Load>, mut conn: PgConnection, tenant: Uuid) {
    while !load.over.load(Ordering::Relaxed) {
        match look(&mut conn, tenant).await {
            Ok((false, _)) => load.before.fetch_add(1, Ordering::Relaxed),
            Ok((true, foreign)) => {
                assert_eq!(foreign, 0, "rows of another tenant after the commit");
                load.after.fetch_add(1, Ordering::Relaxed)
            }
            Err(error) => {
                assert!(is_deadlock(&error), "{error}");
                0
            }
        };
    }
}

async fn write_until_over(load: Arc<Load>, mut conn: PgConnection, tenant: Uuid) {
    let mut id = 1000;
    while !load.over.load(Ordering::Relaxed) {
        id += 1;
        match write(&mut conn, tenant, id).await {
            Ok(_) => load.writes.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                assert!(is_deadlock(&error), "{error}");
                0
            }
        };
    }
}

/// Waits until something has happened so many times more; a worker that failed meanwhile fails the test.
async fn at_least(workers: &mut JoinSet<()>, counter: &AtomicU64, number: u64) {
    let target = counter.load(Ordering::Relaxed) + number;
    while counter.load(Ordering::Relaxed) < target {
        if let Some(worker) = workers.try_join_next() {
            worker.unwrap();
        }
        tokio::task::yield_now().await;
    }
}

async fn apply_under_load(plan: &Plan, root: &mut PgConnection) {
    for _ in 0..100 {
        match plan.apply(root).await {
            Ok(()) => return,
            Err(error) => assert!(error.is_retryable(), "{error:?}"),
        }
    }
    panic!("the plan never got its locks");
}

#[sqlx::test]
async fn no_statement_after_the_commit_sees_a_row_of_another_tenant(pool: PgPool) {
    let mut root = running(&pool).await;
    let load = Arc::new(Load::default());
    // A transaction whose snapshot is older than the plan.
    let mut old = connect(&pool, "rls_test_app").await;
    run(
        &mut old,
        &format!("BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL stockade.tenant_id = '{A}'; SELECT FROM pg_policy"),
    )
    .await
    .unwrap();
    let mut workers = JoinSet::new();
    for tenant in [A, B] {
        for _ in 0..2 {
            workers.spawn(read_until_over(load.clone(), connect(&pool, "rls_test_app").await, tenant));
        }
        workers.spawn(write_until_over(load.clone(), connect(&pool, "rls_test_app").await, tenant));
    }
    at_least(&mut workers, &load.before, 20).await;
    let plan = freight().plan(&mut root).await.unwrap();
    apply_under_load(&plan, &mut root).await;
    at_least(&mut workers, &load.after, 100).await;
    at_least(&mut workers, &load.writes, 20).await;
    load.over.store(true, Ordering::Relaxed);
    while let Some(worker) = workers.join_next().await {
        worker.unwrap();
    }
    let (marked, foreign): (bool, i64) = sqlx::query_as(LOOK).bind(A).fetch_one(&mut old).await.unwrap();
    assert_eq!(
        (marked, foreign),
        (false, 0),
        "by its old snapshot there is no policy yet, and still it sees nothing of B"
    );
    run(&mut old, "ROLLBACK").await.unwrap();

    assert!(freight().plan(&mut root).await.unwrap().is_empty());
    assert!(freight().health(&mut root).await.unwrap().is_sound());
    let kept = "SELECT (count(*) FILTER (WHERE id <= 500))::text FROM freight.loads";
    assert_eq!(text(&mut root, kept).await, "1000", "and no row is lost");
    plan.revert(&mut root).await.unwrap();
}

/// The control: the same statements, each in a transaction of its own.
#[sqlx::test]
async fn the_same_statements_one_by_one_leave_windows(pool: PgPool) {
    let mut root = running(&pool).await;
    let mut app = connect(&pool, "rls_test_app").await;
    let plan = freight().plan(&mut root).await.unwrap();
    let mut windows = 0;
    for statement in plan.up() {
        run(&mut root, statement.sql()).await.unwrap();
        match look(&mut app, A).await {
            Ok((marked, foreign)) => windows += u32::from(marked && foreign > 0),
            // Privileges are taken back in one statement and given in the next.
            Err(error) => assert_eq!(code(&error), "42501"),
        }
    }
    assert!(windows > 0, "policies that are there and not enabled");
    assert_eq!(look(&mut app, A).await.unwrap(), (true, 0));
}
