//! audit-chain on SQLite: a recorded transaction beside the same with an unchained audit row, and verification beside merely reading.
//!
//! `scripts/bench audit_sqlite`. The floor of both transactions is the flush of the disk.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]

use std::cell::RefCell;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::json;
use sqlx::{
    ConnectOptions as _, Connection as _, Row as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use stockade_audit_chain::{
    Actor, Entry, TenantId,
    sqlite::{VerifyOptions, migrator, record, verify},
};
use stockade_benches::{Report, Times};
use tokio::runtime::Runtime;
use uuid::Uuid;

const ENTRIES: u64 = 10_000;

const OWN: &str = "
CREATE TABLE loads (id INTEGER PRIMARY KEY, rate INTEGER NOT NULL);
INSERT INTO loads VALUES (1, 0);
CREATE TABLE plain_audit (id INTEGER PRIMARY KEY, tenant BLOB, action TEXT, actor TEXT, entity TEXT, before TEXT, after TEXT)";

fn tenant() -> TenantId {
    TenantId::from(Uuid::from_u128(7))
}

fn entry(number: u64) -> Entry {
    Entry::new(tenant(), Actor::user(Uuid::from_u128(9)).with_role("dispatcher"), "load.update")
        .entity("load", number)
        .before(json!({ "rate_cents": 120_000, "status": "booked", "customer": "Harbor Foods" }))
        .after(json!({ "rate_cents": 120_000 + number, "status": "in transit", "customer": "Harbor Foods" }))
}

async fn open(folder: &tempfile::TempDir) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(folder.path().join("app.db")).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    let mut connection = options.connect().await.expect("a file");
    migrator().run(&mut connection).await.expect("the schema");
    sqlx::raw_sql(OWN).execute(&mut connection).await.expect("the application's tables");
    connection
}

async fn change(connection: &mut SqliteConnection) {
    sqlx::query("UPDATE loads SET rate = rate + 1 WHERE id = 1").execute(connection).await.expect("a change");
}

async fn recorded(connection: &mut SqliteConnection) {
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.expect("a transaction");
    change(&mut tx).await;
    record(&mut tx, &entry(1)).await.expect("an entry");
    tx.commit().await.expect("a commit");
}

async fn unchained(connection: &mut SqliteConnection) {
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.expect("a transaction");
    change(&mut tx).await;
    let row = "INSERT INTO plain_audit (tenant, action, actor, entity, before, after) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    sqlx::query(row)
        .bind(tenant().as_uuid())
        .bind("load.update")
        .bind(Uuid::from_u128(9).to_string())
        .bind("1")
        .bind(json!({ "rate_cents": 120_000, "status": "booked", "customer": "Harbor Foods" }).to_string())
        .bind(json!({ "rate_cents": 120_001, "status": "in transit", "customer": "Harbor Foods" }).to_string())
        .execute(&mut *tx)
        .await
        .expect("an audit row");
    tx.commit().await.expect("a commit");
}

async fn read(connection: &mut SqliteConnection) -> usize {
    let rows = "SELECT l.seq, l.prev, l.hash, e.* FROM stockade_audit_link l
        JOIN stockade_audit_entry e ON e.entry_id = l.entry_id WHERE l.tenant_id = ?1 ORDER BY l.seq";
    let rows = sqlx::query(rows).bind(tenant().as_uuid()).fetch_all(connection).await.expect("the rows");
    rows.iter().map(|row| (3..27).filter(|column| row.try_get_raw(*column).is_ok()).count()).sum()
}

fn sqlite(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let connection = RefCell::new(runtime.block_on(open(&folder)));

    let mut group = criterion.benchmark_group("audit-chain on SQLite, one transaction");
    let (report, times) = (Report::of("audit_sqlite"), Times::default());
    for round in 1..=2 {
        // Twice each, in turn, because the disk changes under the measurement.
        group.bench_function(format!("unchained row, {round}"), |bencher| {
            let once = || runtime.block_on(unchained(&mut connection.borrow_mut()));
            bencher.iter_custom(|runs| times.of("with an unchained row", runs, once));
        });
        group.bench_function(format!("recorded, {round}"), |bencher| {
            let once = || runtime.block_on(recorded(&mut connection.borrow_mut()));
            bencher.iter_custom(|runs| times.of("with an entry", runs, once));
        });
    }
    group.finish();
    times.tell(&report, "a transaction on SQLite");

    let folder = tempfile::tempdir().expect("a folder");
    let mut connection = runtime.block_on(open(&folder));
    runtime.block_on(async {
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.expect("a transaction");
        for number in 0..ENTRIES {
            record(&mut tx, &entry(number)).await.expect("an entry");
        }
        tx.commit().await.expect("a commit");
    });
    let connection = RefCell::new(connection);
    let mut group = criterion.benchmark_group("audit-chain on SQLite, 10000 entries");
    group.sample_size(20).throughput(Throughput::Elements(ENTRIES));
    group.bench_function("read the rows", |bencher| {
        let once = || runtime.block_on(read(&mut connection.borrow_mut()));
        bencher.iter_custom(|runs| times.of("read the same rows", runs, once));
    });
    group.bench_function("verify", |bencher| {
        let once = || {
            let options = VerifyOptions::new();
            let report = runtime.block_on(verify(&mut connection.borrow_mut(), tenant(), &options)).expect("a report");
            assert!(report.is_intact());
            report
        };
        bencher.iter_custom(|runs| times.of("verify", runs, once));
    });
    group.finish();
    times.tell(&report, "10,000 entries in SQLite");
}

criterion_group!(benches, sqlite);
criterion_main!(benches);
