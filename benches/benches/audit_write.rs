//! What an audit entry costs its writer.
//!
//! `scripts/bench audit_write`. Interleaved rounds on one server, whose disk answers every commit: a transaction with an entry against the same with an
//! unchained row and against the same with none, the appender against plain inserts, strict transactions against the chain that
//! everybody writes first (`SELECT .. FOR UPDATE` of the head), and how long an entry waits for its link. Client and server share
//! the machine. `ROUNDS` (5) and `SECONDS` (1) change how much is measured.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};
use stockade_audit_chain::postgres::{Appender, SealEvent, Sealer, StrictTransaction, migrator, record};
use stockade_audit_chain::{Actor, Entry, TenantId};
use stockade_benches::{Database, Meter, Report};
use tokio::sync::oneshot;
use uuid::Uuid;

const CONNECTIONS: u64 = 32;
/// Where every transaction has work of its own: few enough that two processors are not busy, because the question is what
/// writers wait for.
const THINKING: u64 = 8;
const SCHEMA: &str = "
    DO $$ BEGIN CREATE ROLE bench_app LOGIN IN ROLE stockade_app; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
    DO $$ BEGIN CREATE ROLE bench_sealer LOGIN IN ROLE stockade_sealer; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
    DO $$ BEGIN CREATE ROLE bench_appender LOGIN IN ROLE stockade_appender; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
    CREATE TABLE loads (id int PRIMARY KEY, rate int NOT NULL);
    INSERT INTO loads SELECT n, 0 FROM generate_series(0, 19999) n;
    CREATE TABLE plain_audit (
        entry_id uuid PRIMARY KEY, tenant_id uuid NOT NULL, recorded_at timestamptz NOT NULL, actor text NOT NULL,
        action text NOT NULL, entity_type text, entity_id text, before json, after json);
    CREATE INDEX ON plain_audit (tenant_id, recorded_at, entry_id);
    CREATE INDEX ON plain_audit (tenant_id, actor, recorded_at, entry_id);
    CREATE INDEX ON plain_audit (tenant_id, entity_type, entity_id, recorded_at, entry_id);
    CREATE INDEX ON plain_audit (tenant_id, action, recorded_at, entry_id);
    CREATE TABLE naive_head (tenant_id uuid PRIMARY KEY, seq bigint NOT NULL, hash bytea NOT NULL);
    CREATE TABLE naive_audit (LIKE plain_audit INCLUDING ALL, seq bigint NOT NULL, hash bytea NOT NULL, UNIQUE (tenant_id, seq));
    GRANT ALL ON loads, plain_audit, naive_head, naive_audit TO bench_app;";

/// What one turn of a writer is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Turn {
    /// The change, without any audit.
    Bare,
    /// The change and an unchained row.
    Unchained,
    /// The change and an entry.
    Recorded,
    /// An unchained row, in no transaction.
    PlainInsert,
    /// An entry that is linked at commit.
    Strict,
    /// A link to the head that was locked for it.
    Naive,
}

impl Turn {
    /// As `bars.toml` has it.
    const fn name(self) -> &'static str {
        match self {
            Self::Bare => "without audit",
            Self::Unchained => "with an unchained row",
            Self::Recorded => "with an entry",
            Self::PlainInsert => "one insert a commit",
            Self::Strict => "StrictTransaction",
            Self::Naive => "naive chain, head locked FOR UPDATE",
        }
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

fn tenant(number: u64) -> TenantId {
    Uuid::from_u128(u128::from(number) + 1).into()
}

fn entry(tenant: TenantId, n: u64) -> Entry {
    Entry::new(tenant, Actor::user(format!("user-{}", n % 50)), "load.update")
        .entity("load", n)
        .before(
            json!({ "rate_cents": 120_000, "status": "booked", "customer": "Harbor Foods", "note": "n".repeat(120) }),
        )
        .after(json!({ "rate_cents": n, "status": "in transit", "customer": "Harbor Foods", "note": "n".repeat(120) }))
}

async fn plain(connection: &mut PgConnection, sql: &'static str, tenant: TenantId, n: u64) -> Result<(), sqlx::Error> {
    let (before, after) = (
        json!({ "rate_cents": 120_000, "note": "n".repeat(150) }),
        json!({ "rate_cents": n, "note": "n".repeat(150) }),
    );
    let now = Utc::now();
    // By time, as an entry's is.
    let id = (u128::from(now.timestamp_millis().unsigned_abs()) << 80) | u128::from(RandomState::new().hash_one(n));
    let id = Uuid::from_u128(id);
    let query = sqlx::query(sql).bind(id).bind(Uuid::from(tenant)).bind(now).bind(format!("user-{}", n % 50));
    query.bind(n.to_string()).bind(before.to_string()).bind(after.to_string()).execute(connection).await.map(|_| ())
}

const PLAIN: &str =
    "INSERT INTO plain_audit VALUES ($1, $2, $3, $4, 'load.update', 'load', $5, $6::text::json, $7::text::json)";
const NAIVE: &str = "WITH head AS (UPDATE naive_head SET seq = seq + 1, hash = sha256(hash || convert_to($7, 'UTF8'))
        WHERE tenant_id = $2 RETURNING seq, hash)
    INSERT INTO naive_audit SELECT $1, $2, $3, $4, 'load.update', 'load', $5, $6::text::json, $7::text::json, seq, hash FROM head";

