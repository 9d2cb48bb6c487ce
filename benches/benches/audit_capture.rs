//! What the capture of a table costs its writers.
//!
//! `scripts/bench audit_capture`. Medians of interleaved rounds of the same UPDATE on three
//! tables: one with no trigger, one with the trigger that everybody writes first (both states as `jsonb` into an unchained table with
//! the log's indexes), and one that is captured. Once a row in a transaction, once a thousand rows in a statement. `ROUNDS` (15) changes
//! how much is measured.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use stockade_audit_chain::postgres::{Capture, attach, capture_as, migrator};
use stockade_audit_chain::{Actor, RequestContext};
use stockade_benches::{Database, Report, run};

const SCHEMA: &str = "
    CREATE TABLE plain (tenant_id uuid NOT NULL, id int PRIMARY KEY, customer text, rate_cents int, status text, note text, driver text);
    INSERT INTO plain SELECT '00000000-0000-0000-0000-000000000001', n, 'Harbor Foods', n, 'booked', repeat('n', 120), 'Cruz'
        FROM generate_series(1, 1000) n;
    CREATE TABLE triggered (LIKE plain INCLUDING ALL);
    CREATE TABLE captured (LIKE plain INCLUDING ALL);
    INSERT INTO triggered TABLE plain;
    INSERT INTO captured TABLE plain;
    CREATE TABLE plain_audit (
        entry_id uuid PRIMARY KEY, tenant_id uuid NOT NULL, recorded_at timestamptz NOT NULL, actor text NOT NULL,
        action text NOT NULL, entity_type text, entity_id text, before jsonb, after jsonb);
    CREATE INDEX ON plain_audit (tenant_id, recorded_at, entry_id);
    CREATE INDEX ON plain_audit (tenant_id, actor, recorded_at, entry_id);
    CREATE INDEX ON plain_audit (tenant_id, entity_type, entity_id, recorded_at, entry_id);
    CREATE INDEX ON plain_audit (tenant_id, action, recorded_at, entry_id);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO plain_audit VALUES (gen_random_uuid(), NEW.tenant_id, clock_timestamp(), current_user,
            'load.' || lower(TG_OP), 'load', NEW.id, to_jsonb(OLD), to_jsonb(NEW));
        RETURN NULL; END $$;
    CREATE TRIGGER note AFTER UPDATE ON triggered FOR EACH ROW EXECUTE FUNCTION note();";

const ONE: [&str; 3] = [
    "UPDATE plain SET rate_cents = rate_cents + 1 WHERE id = $1",
    "UPDATE triggered SET rate_cents = rate_cents + 1 WHERE id = $1",
    "UPDATE captured SET rate_cents = rate_cents + 1 WHERE id = $1",
];
const ALL: [&str; 3] = [
    "UPDATE plain SET rate_cents = rate_cents + 1 WHERE $1 > 0",
    "UPDATE triggered SET rate_cents = rate_cents + 1 WHERE $1 > 0",
    "UPDATE captured SET rate_cents = rate_cents + 1 WHERE $1 > 0",
];

async fn timed(connection: &mut PgConnection, sql: &'static str, id: i32) -> Duration {
    let start = Instant::now();
    let mut tx = connection.begin().await.expect("a transaction");
    let actor = Actor::user("user-1").with_role("dispatcher");
    capture_as(&mut *tx, &actor, &RequestContext::new().request_id(id)).await.expect("a context");
    sqlx::query(sql).bind(id).execute(&mut *tx).await.expect("an update");
    tx.commit().await.expect("a commit");
    start.elapsed()
}

/// Interleaved rounds, each of `turns` transactions.
async fn compare(connection: &mut PgConnection, group: &str, statements: [&'static str; 3], turns: i32) {
    let quick = std::env::args().any(|argument| argument == "--test");
    let rounds = if quick { 1 } else { 15 };
    let rounds: usize = std::env::var("ROUNDS").map_or(rounds, |rounds| rounds.parse().expect("a number"));
    let mut taken = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        for (times, sql) in taken.iter_mut().zip(statements) {
            let mut sum = Duration::ZERO;
            for turn in 1..=turns {
                sum += timed(connection, sql, turn).await;
            }
            times.push(sum.as_nanos() as f64);
        }
    }
    let [plain, triggered, captured] = taken;
    let told = [("no trigger", plain), ("unchained trigger", triggered), ("captured", captured)];
    Report::of("audit_capture").tell_rounds(group, &told);
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let Some(database) = Database::create("audit_capture").await else { return };
    let mut connection = database.open().await;
    migrator().run(&mut connection).await.expect("the log");
    run(&mut connection, SCHEMA).await;
    let capture = Capture::table("captured").named("load").personal(["driver"]);
    attach(&mut connection, &capture).await.expect("a captured table");
    compare(&mut connection, "an UPDATE, 100 transactions of one row", ONE, 100).await;
    compare(&mut connection, "an UPDATE, 1,000 rows in one statement", ALL, 1).await;
    database.drop().await;
}
