//! rls-migrations' probe of a schema of 500 tables, and of 20 in a quick run.
//!
//! `scripts/bench rls_probe`. Without `DATABASE_URL` nothing is measured.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sqlx::PgConnection;
use stockade_benches::{Database, Meter, Report, run};
use stockade_rls_migrations::{Probe, Roles, Schema, by, parent};
use tokio::runtime::Builder;

/// A third of the tables hang from another one, as an application's do.
async fn prepare(database: &Database, tables: usize) -> (PgConnection, Schema) {
    let mut conn = database.open().await;
    let mut ddl = "CREATE SCHEMA bench;".to_owned();
    let mut schema = Schema::new("bench", Roles::for_app("stockade_bench"));
    for number in 0..tables {
        ddl.push_str(&format!(
            "CREATE TABLE bench.t{number} (tenant_id uuid NOT NULL, id uuid NOT NULL DEFAULT gen_random_uuid(), up uuid,
             name text NOT NULL, status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'done')), amount numeric(12, 2),
             created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (tenant_id, id));"
        ));
        let name = format!("t{number}");
        schema = if number % 3 == 1 {
            schema.tenant_table_via(name, by("tenant_id"), parent(format!("t{}", number - 1)).on("up", "id"))
        } else {
            schema.tenant_table(name, by("tenant_id"))
        };
    }
    run(&mut conn, &ddl).await;
    schema.plan(&mut conn).await.expect("a plan").apply(&mut conn).await.expect("a protected schema");
    (conn, schema)
}

fn probing(criterion: &mut Criterion) {
    let quick = std::env::args().any(|argument| argument == "--test");
    let tables = if quick { 20 } else { 500 };
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let Some(database) = runtime.block_on(Database::create("rls_probe")) else { return };
    let (mut conn, schema) = runtime.block_on(prepare(&database, tables));
    let pid = sqlx::query_scalar("SELECT pg_backend_pid()");
    let backend = Meter::new(vec![runtime.block_on(pid.fetch_one(&mut conn)).expect("its process")]);
    let (mut by_clock, mut on_processor) = (Vec::new(), Vec::new());
    let mut group = criterion.benchmark_group(format!("rls-migrations, {tables} tables"));
    group.throughput(Throughput::Elements(tables as u64));
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    group.bench_function("probe", |bencher| {
        bencher.iter_custom(|runs| {
            let (before, began) = (backend.read().server, Instant::now());
            for _ in 0..runs {
                let report = runtime.block_on(schema.probe(&mut conn, &Probe::new())).expect("a report");
                assert!(report.rows().len() > tables * 50 && report.is_isolated(), "{report}");
            }
            let (taken, probed) = (began.elapsed(), runs as f64 * tables as f64);
            by_clock.push(taken.as_nanos() as f64 / probed);
            on_processor.push((backend.read().server - before) / probed);
            taken
        });
    });
    group.finish();
    let told = [("a table, in the backend", on_processor), ("a table, by the clock", by_clock)];
    Report::of("rls_probe").tell_rounds("probe of 500 tables", &told);
    runtime.block_on(database.drop());
}

criterion_group!(benches, probing);
criterion_main!(benches);
