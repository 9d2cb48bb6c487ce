//! What policies, leases and period guards of rls-migrations cost, beside a hand-written `WHERE` and a table without the guard.
//!
//! `scripts/bench rls_guards`. A round runs a block of every variant, in an order that rotates, so that the machine's other load falls on all alike. The time is the backend's time on a processor
//! (`/proc/<pid>/schedstat`) where that can be read, and the client's clock otherwise; the ratio to read is between medians of one run.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]

use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::PgConnection;
use stockade_benches::{Database, Report, run};
use stockade_rls_migrations::{Context, Roles, Schema, by, date, periods};

const TENANT: &str = "00000000-0000-0000-0000-000000000001";
const APP: &str = "rls_bench_app";

/// One kind of work: the same rows, found by hand and found by policy. `$1` is a number; by hand, `$2` is the tenant.
struct Work {
    name: &'static str,
    by_hand: &'static str,
    by_policy: &'static str,
    /// Statements in a block, and what the number counts up to.
    block: u32,
    highest: u32,
    /// What the superuser does before a block that writes.
    before: &'static str,
}

const READS: [Work; 4] = [
    Work {
        name: "point read",
        by_hand: "SELECT cents FROM bench.items WHERE tenant_id = $2 AND id = $1",
        by_policy: "SELECT cents FROM bench.items WHERE id = $1",
        block: 500,
        highest: 10_000,
        before: "",
    },
    Work {
        name: "list of 100",
        by_hand: "SELECT id, cents, name FROM bench.items WHERE tenant_id = $2 AND id > $1 ORDER BY id LIMIT 100",
        by_policy: "SELECT id, cents, name FROM bench.items WHERE id > $1 ORDER BY id LIMIT 100",
        block: 100,
        highest: 9_900,
        before: "",
    },
    Work {
        name: "sum of a tenant's 10,000 rows",
        by_hand: "SELECT sum(cents)::int8 FROM bench.items WHERE tenant_id = $2 AND cents <> $1",
        by_policy: "SELECT sum(cents)::int8 FROM bench.items WHERE cents <> $1",
        block: 4,
        highest: 10,
        before: "",
    },
    Work {
        name: "filter without an index, 1,000,000 rows",
        by_hand: "SELECT sum(cents)::int8 FROM bench.loose WHERE tenant_id = $2 AND cents <> $1",
        by_policy: "SELECT sum(cents)::int8 FROM bench.loose WHERE cents <> $1",
        block: 1,
        highest: 10,
        before: "",
    },
];

const WRITES: [Work; 2] = [
    Work {
        name: "insert of 100,000 rows",
        by_hand: "INSERT INTO bench.sink SELECT $2::uuid, n, 7 FROM generate_series(1, $1) n",
        by_policy: "INSERT INTO bench.sink SELECT $2::uuid, n, 7 FROM generate_series(1, $1) n",
        block: 1,
        highest: 100_000,
        before: "TRUNCATE bench.sink",
    },
    Work {
        name: "update of 100,000 rows",
        by_hand: "UPDATE bench.sink SET cents = cents + $1 WHERE tenant_id = $2",
        by_policy: "UPDATE bench.sink SET cents = cents + $1",
        block: 1,
        highest: 100_000,
        before: "TRUNCATE bench.sink; INSERT INTO bench.sink
                 SELECT '00000000-0000-0000-0000-000000000001', n, 7 FROM generate_series(1, {rows}) n",
    },
];

/// Here `by_hand` is the table without the guard, under the same policies.
const POSTINGS: [Work; 2] = [
    Work {
        name: "insert of one posting",
        by_hand: "INSERT INTO bench.unguarded VALUES ($2::uuid, $1, '2024-03-15', 7)",
        by_policy: "INSERT INTO bench.posting VALUES ($2::uuid, $1, '2024-03-15', 7)",
        block: 200,
        highest: 0,
        before: "VACUUM bench.unguarded; VACUUM bench.posting",
    },
    Work {
        name: "insert of 100,000 postings",
        by_hand: "INSERT INTO bench.unguarded SELECT $2::uuid, n, '2024-03-15', 7 FROM generate_series(1, $1) n",
        by_policy: "INSERT INTO bench.posting SELECT $2::uuid, n, '2024-03-15', 7 FROM generate_series(1, $1) n",
        block: 1,
        highest: 100_000,
        before: "VACUUM bench.unguarded; VACUUM bench.posting",
    },
];

struct Session {
    conn: PgConnection,
    pid: i32,
    /// Opens a transaction in the tenant's context, or just one.
    begin: String,
    by_policy: bool,
}