async fn change(connection: &mut PgConnection, n: u64, work: Duration) -> Result<(), sqlx::Error> {
    let id = i32::try_from(n.wrapping_mul(2_654_435_761) % 20_000).expect("small");
    sqlx::query("UPDATE loads SET rate = rate + 1 WHERE id = $1").bind(id).execute(connection).await?;
    if !work.is_zero() {
        tokio::time::sleep(work).await;
    }
    Ok(())
}

async fn take_turn(connection: &mut PgConnection, turn: Turn, tenant: TenantId, n: u64, work: Duration) {
    let enter = sqlx::query("SELECT set_config('stockade.tenant_id', $1, true)").bind(tenant.to_string());
    match turn {
        Turn::PlainInsert => plain(connection, PLAIN, tenant, n).await.expect("a row"),
        Turn::Strict => {
            let mut tx = StrictTransaction::begin(connection).await.expect("a transaction");
            enter.execute(&mut *tx).await.expect("a context");
            tx.commit(&[entry(tenant, n)]).await.expect("a link");
        }
        Turn::Naive => {
            let mut tx = connection.begin().await.expect("a transaction");
            enter.execute(&mut *tx).await.expect("a context");
            let lock =
                sqlx::query("SELECT hash FROM naive_head WHERE tenant_id = $1 FOR UPDATE").bind(Uuid::from(tenant));
            lock.execute(&mut *tx).await.expect("a head");
            plain(&mut tx, NAIVE, tenant, n).await.expect("a link");
            tx.commit().await.expect("a commit");
        }
        Turn::Bare | Turn::Unchained | Turn::Recorded => {
            let mut tx = connection.begin().await.expect("a transaction");
            enter.execute(&mut *tx).await.expect("a context");
            change(&mut tx, n, work).await.expect("a change");
            match turn {
                Turn::Unchained => plain(&mut tx, PLAIN, tenant, n).await.expect("a row"),
                Turn::Recorded => drop(record(&mut *tx, &entry(tenant, n)).await.expect("an entry")),
                _ => {}
            }
            tx.commit().await.expect("a commit");
        }
    }
}

/// What all writers did together.
struct Round {
    turns_a_second: f64,
    /// The processor time of a turn in the server, in nanoseconds. Neighbours on the machine disturb it less.
    backend: f64,
}

struct Bench {
    database: Database,
    admin: PgPool,
    seconds: Duration,
    rounds: u64,
    report: Report,
}

impl Bench {
    fn login(&self, role: &str) -> PgConnectOptions {
        self.database.options().clone().username(role)
    }

    /// The processor time of the application's backends, in nanoseconds, as far as it can be read.
    async fn backends(&self) -> f64 {
        let of_the_application = "SELECT pid FROM pg_stat_activity WHERE usename = 'bench_app'";
        let pids: Vec<i32> = sqlx::query_scalar(of_the_application).fetch_all(&self.admin).await.expect("the backends");
        Meter::new(pids).read().server
    }

