//! A scoped transaction beside the one that an application would write by hand, and what the guard adds in memory.
//!
//! `scripts/bench tenant_guard`. Each round runs every variant once, in an order that rotates, so that the machine's other load falls
//! on all alike.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_benches::{Database, Report, run};
use stockade_tenant_guard::{
    Actor, LeaseLifetime, LeaseOffice, Principal, Scopes, TenantDb, TenantId, TenantScoped, check_statement,
};
use uuid::Uuid;

const TENANTS: usize = 100;
const QUERY: &str = "SELECT reference, rate_cents FROM guarded WHERE id = $1";
const QUERY_WHERE: &str = "SELECT reference, rate_cents FROM plain WHERE tenant_id = $1 AND id = $2";

type Row = (String, i64);

struct Item(TenantId);

impl TenantScoped for Item {
    fn tenant_id(&self) -> TenantId {
        self.0
    }
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    let report = Report::of("tenant_guard");
    in_memory(&report, if quick { 1 } else { 2_000 });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(on_a_database(&report, if quick { 5 } else { 8_000 }));
}

/// `repetitions` times of a loop of a thousand, per turn.
fn in_memory(report: &Report, repetitions: usize) {
    let tenant = TenantId::new(Uuid::from_u128(7));
    let db = TenantDb::new(runtime_free_pool());
    let items: Vec<Item> = (0..1_000).map(|_| Item(tenant)).collect();
    let sql = "/* loads.list */ SELECT id, reference FROM loads WHERE status = $1 ORDER BY id LIMIT 50";
    let mut told = Vec::new();
    let mut measure = |name: &'static str, work: &dyn Fn()| {
        let times = (0..repetitions).map(|_| nanoseconds(timed(work)) / 1e3);
        told.push((name, times.collect()));
    };
    measure("statement gate", &|| (0..1_000).for_each(|_| seen(check_statement(black_box(sql)))));
    let guard = db.guard(tenant);
    measure("batch guard, an item of a slice", &|| seen(guard.check_batch(black_box(&items))));
    measure("batch guard, an item pushed", &|| {
        let mut batch = guard.batch();
        items.iter().for_each(|item| seen(batch.push(item)));
    });
    measure("a tenant's counters looked up", &|| (0..1_000).for_each(|_| seen(db.guard(black_box(tenant)))));
    report.tell_rounds("in memory", &told);
}

fn runtime_free_pool() -> PgPool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _context = runtime.enter();
    PgPoolOptions::new().connect_lazy("postgres://localhost/none").expect("a pool that never connects")
}

/// A database in which all this has run.
async fn prepared(name: &str, schema: &[&str]) -> Option<Database> {
    let database = Database::create(name).await?;
    let mut connection = database.open().await;
    for statements in schema.iter().chain(&["VACUUM ANALYZE"]) {
        run(&mut connection, statements).await;
    }
    Some(database)
}

async fn on_a_database(report: &Report, rounds: usize) {
    let (tables, leases) = (include_str!("tenant_guard/schema.sql"), include_str!("tenant_guard/lease.sql"));
    let Some(plain) = prepared("tenant_guard", &[tables]).await else { return };
    let Some(leased) = prepared("tenant_guard_lease", &[tables, leases]).await else { return };

    let application = |database: &Database| pool(&database.options().clone().username("tenant_guard_bench"));
    let by_hand = application(&plain);
    let settings = TenantDb::new(application(&plain));
    // The owner mints here: what is measured is the reader's side.
    let office = LeaseOffice::new(pool(leased.options()), LeaseLifetime::default());
    let lease = TenantDb::new(application(&leased)).with_lease(office.clone());
    let actor = Actor::new(Uuid::from_u128(9)).with_scopes(Scopes::try_from("2101").expect("scopes"));

    let names = [
        "BEGIN, query with WHERE, COMMIT by hand",
        "set_config in a trip of its own",
        "scope",
        "scope with an actor",
        "scope with a lease",
    ];
    let mut times = [const { Vec::new() }; 5];
    for round in 0..rounds + TENANTS {
        let tenant = Uuid::parse_str(&format!("{:032}", round % TENANTS + 1)).expect("a tenant");
        let id = i64::try_from(round % 1_000 + 1).expect("an id");
        let (of, acting) = (TenantId::new(tenant), Principal::new(TenantId::new(tenant), actor.clone()));
        for turn in 0..5 {
            let variant = (round + turn) % 5;
            let began = Instant::now();
            let row = match variant {
                0 => hand_written(&by_hand, tenant, id).await,
                1 => set_config(&by_hand, tenant, id).await,
                2 => scoped(&settings, of.into(), id).await,
                3 => scoped(&settings, acting.clone(), id).await,
                _ => scoped(&lease, of.into(), id).await,
            };
            let took = began.elapsed();
            assert_eq!(row.1, id * 100);
            // The first rounds prepare statements and mint leases.
            if let (true, Some(times)) = (round >= TENANTS, times.get_mut(variant)) {
                times.push(nanoseconds(took));
            }
        }
    }
    let told: Vec<_> = names.into_iter().zip(times).collect();
    report.tell_rounds("a transaction with one query", &told);

    drop((by_hand, settings, lease, office));
    for database in [plain, leased] {
        database.drop().await;
    }
}

fn pool(options: &PgConnectOptions) -> PgPool {
    PgPoolOptions::new().max_connections(1).test_before_acquire(false).connect_lazy_with(options.clone())
}

async fn hand_written(pool: &PgPool, tenant: Uuid, id: i64) -> Row {
    let mut tx = pool.begin().await.expect("begun");
    let row = sqlx::query_as(QUERY_WHERE).bind(tenant).bind(id).fetch_one(&mut *tx).await.expect("a row");
    tx.commit().await.expect("committed");
    row
}

async fn set_config(pool: &PgPool, tenant: Uuid, id: i64) -> Row {
    let mut tx = pool.begin().await.expect("begun");
    let context = sqlx::query("SELECT set_config('stockade.tenant_id', $1, true)").bind(tenant.to_string());
    context.execute(&mut *tx).await.expect("a context");
    let row = sqlx::query_as(QUERY).bind(id).fetch_one(&mut *tx).await.expect("a row");
    tx.commit().await.expect("committed");
    row
}

async fn scoped(db: &TenantDb, principal: Principal, id: i64) -> Row {
    let mut tx = db.begin(principal).await.expect("begun");
    let row = sqlx::query_as(QUERY).bind(id).fetch_one(&mut tx).await.expect("a row");
    tx.commit().await.expect("committed");
    row
}

fn seen<T>(result: T) {
    black_box(result);
}

fn timed(work: &dyn Fn()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_nanos() as f64
}