#[derive(Clone, Copy)]
struct Size {
    tenants: u32,
    rows: u32,
    rounds: usize,
    write_rounds: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    let size = match quick {
        true => Size { tenants: 3, rows: 100, rounds: 1, write_rounds: 1 },
        false => Size { tenants: 100, rows: 10_000, rounds: 40, write_rounds: 15 },
    };
    let Some(database) = Database::create("rls_guards").await else { return };
    let mut root = database.open().await;
    fill(&mut root, size).await;
    apply(&schema(Context::Setting), &mut root).await;
    run(&mut root, "VACUUM ANALYZE").await;

    let setting = format!("BEGIN; SET LOCAL stockade.tenant_id = '{TENANT}'");
    let again = async || session(database.connect().await, "BEGIN", false);
    let mut sessions = [again().await, again().await, session(database.log_in(APP).await, &setting, true)];
    let report = Report::of("rls_guards");
    for work in READS.iter().chain(&WRITES) {
        let times = rounds(work, &mut root, &mut sessions, size).await;
        tell(&report, work.name, ["WHERE by hand", "WHERE by hand, again", "policy over a setting"], times);
    }
    let unguarded = async || session(database.log_in(APP).await, &setting, false);
    let mut sessions = [unguarded().await, unguarded().await, session(database.log_in(APP).await, &setting, true)];
    let guarded = ["no guard", "no guard, again", "period guard"];
    for work in &POSTINGS {
        let times = rounds(work, &mut root, &mut sessions, size).await;
        tell(&report, work.name, guarded, times);
    }
    let times = transactions(&mut sessions, size).await;
    tell(&report, "one posting, BEGIN to COMMIT, by the clock", guarded, times);

    apply(&schema(Context::Lease), &mut root).await;
    let mint = "SELECT stockade.mint_lease(sha256('secret'), '00000000-0000-0000-0000-000000000001', '1 hour', NULL, '', false)";
    run(&mut root, mint).await;
    let lease = session(database.log_in(APP).await, "BEGIN; SET LOCAL stockade.lease = 'secret'", true);
    let mut sessions = [again().await, again().await, lease];
    for work in READS.iter().chain(&WRITES) {
        let times = rounds(work, &mut root, &mut sessions, size).await;
        let names = ["WHERE by hand", "WHERE by hand, again", "policy over a lease"];
        tell(&report, &format!("{}, lease", work.name), names, times);
    }
    database.drop().await;
}

/// Of each session, the nanoseconds of a statement in every round.
type Rounds = [Vec<f64>; 3];

/// The rounds of one work.
async fn rounds(work: &Work, root: &mut PgConnection, sessions: &mut [Session; 3], size: Size) -> Rounds {
    let writes = !work.before.is_empty();
    let highest = if writes && size.rounds > 1 { work.highest } else { work.highest.min(size.rows) };
    let rounds = if writes && work.block == 1 { size.write_rounds } else { size.rounds };
    let mut times = [const { Vec::new() }; 3];
    for round in 0..rounds {
        for turn in 0..3 {
            let variant = (round + turn) % 3;
            let (Some(session), Some(times)) = (sessions.get_mut(variant), times.get_mut(variant)) else { continue };
            let before = work.before.replace("{rows}", &highest.to_string());
            for statement in before.split(';') {
                run(root, statement).await;
            }
            if !writes {
                // The first block of two warms caches up.
                block(work, session, highest).await;
            }
            times.push(block(work, session, highest).await);
        }
    }
    times.map(|times: Vec<Duration>| times.iter().map(|time| nanoseconds(*time) / f64::from(work.block)).collect())
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_nanos() as f64
}

fn tell(report: &Report, group: &str, names: [&str; 3], times: Rounds) {
    let told: Vec<_> = names.into_iter().zip(times).collect();
    report.tell_rounds(group, &told);
}

/// A transaction with one posting from BEGIN to COMMIT, by the client's clock: what a caller waits for.
async fn transactions(sessions: &mut [Session; 3], size: Size) -> Rounds {
    let [single, _] = &POSTINGS;
    let tenant = uuid::Uuid::from_str(TENANT).expect("a tenant");
    let mut times = [const { Vec::new() }; 3];
    let mut id = 1_000_000;
    for round in 0..size.rounds * 50 {
        for turn in 0..3 {
            let variant = (round + turn) % 3;
            let (Some(session), Some(times)) = (sessions.get_mut(variant), times.get_mut(variant)) else { continue };
            let sql = if session.by_policy { single.by_policy } else { single.by_hand };
            id += 1;
            let began = Instant::now();
            run(&mut session.conn, &session.begin.clone()).await;
            sqlx::query(sql).bind(id).bind(tenant).execute(&mut session.conn).await.expect("the posting");
            run(&mut session.conn, "COMMIT").await;
            times.push(nanoseconds(began.elapsed()));
        }
    }
    times
}

