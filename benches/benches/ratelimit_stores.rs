//! ratelimit's stores: what travelling together saves.
//!
//! `scripts/bench ratelimit_stores`. Interleaved rounds: checks at the same time against one after the other (Redis), round trips without leases
//! against with (counted, not timed), and processor time of the PostgreSQL backend, one check a statement against a
//! hundred. The last is read from `/proc`, so the server must run on this machine.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot run should stop, and its result is what it prints"
)]

use std::future::Future;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::PgPoolOptions;
use stockade_benches::{Meter, Report};
use stockade_ratelimit::postgres::{PgStore, migrator};
use stockade_ratelimit::redis::RedisStore;
use stockade_ratelimit::store::{
    Ask, Gathered, Intent, Leases, OnStoreError, SharedLimiter, SharedLimiterBuilder, Standing, Store,
};
use stockade_ratelimit::{Cost, Error, FingerprintKey, Key, Rule};

const MINUTE: Duration = Duration::from_secs(60);
const AT_ONCE: usize = 128;
const BATCH: usize = 100;

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("not zero")
}

fn url(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        println!("{name} is not set: scripts/bench ratelimit_stores");
        std::process::exit(1)
    })
}

fn limits<S: Store>(store: S) -> SharedLimiterBuilder<S> {
    SharedLimiter::builder(store, FingerprintKey::new([1; 32]), OnStoreError::Closed)
        .rule(Rule::window("api", number(1_000), MINUTE))
        .deadline(MINUTE)
}

fn key(number: usize) -> Key {
    Key::tenant(number.to_le_bytes())
}

/// Counts the calls that go by.
struct Counted<S>(S, Arc<AtomicU64>);

impl<S: Store> Store for Counted<S> {
    fn decide(
        &self,
        asks: &[Ask],
        cost: u32,
        intent: Intent,
    ) -> impl Future<Output = Result<Vec<Standing>, Error>> + Send {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.decide(asks, cost, intent)
    }

    fn release(&self, charges: &[(Ask, u64)], cost: u32) -> impl Future<Output = Result<(), Error>> + Send {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.release(charges, cost)
    }

    fn surcharge(&self, asks: &[Ask], cost: u32) -> impl Future<Output = Result<(), Error>> + Send {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.surcharge(asks, cost)
    }
}

async fn redis_store() -> RedisStore<redis::aio::MultiplexedConnection> {
    let client = redis::Client::open(url("REDIS_URL")).expect("an address");
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
    let connection = client.get_multiplexed_async_connection_with_config(&config).await.expect("a server");
    RedisStore::new(connection, &format!("bench.{}", std::process::id())).expect("a name")
}

async fn at_once(report: &Report, checks: usize, rounds: usize) {
    let limiter = limits(redis_store().await).build().expect("a limiter");
    let gathered = limits(Gathered::new(redis_store().await, MINUTE)).build().expect("a limiter");
    let (mut serial, mut together, mut in_batches) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let start = Instant::now();
        for check in 0..checks / 8 {
            let _ = limiter.check(&[("api", key(check))], Cost::ONE).await.expect("an answer");
        }
        serial.push((checks / 8) as f64 / start.elapsed().as_secs_f64());

        together.push(many(&limiter, checks).await);
        in_batches.push(many(&gathered, checks).await);
    }
    let told = [("one after the other", serial), ("each its own call", together), ("gathered", in_batches)];
    report.tell_rounds("Redis, 128 checks at once", &told);
}

/// Checks a second of many tasks.
async fn many<S: Store>(limiter: &SharedLimiter<S>, checks: usize) -> f64 {
    let start = Instant::now();
    let tasks: Vec<_> = (0..AT_ONCE)
        .map(|task| {
            let limiter = limiter.clone();
            tokio::spawn(async move {
                for check in 0..checks / AT_ONCE {
                    let _ = limiter.check(&[("api", key(task * 1_000 + check))], Cost::ONE).await.expect("an answer");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a task");
    }
    (checks / AT_ONCE * AT_ONCE) as f64 / start.elapsed().as_secs_f64()
}

async fn leases(report: &Report, checks: u32) {
    let trips = Arc::new(AtomicU64::new(0));
    let store = Counted(redis_store().await, Arc::clone(&trips));
    let builder = SharedLimiter::builder(store, FingerprintKey::new([2; 32]), OnStoreError::Closed);
    let builder = builder.rule(Rule::window("busy", number(100_000), MINUTE)).deadline(MINUTE);
    let tiered = builder.tiered(Leases { processes: number(10), lifetime: Duration::from_secs(2) }).expect("a limiter");
    for _ in 0..checks {
        let decision = tiered.check("busy", &key(1), Cost::ONE).await.expect("an answer");
        assert!(decision.allowed, "within the limit");
    }
    let trips = trips.load(Ordering::Relaxed);
    let told = [("with leases", trips as f64), ("without", f64::from(checks))];
    report.tell("Redis, round trips of 50,000 checks", &told);
}

async fn batches(report: &Report, checks: usize, rounds: usize) {
    let pool = PgPoolOptions::new().max_connections(1).connect(&url("DATABASE_URL")).await.expect("a server");
    migrator().run(&pool).await.expect("a schema");
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&pool).await.expect("a number");
    let backend = Meter::new(vec![pid]);
    let limiter = limits(PgStore::new(pool)).build().expect("a limiter");
    let requests: Vec<_> = (0..BATCH).map(|number| (vec![("api", key(number))], Cost::ONE)).collect();
    let (mut single, mut batch, mut single_time, mut batch_time) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (before, start) = (backend.read().server, Instant::now());
        for check in 0..checks {
            let _ = limiter.check(&[("api", key(check % BATCH))], Cost::ONE).await.expect("an answer");
        }
        let (between, middle) = (backend.read().server, Instant::now());
        for _ in 0..checks / BATCH {
            let _ = limiter.check_batch(&requests).await.expect("answers");
        }
        single_time.push((middle - start).as_nanos() as f64 / checks as f64);
        batch_time.push(middle.elapsed().as_nanos() as f64 / checks as f64);
        single.push((between - before) / checks as f64);
        batch.push((backend.read().server - between) / checks as f64);
    }
    let named = |batch, single| [("a hundred a statement", batch), ("one a statement", single)];
    report.tell_rounds("PostgreSQL, a check in the backend", &named(batch, single));
    report.tell_rounds("PostgreSQL, a check by the clock", &named(batch_time, single_time));
}

fn main() {
    // `cargo test --benches` runs this with `--test`: once, to see that it works.
    let quick = std::env::args().any(|argument| argument == "--test");
    let (checks, rounds) = if quick { (BATCH * 2, 1) } else { (20_000, 5) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let report = Report::of("ratelimit_stores");
        at_once(&report, checks * 4, rounds).await;
        leases(&report, if quick { 200 } else { 50_000 }).await;
        batches(&report, checks, rounds).await;
    });
}