    /// What all connections together do.
    async fn rate(&self, turn: Turn, tenants: u64, work: Duration) -> Round {
        let writers = if work.is_zero() { CONNECTIONS } else { THINKING };
        let mut connections = Vec::new();
        for writer in 0..writers {
            let mut connection = PgConnection::connect_with(&self.login("bench_app")).await.expect("a connection");
            // An application's connections are warm: caches are filled, and the sixth use of a statement settles its plan.
            for turns in 0..6 {
                let n = writer * 1_000_000 + 900_000 + turns;
                take_turn(&mut connection, turn, tenant(writer % tenants), n, Duration::ZERO).await;
            }
            connections.push(connection);
        }
        let before = self.backends().await;
        let (start, seconds) = (Instant::now(), self.seconds);
        let writers: Vec<_> = (0..writers)
            .zip(connections)
            .map(|(writer, mut connection)| {
                tokio::spawn(async move {
                    let mut turns = 0;
                    while start.elapsed() < seconds {
                        take_turn(&mut connection, turn, tenant(writer % tenants), writer * 1_000_000 + turns, work)
                            .await;
                        turns += 1;
                    }
                    (turns, connection)
                })
            })
            .collect();
        let (mut turns, mut open) = (0, Vec::new());
        for writer in writers {
            let (taken, connection) = writer.await.expect("a writer");
            turns += taken;
            open.push(connection);
        }
        let turns_a_second = turns as f64 / start.elapsed().as_secs_f64();
        let backend = (self.backends().await - before) / turns as f64;
        drop(open);
        self.drained().await;
        Round { turns_a_second, backend }
    }

    /// Entries a second through the appender.
    async fn appended(&self, producers: u64) -> f64 {
        let pool =
            PgPoolOptions::new().max_connections(1).connect_with(self.login("bench_appender")).await.expect("a pool");
        let (appender, work) = Appender::new(pool, NonZeroU32::new(16 << 20).expect("not zero"));
        let work = tokio::spawn(work);
        let (start, seconds) = (Instant::now(), self.seconds);
        let producers: Vec<_> = (0..producers)
            .map(|_| {
                let appender = appender.clone();
                tokio::spawn(async move {
                    let mut appended = 0;
                    while start.elapsed() < seconds {
                        appender.append(&entry(tenant(0), appended)).await.expect("a receipt");
                        appended += 1;
                    }
                    appended
                })
            })
            .collect();
        let mut appended = 0;
        for producer in producers {
            appended += producer.await.expect("a producer");
        }
        let rate = appended as f64 / start.elapsed().as_secs_f64();
        drop(appender);
        work.await.expect("the end");
        rate
    }

    /// Nothing waits to be sealed, so that no round pays for the one before.
    async fn drained(&self) {
        let waiting = "SELECT count(*) FROM stockade.audit_unsealed";
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&self.admin).await.expect("a count") > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Interleaved rounds.
    async fn compare(&self, group: &str, ours: Turn, theirs: Turn, tenants: u64, work: Duration) {
        let (mut mine, mut peer) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            peer.push(self.rate(theirs, tenants, work).await);
            mine.push(self.rate(ours, tenants, work).await);
        }
        let told = |of: fn(&Round) -> f64| {
            [(ours.name(), mine.iter().map(of).collect()), (theirs.name(), peer.iter().map(of).collect())]
        };
        self.report.tell_rounds(group, &told(|round| round.turns_a_second));
        self.report.tell_rounds(&format!("{group}, in the backend"), &told(|round| round.backend));
    }
}

/// When how many entries in all had been sealed.
type Progress = Arc<Mutex<Vec<(DateTime<Utc>, u64)>>>;

/// How long entries of the first tenant waited, in nanoseconds: the median and the 99th of a hundred.
async fn waits(bench: &Bench, from: i64, progress: &[(DateTime<Utc>, u64)]) -> (f64, f64) {
    let sql = "SELECT e.recorded_at FROM stockade.audit_link l JOIN stockade.audit_entry e USING (entry_id)
        WHERE l.tenant_id = $1 AND l.seq > $2 ORDER BY l.seq";
    let recorded: Vec<DateTime<Utc>> =
        sqlx::query_scalar(sql).bind(Uuid::from(tenant(0))).bind(from).fetch_all(&bench.admin).await.expect("links");
    let mut waits: Vec<f64> = (1_u64..)
        .zip(recorded)
        .filter_map(|(place, recorded)| {
            let sealed = progress.iter().find(|(_, sealed)| *sealed >= place)?.0;
            Some((sealed - recorded).as_seconds_f64() * 1e9)
        })
        .collect();
    waits.sort_by(f64::total_cmp);
    let at = |part: usize| waits.get(waits.len() * part / 100).copied().unwrap_or(f64::NAN);
    (at(50), at(99))
}

