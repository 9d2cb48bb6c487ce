//! rls-migrations reading a live schema of 500 tenant tables: drift, health, lint.
//!
//! `scripts/bench rls_drift`. The floor in the same run is one round trip to the same server. Makes a database of its own and drops it.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use sqlx::{Connection as _, PgConnection};
use stockade_benches::{Database, Report, Times, run};
use stockade_rls_migrations::{Roles, Schema, by};
use tokio::runtime::Runtime;

const TABLES: usize = 500;

/// Tables as an application has them: a key that begins with the tenant, a few columns, an index.
fn tables() -> String {
    let table = |n| {
        format!(
            "CREATE TABLE freight.t{n} (tenant_id uuid NOT NULL, id bigint NOT NULL, name text, at timestamptz NOT NULL DEFAULT now(),
               PRIMARY KEY (tenant_id, id)); CREATE INDEX ON freight.t{n} (tenant_id, at);"
        )
    };
    let tables: String = (0..TABLES).map(table).collect();
    format!("CREATE SCHEMA freight; {tables}")
}

fn schema() -> Schema {
    let schema = Schema::new("freight", Roles::for_app("rls_bench"));
    (0..TABLES).fold(schema, |schema, n| schema.tenant_table(format!("t{n}"), by("tenant_id")))
}

async fn prepare(database: &Database) -> PgConnection {
    let mut conn = database.open().await;
    run(&mut conn, &tables()).await;
    let plan = schema().plan(&mut conn).await.expect("a plan");
    plan.apply(&mut conn).await.expect("the plan applies");
    run(&mut conn, "ANALYZE").await;
    conn
}

fn reading(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let Some(database) = runtime.block_on(Database::create("rls_drift")) else { return };
    let mut conn = runtime.block_on(prepare(&database));
    let (schema, times) = (schema(), Times::default());

    let mut group = criterion.benchmark_group("rls-migrations, 500 tenant tables");
    group.sample_size(20).measurement_time(Duration::from_secs(10));
    group.bench_function("round trip", |bencher| {
        let mut once = || runtime.block_on(conn.ping()).expect("a ping");
        bencher.iter_custom(|runs| times.of("one round trip to the server", runs, &mut once));
    });
    group.bench_function("drift", |bencher| {
        let mut once = || {
            let drift = runtime.block_on(schema.drift(&mut conn)).expect("drift");
            assert!(drift.is_none(), "{drift}");
            drift
        };
        bencher.iter_custom(|runs| times.of("drift", runs, &mut once));
    });
    group.bench_function("health", |bencher| {
        let mut once = || runtime.block_on(schema.health(&mut conn)).expect("health");
        bencher.iter_custom(|runs| times.of("health", runs, &mut once));
    });
    group.bench_function("lint", |bencher| {
        let mut once = || runtime.block_on(schema.lint(&mut conn)).expect("lint");
        bencher.iter_custom(|runs| times.of("lint", runs, &mut once));
    });
    group.finish();
    times.tell(&Report::of("rls_drift"), "500 tenant tables");
    runtime.block_on(database.drop());
}

criterion_group!(benches, reading);
criterion_main!(benches);
