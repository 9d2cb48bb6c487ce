//! session's check beside a bare primary-key select and beside what is usual.
//!
//! `scripts/bench session_check`. 100,000 sessions of 20,000 users, 2,000 of
//! them in use, eight connections, client and server on one machine. Interleaved rounds, by requests a second and by the
//! processor time of the client and the server's backends together, which says something on a busy machine too. `ROUNDS` (15) and `MILLISECONDS` (1000) change how much is measured. axum-login's shape is written out as its two
//! statements, and tower-sessions' as the upsert of its store, because tower-sessions-sqlx-store 0.15 does not build with sqlx 0.9.
//! Without `STOCKADE_DURABLE`, nothing waits for the disk, which flatters what writes each time. `Cached` is the look-up through
//! `redis::CachedStore` (`REDIS_URL`), each answer at most five seconds old; the processor time of Redis is not counted.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot run should stop, and its result is what it prints"
)]

mod requests;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{Executor, PgConnection, postgres::PgPoolOptions, query, query_scalar};
use stockade_benches::{Database, Meter, Report, Spent, median};
use stockade_session::{
    Argon2Params, Auth, ClientInfo, HashPool, HashPoolConfig, KeyRing, NewAccount, Scope, Step, Store, TenantId,
    UserId,
    postgres::{PgStore, migrator},
    redis::{CachedStore, Staleness},
    store::Digest,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use self::requests::{Desk, InUse, REQUESTS, Request};

const CONNECTIONS: u32 = 8;
const IN_USE: usize = 2_000;

// The account and the sessions that are not in use, the tables of the peers, and when each session of ours was seen last: spread over
// the minute within which a use is not recorded again, as in a server that has been up for longer.
const FILL: &str = "
    INSERT INTO stockade.auth_account (user_id, tenant_id, identifier, password_hash)
    SELECT md5('user' || n)::uuid, md5('tenant' || n % 50)::uuid, 'user' || n, 'none' FROM generate_series(1, 20000) n;
    INSERT INTO stockade.auth_session (sid, digest, user_id, tenant_id, user_version, tenant_version, global_version, assurance,
        authenticated_at, last_seen_at, idle_seconds, expires_at, ip)
    SELECT md5('sid' || n)::uuid, sha256(('digest' || n)::bytea), md5('user' || 1 + n % 20000)::uuid, md5('tenant' || n % 50)::uuid, 0, 0, 0,
        'password', now(), now(), 1800, now() + interval '12 hours', '203.0.113.7' FROM generate_series(1, 98000) n;
    UPDATE stockade.auth_session SET last_seen_at = now() - random() * interval '60 seconds';
    CREATE TABLE bare (id uuid PRIMARY KEY, user_id uuid NOT NULL, expires_at timestamptz NOT NULL);
    INSERT INTO bare SELECT sid, user_id, expires_at FROM stockade.auth_session;
    CREATE TABLE login_user (id uuid PRIMARY KEY, name text NOT NULL, password_hash text NOT NULL);
    INSERT INTO login_user SELECT user_id, identifier, password_hash FROM stockade.auth_account;
    CREATE TABLE login_session (id text PRIMARY KEY, data bytea NOT NULL, expiry_date timestamptz NOT NULL);
    INSERT INTO login_session SELECT sid::text, sha256(digest) || sha256(sha256(digest)), expires_at FROM stockade.auth_session;
    GRANT ALL ON bare, login_user, login_session TO bench_session;
    VACUUM ANALYZE";

/// What one request costs.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// Requests a second.
    rate: f64,
    /// Processor time of a request.
    spent: Spent,
}

struct Bench {
    desk: Desk,
    meter: Meter,
}