#[tokio::main]
async fn main() {
    let Some(database) = Database::create("audit_write").await else { return };
    let admin = PgPoolOptions::new().max_connections(2).connect_with(database.options().clone()).await.expect("a pool");
    migrator().run(&admin).await.expect("the tables");
    sqlx::raw_sql(SCHEMA).execute(&admin).await.expect("the tables beside");
    let heads =
        "INSERT INTO naive_head SELECT ('00000000-0000-0000-0000-' || lpad(to_hex(n), 12, '0'))::uuid, 0, sha256('')
        FROM generate_series(1, 32) n";
    sqlx::raw_sql(heads).execute(&admin).await.expect("heads");
    let quick = std::env::args().any(|argument| argument == "--test");
    let seconds = if quick { Duration::from_millis(50) } else { Duration::from_secs(number("SECONDS", 1)) };
    let rounds = if quick { 1 } else { number("ROUNDS", 5) };
    let bench = Bench { database, admin, seconds, rounds, report: Report::of("audit_write") };

    let progress = Progress::default();
    let (stop, stopped) = oneshot::channel::<()>();
    let (sealer_options, noted) = (bench.login("bench_sealer"), progress.clone());
    let sealing = tokio::spawn(async move {
        let mut total = 0;
        let observe = |event: SealEvent<'_>| {
            if let SealEvent::Sealed(sealed) = event
                && sealed.entries > 0
            {
                total += sealed.entries;
                noted.lock().expect("not poisoned").push((Utc::now(), total));
            }
        };
        Sealer::new().run(&sealer_options, async { drop(stopped.await) }, observe).await;
    });

    let (none, work) = (Duration::ZERO, Duration::from_millis(5));
    let mark = || progress.lock().expect("not poisoned").last().map_or(0, |(_, sealed)| *sealed);
    bench.rate(Turn::Recorded, 1, none).await; // the caches
    let before = mark();
    let from: i64 =
        sqlx::query_scalar("SELECT seq FROM stockade.audit_head").fetch_one(&bench.admin).await.expect("a head");
    bench.compare("a transaction, 1 tenant", Turn::Recorded, Turn::Unchained, 1, none).await;
    let seen: Vec<_> = progress
        .lock()
        .expect("not poisoned")
        .iter()
        .filter(|(_, sealed)| *sealed > before)
        .map(|(at, sealed)| (*at, sealed - before))
        .collect();
    let (p50, p99) = waits(&bench, from, &seen).await;
    let waited = [("median", p50), ("99th percentile", p99)];
    bench.report.tell("wait for the link, 1 tenant, under that load", &waited);
    bench.compare("a transaction, 32 tenants", Turn::Recorded, Turn::Unchained, 32, none).await;
    bench.compare("a transaction with 5 ms of work", Turn::Recorded, Turn::Bare, 1, work).await;
    bench.compare("a linked transaction, 1 tenant", Turn::Strict, Turn::Naive, 1, none).await;

    // First beside the sealer, which takes a part of the machine and which plain inserts do without; then without it.
    let (mut plain, mut sealed) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        plain.push(bench.rate(Turn::PlainInsert, 1, none).await.turns_a_second);
        sealed.push(bench.appended(256).await);
        bench.drained().await;
    }
    let told = [("appender", sealed), (Turn::PlainInsert.name(), plain)];
    bench.report.tell_rounds("256 producers, sealer at work", &told);
    let _ = stop.send(());
    sealing.await.expect("the sealer's end");
    let (mut plain, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        // The queue grows, and `rate` waits for an empty one.
        alone.push(bench.appended(256).await);
        sqlx::raw_sql("ALTER TABLE stockade.audit_unsealed DISABLE TRIGGER USER; TRUNCATE stockade.audit_unsealed")
            .execute(&bench.admin)
            .await
            .expect("an empty queue");
        plain.push(bench.rate(Turn::PlainInsert, 1, none).await.turns_a_second);
    }
    bench.report.tell_rounds("256 producers", &[("appender", alone), (Turn::PlainInsert.name(), plain)]);
    bench.database.drop().await;
}
