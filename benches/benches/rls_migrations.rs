//! rls-migrations: planning a schema of 500 tables, beside one round trip to the same server.
//!
//! `scripts/bench rls_migrations`.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]

use std::fmt::Write as _;

use criterion::{Criterion, criterion_group, criterion_main};
use sqlx::{Connection, PgConnection};
use stockade_benches::{Database, Report, Times, run};
use stockade_rls_migrations::{Roles, Schema, by, date, parent, periods};
use tokio::runtime::{Builder, Runtime};

const TABLES: usize = 500;

/// 500 tables: each tenth is append-only, another tenth has a period guard, three tenths hang from another table.
fn declaration() -> (String, Schema) {
    let mut sql = "CREATE SCHEMA bench;
        CREATE TABLE bench.period (tenant_id uuid NOT NULL, ends_on date, closed_at timestamptz);"
        .to_owned();
    let mut schema = Schema::new("bench", Roles::for_app("rls_bench")).tenant_table("period", by("tenant_id"));
    for number in 1..TABLES {
        let table = format!("table_{number}");
        write!(
            sql,
            "CREATE TABLE bench.{table} (tenant_id uuid NOT NULL, id uuid NOT NULL, parent_id uuid, reference text,
               day date, amount numeric, note text, state text, created_at timestamptz, changed_at timestamptz,
               PRIMARY KEY (tenant_id, id));
             CREATE INDEX ON bench.{table} (tenant_id, created_at);"
        )
        .expect("a string takes it");
        schema = match number % 10 {
            0 => schema.append_only(&table),
            1 => {
                let guarded = schema.tenant_table(&table, by("tenant_id"));
                guarded.period_guard(&table, date("day"), periods("period"))
            }
            2..=4 => {
                let above = parent(format!("table_{}", number - number % 10 + 1)).on("parent_id", "id");
                schema.tenant_table_via(&table, by("tenant_id"), above)
            }
            5 => schema.unique_per_tenant(&table, ["reference"]),
            _ => schema.tenant_table(&table, by("tenant_id")),
        };
    }
    (sql, schema)
}

/// A database of its own with the tables in it.
struct World {
    runtime: Runtime,
    database: Database,
    conn: PgConnection,
    schema: Schema,
}

impl World {
    fn new() -> Option<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let database = runtime.block_on(Database::create("rls_migrations"))?;
        let (sql, schema) = declaration();
        let mut conn = runtime.block_on(database.open());
        runtime.block_on(run(&mut conn, &sql));
        Some(Self { runtime, database, conn, schema })
    }

    fn statements(&mut self) -> usize {
        self.runtime.block_on(self.schema.plan(&mut self.conn)).expect("a plan").up().len()
    }
}

fn plan_500_tables(criterion: &mut Criterion) {
    let Some(mut world) = World::new() else { return };
    let times = Times::default();
    let mut group = criterion.benchmark_group("plan_500_tables");
    group.sample_size(10);
    group.bench_function("round trip floor", |bencher| {
        let mut once = || world.runtime.block_on(world.conn.ping()).expect("a round trip");
        bencher.iter_custom(|runs| times.of("one round trip to the server", runs, &mut once));
    });
    assert!(world.statements() > TABLES);
    group.bench_function("first plan", |bencher| {
        bencher.iter_custom(|runs| times.of("the first", runs, || world.statements()));
    });
    let plan = world.runtime.block_on(world.schema.plan(&mut world.conn)).expect("a plan");
    world.runtime.block_on(plan.apply(&mut world.conn)).expect("the plan is applied");
    assert_eq!(world.statements(), 0);
    group.bench_function("nothing to do", |bencher| {
        bencher.iter_custom(|runs| times.of("with nothing to do", runs, || world.statements()));
    });
    group.finish();
    times.tell(&Report::of("rls_migrations"), "plan of 500 tables");
    world.runtime.block_on(world.database.drop());
}

criterion_group!(benches, plan_500_tables);
criterion_main!(benches);