impl Bench {
    /// Eight at once, for so long.
    async fn cost(self: &Arc<Self>, request: Request, time: Duration) -> Cost {
        let (before, began, count) = (self.meter.read(), Instant::now(), Arc::new(AtomicU64::new(0)));
        let mut tasks = JoinSet::new();
        for task in 0..CONNECTIONS as usize {
            let (bench, count) = (Arc::clone(self), Arc::clone(&count));
            tasks.spawn(async move {
                let mut number = task * 7_919;
                while began.elapsed() < time {
                    bench.desk.request(request, number).await;
                    number += 1;
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        tasks.join_all().await;
        let (spent, count) = (self.meter.read() - before, count.load(Ordering::Relaxed) as f64);
        let spent = Spent { client: spent.client / count, server: spent.server / count };
        Cost { rate: count / began.elapsed().as_secs_f64(), spent }
    }

    /// Bytes of log that this pool has written (PostgreSQL 18), or that the server has.
    async fn log(&self) -> f64 {
        let own: bool = query_scalar("SELECT current_setting('server_version_num')::int >= 180000")
            .fetch_one(&self.desk.pool)
            .await
            .expect("a version");
        // Statistics of a backend are flushed once a second.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let sql = match own {
            true => {
                "SELECT coalesce(sum(w.wal_bytes), 0)::float8 FROM pg_stat_activity a, pg_stat_get_backend_wal(a.pid) w
                 WHERE a.usename = 'bench_session'"
            }
            false => "SELECT (pg_current_wal_insert_lsn() - '0/0')::float8",
        };
        for _ in 0..CONNECTIONS {
            self.desk.pool.execute("SELECT 1").await.expect("a connection");
        }
        query_scalar(sql).fetch_one(&self.desk.pool).await.expect("a number")
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

async fn prepare(database: &Database, in_use: usize) -> Arc<Bench> {
    let mut admin = database.open().await;
    migrator().run(&mut admin).await.expect("a schema");
    for grant in [
        "DO $$ BEGIN CREATE ROLE bench_session LOGIN IN ROLE stockade_auth; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        "GRANT stockade_auth TO bench_session",
        "GRANT pg_read_all_stats TO bench_session",
    ] {
        admin.execute(grant).await.expect("a role");
    }
    let pool = PgPoolOptions::new().min_connections(CONNECTIONS).max_connections(CONNECTIONS);
    let pool = pool.connect_with(database.options().clone().username("bench_session")).await.expect("connections");

    let one = std::num::NonZeroUsize::MIN;
    let hashes = HashPoolConfig { params: Argon2Params::dangerously_weak(), workers: one, queue: 64 };
    let mut key = [0_u8; 32];
    getrandom::fill(&mut key).expect("random numbers");
    let store = PgStore::new(pool.clone());
    let keys = KeyRing::single(1, key).expect("a key");
    let redis = redis::Client::open(std::env::var("REDIS_URL").expect("REDIS_URL")).expect("an address");
    let redis = redis.get_multiplexed_async_connection().await.expect("a server");
    let namespace = format!("bench.{}", std::process::id());
    let cached = CachedStore::new(store.clone(), redis, &keys, &namespace, Staleness::default()).expect("a cache");
    let auth = Auth::builder(store.clone(), keys);
    let auth = auth.hash_pool(HashPool::new(hashes).expect("threads")).build().expect("an auth");
    let (user, tenant) = (UserId::from(Uuid::from_u128(1)), TenantId::from(Uuid::from_u128(2)));
    let new = NewAccount { user, tenant, identifier: "ana" };
    auth.accounts().create(new, "correct horse battery".into()).await.expect("an account");
    let client = ClientInfo { ip: [203, 0, 113, 7].into(), user_agent: None };
    let mut sessions = Vec::new();
    for _ in 0..in_use {
        let flow = auth.begin("ana", &client).await.expect("a flow");
        let Step::Done(flow) = flow.verify_password("correct horse battery".into()).await.expect("an answer") else {
            continue;
        };
        let issued = auth.issue(flow).await.expect("a session");
        let token = issued.token().expose().parse().expect("a token");
        let sid = issued.session().sid.as_uuid();
        let digest = "SELECT digest FROM stockade.auth_session WHERE sid = $1";
        let digest: Vec<u8> = query_scalar(digest).bind(sid).fetch_one(&mut admin).await.expect("a digest");
        let digest = Digest::from(<[u8; 32]>::try_from(digest).expect("32 bytes"));
        sessions.push(InUse { token, digest, sid, user: user.as_uuid() });
    }
    for statement in FILL.split(';') {
        admin.execute(statement).await.expect("rows");
    }
    let pids = "SELECT pid FROM pg_stat_activity WHERE usename = 'bench_session' AND datname = current_database()";
    let meter = Meter::new(query_scalar(pids).fetch_all(&mut admin).await.expect("the backends"));
    Arc::new(Bench { desk: Desk { pool, store, cached, auth, sessions }, meter })
}

async fn checks(report: &Report, bench: &Arc<Bench>, rounds: u64, time: Duration) {
    let mut costs = vec![Vec::new(); REQUESTS.len()];
    for round in 0..rounds {
        let mut turns: Vec<_> = REQUESTS.iter().zip(&mut costs).collect();
        let first = usize::try_from(round).expect("small") % turns.len();
        turns.rotate_left(first);
        for (request, costs) in turns {
            costs.push(bench.cost(*request, time).await);
        }
    }
    println!(
        "\nmedians of {rounds} rounds: requests a second; microseconds of processor time of the client and of the server"
    );
    for (request, costs) in REQUESTS.iter().zip(&costs) {
        let of = |value: fn(&Cost) -> f64| median(costs.iter().map(value).collect());
        let (client, server) = (of(|cost| cost.spent.client / 1e3), of(|cost| cost.spent.server / 1e3));
        println!("  {:<32} {:>8.0} {client:>8.1} {server:>8.1}", request.name(), of(|cost| cost.rate));
    }
    let told = |of: fn(&Cost) -> f64| -> Vec<_> {
        let rounds = costs.iter().map(|costs| costs.iter().map(of).collect());
        REQUESTS.iter().map(|request| request.name()).zip(rounds).collect()
    };
    report.tell_rounds("one request", &told(|cost| cost.rate));
    report.tell_rounds("one request, processor time", &told(|cost| cost.spent.total()));

    let began = bench.log().await;
    let rate = bench.cost(Request::Check, time * 10).await.rate;
    // Of the whole server before PostgreSQL 18.
    let bytes = (bench.log().await - began) / (rate * time.as_secs_f64() * 10.0);
    report.tell("one request, write-ahead log", &[("check", bytes)]);
}

/// Everything of a user, with one session and with all that there are.
async fn revocations(report: &Report, bench: &Bench, admin: &mut PgConnection, times: usize) {
    let lonely: Uuid = query_scalar("SELECT md5('user20000')::uuid").fetch_one(&mut *admin).await.expect("an id");
    let busy = Uuid::from_u128(1);
    let move_all = "UPDATE stockade.auth_session SET user_id = $1 WHERE user_id <> $2";
    query(move_all).bind(busy).bind(lonely).execute(&mut *admin).await.expect("rows");
    admin.execute("VACUUM ANALYZE stockade.auth_session").await.expect("statistics");
    let count = "SELECT count(*) FROM stockade.auth_session WHERE user_id = $1";
    let of_busy: i64 = query_scalar(count).bind(busy).fetch_one(&mut *admin).await.expect("a count");
    let of_lonely: i64 = query_scalar(count).bind(lonely).fetch_one(&mut *admin).await.expect("a count");
    let (mut one, mut many) = (Vec::new(), Vec::new());
    for _ in 0..times {
        for (user, taken) in [(lonely, &mut one), (busy, &mut many)] {
            let began = Instant::now();
            bench.desk.store.bump_version(Scope::User(user.into())).await.expect("an answer");
            taken.push(began.elapsed().as_nanos() as f64);
        }
    }
    println!("\nsessions of the two users: {of_lonely} and {of_busy}");
    report.tell_rounds("end everything of a user", &[("with 100,000 sessions", many), ("with a few", one)]);
}

#[tokio::main]
async fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    let (rounds, time) = if quick { (1, 50) } else { (number("ROUNDS", 15), number("MILLISECONDS", 1_000)) };
    let Some(database) = Database::create("session_check").await else { return };
    let bench = prepare(&database, if quick { 20 } else { IN_USE }).await;
    let report = Report::of("session_check");
    checks(&report, &bench, rounds, Duration::from_millis(time)).await;
    revocations(&report, &bench, &mut database.open().await, if quick { 2 } else { 500 }).await;
    bench.desk.pool.close().await;
    database.drop().await;
}
