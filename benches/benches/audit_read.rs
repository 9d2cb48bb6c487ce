//! Verifying audit-chain from PostgreSQL beside merely reading the same rows, and proving an entry of a long log.
//!
//! `scripts/bench audit_read`, as a superuser, who may date entries and write links. Makes a database of its own and drops it.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use serde_json::json;
use sqlx::{PgConnection, Row as _, postgres::PgPoolOptions};
use stockade_audit_chain::{
    Actor, Entry, TenantId,
    postgres::{Appender, Sealer, VerifyOptions, complete_tiles, migrator, prove_inclusion, verify},
};
use stockade_benches::{Database, Report, run};
use uuid::Uuid;

const TENANT: Uuid = Uuid::from_u128(7);
const LONG: Uuid = Uuid::from_u128(8);

/// What a verification reads, page by page.
const PAGE: &str = "
SELECT l.seq AS link_seq, l.entry_id AS link_entry, l.prev, l.leaf AS link_leaf, l.hash, p.field_values, p.salts, e.*
FROM stockade.audit_link l
LEFT JOIN LATERAL (SELECT e.* FROM stockade.audit_entry e WHERE e.entry_id = l.entry_id OFFSET 0) AS e ON true
LEFT JOIN LATERAL (SELECT p.field_values, p.salts FROM stockade.audit_payload p
    WHERE p.entry_id = l.entry_id AND p.tenant_id = l.tenant_id OFFSET 0) AS p ON true
WHERE l.tenant_id = $1 AND l.seq > $2 ORDER BY l.seq, l.entry_id LIMIT 256";

/// Links of a long log. Nothing of a chain is in them: a tree knows leaves only.
const LINKS: &str = "
INSERT INTO stockade.audit_link (tenant_id, seq, entry_id, prev, leaf, hash)
SELECT $1, n, gen_random_uuid(), sha256(int8send(n)), sha256('\\x00'::bytea || int8send(n)), sha256(int8send(-n))
FROM generate_series(1, $2::bigint) AS n";

fn entry(number: u32) -> Entry {
    Entry::new(
        TenantId::from(TENANT),
        Actor::user(Uuid::from_u128(9)).named("Ana Ruiz").with_role("dispatcher"),
        "load.update",
    )
    .entity("load", number)
    .before(json!({ "rate_cents": 120_000, "status": "booked", "customer": "Harbor Foods" }))
    .after(json!({ "rate_cents": 120_000 + number, "status": "in transit", "customer": "Harbor Foods" }))
}

async fn fill(database: &Database, count: u32) {
    let pool = PgPoolOptions::new().max_connections(4).connect_with(database.options().clone()).await.expect("a pool");
    let (appender, work) = Appender::new(pool, NonZeroU32::new(64 << 20).expect("not zero"));
    let work = tokio::spawn(work);
    let mut waiting = tokio::task::JoinSet::new();
    for number in 0..count {
        let appender = appender.clone();
        waiting.spawn(async move { appender.append(&entry(number)).await.expect("an entry") });
        if waiting.len() > 2_000 {
            waiting.join_next().await;
        }
    }
    while waiting.join_next().await.is_some() {}
    appender.close();
    work.await.expect("a clean end");
}

async fn reading(conn: &mut PgConnection) -> (Duration, u64) {
    let (begun, mut rows, mut after) = (Instant::now(), 0, 0_i64);
    loop {
        let page = sqlx::query(PAGE).bind(TENANT).bind(after).fetch_all(&mut *conn).await.expect("rows");
        let Some(last) = page.last() else { return (begun.elapsed(), rows) };
        after = last.try_get("link_seq").expect("a number");
        rows += page.len() as u64;
    }
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_nanos() as f64
}

async fn verifying(conn: &mut PgConnection) -> (Duration, u64) {
    let begun = Instant::now();
    let report = verify(conn, TENANT.into(), &VerifyOptions::new()).await.expect("a report");
    assert!(report.is_intact(), "{:?}", report.verdicts());
    (begun.elapsed(), report.checked())
}

#[tokio::main]
async fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    let (entries, links, rounds) = if quick { (500, 2_000_i64, 1) } else { (20_000, 1_000_000, 9) };
    let Some(database) = Database::create("audit_read").await else { return };
    let mut conn = database.open().await;
    migrator().run(&mut conn).await.expect("a schema");
    fill(&database, entries).await;
    Sealer::new().seal_pending(&mut conn).await.expect("a seal");
    run(&mut conn, "VACUUM ANALYZE").await;

    let (mut read, mut verified) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (time, rows) = reading(&mut conn).await;
        read.push(nanoseconds(time));
        let (time, checked) = verifying(&mut conn).await;
        verified.push(nanoseconds(time));
        assert_eq!((rows, checked), (entries.into(), entries.into()));
    }
    let report = Report::of("audit_read");
    report.tell_rounds("20,000 entries in PostgreSQL", &[("verify", verified), ("read the same rows", read)]);

    sqlx::query(LINKS).bind(LONG).bind(links).execute(&mut conn).await.expect("links");
    let begun = Instant::now();
    let tiles = complete_tiles(&mut conn, LONG.into()).await.expect("tiles");
    let computed = nanoseconds(begun.elapsed());
    assert!(tiles > 0, "a log this long has a complete tile");
    run(&mut conn, "VACUUM ANALYZE").await;
    let size = links.unsigned_abs();
    let mut times = Vec::new();
    for round in 0..200_u64 {
        let seq = round.wrapping_mul(2_654_435_761) % size + 1;
        let begun = Instant::now();
        prove_inclusion(&mut conn, LONG.into(), seq, size).await.expect("a proof");
        times.push(nanoseconds(begun.elapsed()));
    }
    let told = [("compute its tiles", vec![computed]), ("prove that one is in it", times)];
    report.tell_rounds("a log of 1,000,000 links", &told);
    database.drop().await;
}