/// The time of one block, which is rolled back.
async fn block(work: &Work, session: &mut Session, highest: u32) -> Duration {
    run(&mut session.conn, &session.begin.clone()).await;
    let sql = if session.by_policy { work.by_policy } else { work.by_hand };
    let tenant = uuid::Uuid::from_str(TENANT).expect("a tenant");
    let began = Clock::of(session.pid);
    for turn in 0..work.block {
        let number = match work.highest {
            0 => turn + 1,
            _ if work.block == 1 => highest,
            _ => (turn * 7919) % highest + 1,
        };
        let number = i32::try_from(number).expect("a small number");
        let query = sqlx::query(sql).bind(number);
        let query = if sql.contains("$2") { query.bind(tenant) } else { query };
        query.execute(&mut session.conn).await.expect("the statement");
    }
    let took = began.elapsed(session.pid);
    run(&mut session.conn, "ROLLBACK").await;
    took
}

enum Clock {
    Backend(Duration),
    Client(Instant),
}

impl Clock {
    fn of(pid: i32) -> Self {
        on_processor(pid).map_or_else(|| Self::Client(Instant::now()), Self::Backend)
    }

    fn elapsed(&self, pid: i32) -> Duration {
        match self {
            Self::Backend(before) => on_processor(pid).map_or(Duration::ZERO, |now| now.saturating_sub(*before)),
            Self::Client(began) => began.elapsed(),
        }
    }
}

/// How long a process has been on a processor; the first number, in nanoseconds.
fn on_processor(pid: i32) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

fn session((conn, pid): (PgConnection, i32), begin: &str, by_policy: bool) -> Session {
    Session { conn, pid, begin: begin.to_owned(), by_policy }
}

async fn fill(root: &mut PgConnection, Size { tenants, rows, .. }: Size) {
    let rows = format!(
        "CREATE SCHEMA bench;
         CREATE TABLE bench.items (tenant_id uuid NOT NULL, id int NOT NULL, cents bigint NOT NULL, name text NOT NULL);
         INSERT INTO bench.items SELECT lpad(t::text, 32, '0')::uuid, n, n * 100, 'item ' || n
           FROM generate_series(1, {rows}) n, generate_series(1, {tenants}) t;
         ALTER TABLE bench.items ADD PRIMARY KEY (tenant_id, id);
         CREATE TABLE bench.loose AS TABLE bench.items;
         CREATE UNLOGGED TABLE bench.sink (tenant_id uuid NOT NULL, id int NOT NULL, cents bigint NOT NULL, PRIMARY KEY (tenant_id, id));
         CREATE UNLOGGED TABLE bench.posting (
           tenant_id uuid NOT NULL, id int NOT NULL, posted_on date NOT NULL, cents bigint NOT NULL, PRIMARY KEY (tenant_id, id));
         CREATE UNLOGGED TABLE bench.unguarded (LIKE bench.posting INCLUDING ALL);
         CREATE TABLE bench.period (
           tenant_id uuid NOT NULL, starts_on date NOT NULL, ends_on date NOT NULL, closed_at timestamptz, soft_closed_at timestamptz,
           PRIMARY KEY (tenant_id, starts_on));
         ALTER TABLE bench.sink SET (autovacuum_enabled = off);
         ALTER TABLE bench.posting SET (autovacuum_enabled = off); ALTER TABLE bench.unguarded SET (autovacuum_enabled = off)"
    );
    run(root, &rows).await;
    // Four years of months, all closed but the last ones.
    let periods = format!(
        "INSERT INTO bench.period SELECT '{TENANT}', m, m + interval '1 month - 1 day',
                CASE WHEN m < '2024-02-01' THEN now() END, CASE WHEN m < '2024-03-01' THEN now() END
           FROM generate_series('2020-07-01'::timestamp, '2024-06-01', '1 month') m"
    );
    run(root, &periods).await;
}

fn schema(context: Context) -> Schema {
    Schema::new("bench", Roles::for_app("rls_bench"))
        .tenant_table("items", by("tenant_id"))
        .tenant_table("loose", by("tenant_id"))
        .tenant_table("sink", by("tenant_id"))
        .tenant_table("unguarded", by("tenant_id"))
        .period_guard("posting", date("posted_on"), periods("period").soft_closed_by("soft_closed_at"))
        .context(context)
}

async fn apply(schema: &Schema, root: &mut PgConnection) {
    let plan = schema.plan(root).await.expect("a plan");
    plan.apply(root).await.expect("applied");
}
