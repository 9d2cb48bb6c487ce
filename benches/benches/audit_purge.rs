//! Purging a month of audit-chain, evidence and all, beside deleting the same rows.
//!
//! `scripts/bench audit_purge`, as a superuser, because the peer has to disable the triggers that refuse it. Makes a database of
//! its own and drops it.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]
#![expect(clippy::cast_precision_loss, reason = "what is printed needs no 53 bits")]

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeZone as _, Utc};
use sqlx::PgConnection;
use stockade_audit_chain::{
    Actor, ChainId, Digest, Head, PurgeRequest, TenantId,
    postgres::{Purge, migrator, purge},
};
use stockade_benches::{Database, Report, run};
use uuid::Uuid;

const TENANT: Uuid = Uuid::from_u128(7);

/// Entries of the size that an application writes: two states and two personal values.
const ENTRIES: &str = "
INSERT INTO stockade.audit_entry (entry_id, tenant_id, format, recorded_at, action, severity, outcome, actor_kind, actor_id,
    entity_type, entity_id, before, after, personal_paths, commitments, leaf)
SELECT (lpad(to_hex($1 + n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid, $2, 1, to_timestamp(($1 + n) / 1000.0),
    'load.update', 0, 'success', 'user', 'user-' || n % 100, 'load', n::text,
    json_build_object('rate_cents', n, 'status', 'booked', 'customer', 'Harbor Foods'),
    json_build_object('rate_cents', n + 1, 'status', 'in transit', 'customer', 'Harbor Foods'),
    '{request/ip,request/user_agent}', ARRAY[sha256('a'), sha256('b')], sha256(n::text::bytea)
FROM generate_series(1, $3) AS n";

const PAYLOADS: &str = "
INSERT INTO stockade.audit_payload (entry_id, tenant_id, field_values, salts)
SELECT (lpad(to_hex($1 + n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid, $2,
    ARRAY['\\x04cb007109'::bytea, 'Mozilla/5.0 (X11; Linux x86_64)'], ARRAY[sha256('c'), sha256('d')]
FROM generate_series(1, $3) AS n";

/// Links that continue each other. Their hashes are nobody's, which a purge does not look into.
const LINKS: &str = "
INSERT INTO stockade.audit_link (tenant_id, seq, entry_id, prev, leaf, hash)
SELECT $2, $4 + n, (lpad(to_hex($1 + n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid,
    sha256(($4 + n - 1)::text::bytea), sha256(n::text::bytea), sha256(($4 + n)::text::bytea)
FROM generate_series(1, $3) AS n";

const DELETE: [&str; 2] = [
    "DELETE FROM stockade.audit_entry WHERE entry_id < stockade.audit_id_at('2017-02-01Z')",
    "DELETE FROM stockade.audit_payload WHERE entry_id < stockade.audit_id_at('2017-02-01Z')",
];

/// What a piece of work cost.
struct Cost {
    time: Duration,
    wal: i64,
}

fn start_of(month: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2017, month, 1, 0, 0, 0).single().expect("a month")
}

async fn fill(conn: &mut PgConnection, month: u32, count: i64, before: i64) {
    let start = start_of(month);
    run(conn, &format!("SET ROLE stockade_owner; SELECT stockade.audit_add_month('{start}'); RESET ROLE")).await;
    for sql in [ENTRIES, PAYLOADS] {
        let insert = sqlx::query(sql).bind(start.timestamp_millis()).bind(TENANT).bind(count);
        insert.execute(&mut *conn).await.expect("rows");
    }
    let links = sqlx::query(LINKS).bind(start.timestamp_millis()).bind(TENANT).bind(count).bind(before);
    links.execute(conn).await.expect("links");
}

async fn position(conn: &mut PgConnection) -> i64 {
    let position = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint";
    sqlx::query_scalar(position).fetch_one(conn).await.expect("a position")
}

async fn deletion(conn: &mut PgConnection) -> Cost {
    run(conn, "ALTER TABLE stockade.audit_entry DISABLE TRIGGER USER; ALTER TABLE stockade.audit_payload DISABLE TRIGGER USER")
        .await;
    run(conn, "CHECKPOINT").await;
    let (wal, start) = (position(conn).await, Instant::now());
    run(conn, &format!("BEGIN; {}; {}; COMMIT", DELETE[0], DELETE[1])).await;
    Cost { time: start.elapsed(), wal: position(conn).await - wal }
}

async fn purging(conn: &mut PgConnection, kept: Head) -> Cost {
    let request = PurgeRequest::new(Actor::system("retention"), "bench");
    run(conn, "CHECKPOINT").await;
    let (wal, start) = (position(conn).await, Instant::now());
    let done = purge(conn, start_of(3), &request, &[kept]).await.expect("a purge");
    let cost = Cost { time: start.elapsed(), wal: position(conn).await - wal };
    assert!(matches!(done, Purge::Done { months: 1.., .. }), "{done:?}");
    cost
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    let count = if quick { 1_000 } else { 1_000_000 };
    let Some(database) = Database::create("audit_purge").await else { return };
    let mut conn = database.open().await;
    migrator().run(&mut conn).await.expect("a schema");

    fill(&mut conn, 1, count, 0).await;
    run(&mut conn, "ANALYZE").await;
    let deleted = deletion(&mut conn).await;
    // The deleted month is empty, has no link, and goes with the other.
    run(&mut conn, "ALTER TABLE stockade.audit_link DISABLE TRIGGER USER; DELETE FROM stockade.audit_link").await;
    fill(&mut conn, 2, count, 0).await;
    run(&mut conn, "ANALYZE").await;
    let hash: Vec<u8> = sqlx::query_scalar("SELECT hash FROM stockade.audit_link ORDER BY seq DESC LIMIT 1")
        .fetch_one(&mut conn)
        .await
        .expect("a link");
    let hash = Digest::try_from(hash.as_slice()).expect("a digest");
    let chain = ChainId::random().expect("random bytes");
    let kept = Head { tenant: TenantId::from(TENANT), chain, seq: count.unsigned_abs(), hash };
    let purged = purging(&mut conn, kept).await;

    let report = Report::of("audit_purge");
    let time = |cost: &Cost| cost.time.as_nanos() as f64;
    report.tell("a month of 1,000,000 entries", &[("purge", time(&purged)), ("DELETE", time(&deleted))]);
    let log = [("purge", purged.wal as f64), ("DELETE", deleted.wal as f64)];
    report.tell("a month of 1,000,000 entries, write-ahead log", &log);
    database.drop().await;
}
