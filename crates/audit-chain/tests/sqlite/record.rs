//! Recording.

use std::time::Duration;

use chrono::Utc;
use sqlx::{Connection as _, Row as _};
use stockade_audit_chain::{
    Actor, Digest, Entry, ErrorKind, Head,
    sqlite::{VerifyOptions, record, verify},
};
use uuid::Uuid;

use crate::support::{Log, append, count, entry, options, report, tenant};

const TABLES: [&str; 4] = [
    "SELECT count(*) FROM loads",
    "SELECT count(*) FROM stockade_audit_entry",
    "SELECT count(*) FROM stockade_audit_link",
    "SELECT count(*) FROM stockade_audit_head",
];

#[tokio::test]
async fn commits_and_rolls_back_with_the_caller() {
    let log = Log::new().await;
    let mut connection = log.connect().await;
    sqlx::raw_sql("CREATE TABLE loads (rate INTEGER)").execute(&mut connection).await.unwrap();
    for commit in [false, true] {
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.unwrap();
        sqlx::query("INSERT INTO loads VALUES (1)").execute(&mut *tx).await.unwrap();
        record(&mut tx, &entry(tenant(1), 1)).await.unwrap();
        let end = if commit { tx.commit().await } else { tx.rollback().await };
        end.unwrap();
        for table in TABLES {
            assert_eq!(count(&mut connection, table).await, i64::from(commit), "{table}");
        }
    }
    assert_eq!(count(&mut connection, "SELECT count(*) FROM stockade_audit_payload").await, 5);
}

#[tokio::test]
async fn the_receipt_is_the_stored_link() {
    let log = Log::new().await;
    let mut connection = log.connect().await;
    let before = Utc::now();
    let receipts = append(&mut connection, tenant(1), 3).await;
    let rows = sqlx::query("SELECT seq, entry_id, prev, leaf, hash FROM stockade_audit_link ORDER BY seq");
    for (receipt, row) in receipts.iter().zip(rows.fetch_all(&mut connection).await.unwrap()) {
        let link = receipt.link.unwrap();
        assert_eq!((row.get::<i64, _>(0), row.get::<Uuid, _>(1)), (link.seq.cast_signed(), receipt.entry_id));
        for (column, hash) in [(2, link.prev), (3, receipt.leaf), (4, link.computed_hash())] {
            assert_eq!(Digest::try_from(row.get::<&[u8], _>(column)).unwrap(), hash);
        }
        assert!(receipt.recorded_at.timestamp_millis() >= before.timestamp_millis());
        assert_eq!(receipt.entry_id.get_version_num(), 7);
    }
    // What the caller has in hand is a head to keep.
    let link = receipts[1].link.unwrap();
    let chain = report(&mut connection, tenant(1)).await.head().unwrap().chain;
    let kept = Head { tenant: tenant(1), chain, seq: link.seq, hash: link.hash };
    let options = VerifyOptions::new().kept_head(kept);
    assert!(verify(&mut connection, tenant(1), &options).await.unwrap().is_intact());
}

#[tokio::test]
async fn a_transaction_that_was_not_begun_immediate_cannot_fork() {
    let log = Log::new().await;
    let (mut first, mut second) = (log.connect().await, log.connect().await);
    append(&mut first, tenant(1), 1).await;

    // One that has not read yet is upgraded.
    let mut tx = first.begin().await.unwrap();
    record(&mut tx, &entry(tenant(1), 2)).await.unwrap();
    tx.commit().await.unwrap();

    // One that has read what somebody else then changed is told to try again, and wrote nothing.
    let mut tx = first.begin().await.unwrap();
    assert_eq!(count(&mut tx, "SELECT seq FROM stockade_audit_head").await, 2);
    append(&mut second, tenant(1), 1).await;
    let error = record(&mut tx, &entry(tenant(1), 3)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Contended, true));
    tx.commit().await.unwrap();
    let report = report(&mut second, tenant(1)).await;
    assert!(report.is_intact(), "{:?}", report.verdicts());
    assert_eq!(report.checked(), 3);
}

#[tokio::test]
async fn without_a_transaction_it_makes_one() {
    let log = Log::new().await;
    let mut connection = log.connect().await;
    let receipt = record(&mut connection, &entry(tenant(1), 1)).await.unwrap();
    assert_eq!(receipt.link.unwrap().seq, 1);
    assert!(!connection.is_in_transaction());
    assert!(report(&mut log.connect().await, tenant(1)).await.is_intact());
}

#[tokio::test]
async fn a_file_that_somebody_else_writes_is_retryable() {
    let log = Log::new().await;
    let mut other = log.connect().await;
    let mut impatient =
        sqlx::ConnectOptions::connect(&options(&log.file()).busy_timeout(Duration::ZERO)).await.unwrap();
    let writing = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let error = record(&mut impatient, &entry(tenant(1), 1)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true));
    writing.rollback().await.unwrap();
    record(&mut impatient, &entry(tenant(1), 1)).await.unwrap();
}

#[tokio::test]
async fn a_dropped_call_records_whole_or_not_at_all() {
    let log = Log::new().await;
    let mut connection = log.connect().await;
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let mut dropped = 0;
    for number in 0..200 {
        let patience = Duration::from_micros(number * 10);
        let entry = entry(tenant(1), number);
        dropped += u32::from(tokio::time::timeout(patience, record(&mut tx, &entry)).await.is_err());
    }
    assert!(dropped > 0, "no call was cut");
    tx.commit().await.unwrap();
    let report = report(&mut connection, tenant(1)).await;
    assert!(report.is_intact(), "{:?}", report.verdicts());
    let values = count(&mut connection, "SELECT count(*) FROM stockade_audit_payload").await.unsigned_abs();
    assert_eq!((values, report.unsealed()), (report.checked() * 5, 0));
}

#[tokio::test]
async fn a_swallowed_row_is_an_error_and_a_table_in_the_way_is_not_used() {
    let log = Log::new().await;
    for swallow in [
        "CREATE TEMP TRIGGER t BEFORE INSERT ON main.stockade_audit_entry BEGIN SELECT RAISE(IGNORE); END",
        "CREATE TEMP TRIGGER t BEFORE INSERT ON main.stockade_audit_payload BEGIN SELECT RAISE(IGNORE); END",
        "CREATE TEMP TRIGGER t BEFORE INSERT ON main.stockade_audit_link BEGIN SELECT RAISE(IGNORE); END",
        "CREATE TEMP TRIGGER t BEFORE INSERT ON main.stockade_audit_head BEGIN SELECT RAISE(IGNORE); END",
    ] {
        let mut connection = log.connect().await;
        sqlx::raw_sql(swallow).execute(&mut connection).await.unwrap();
        let error = record(&mut connection, &entry(tenant(1), 1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{swallow}");
        assert_eq!(count(&mut connection, "SELECT count(*) FROM stockade_audit_entry").await, 0, "{swallow}");
    }
    let mut connection = log.connect().await;
    let shadow = "
        CREATE TEMP TABLE stockade_audit_entry AS SELECT * FROM main.stockade_audit_entry;
        CREATE TEMP TABLE stockade_audit_link AS SELECT * FROM main.stockade_audit_link;
        CREATE TEMP TABLE stockade_audit_head AS SELECT * FROM main.stockade_audit_head;
        CREATE TEMP TABLE stockade_audit_payload AS SELECT * FROM main.stockade_audit_payload";
    sqlx::raw_sql(shadow).execute(&mut connection).await.unwrap();
    record(&mut connection, &entry(tenant(1), 1)).await.unwrap();
    assert_eq!(count(&mut log.connect().await, "SELECT count(*) FROM stockade_audit_link").await, 1);
    assert_eq!(report(&mut connection, tenant(1)).await.checked(), 1);
}

#[tokio::test]
async fn refuses_what_it_could_not_store_before_it_sends_anything() {
    let log = Log::new().await;
    let mut connection = log.connect().await;
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let wrong = Entry::new(tenant(1), Actor::user("u").named("a\0"), "a");
    assert_eq!(record(&mut tx, &wrong).await.unwrap_err().kind(), ErrorKind::InvalidEntry);
    record(&mut tx, &entry(tenant(1), 1)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(report(&mut connection, tenant(1)).await.checked(), 1);
}

#[tokio::test]
async fn an_error_of_the_database_shows_no_value() {
    let log = Log::of_five().await;
    let mut connection = log.connect().await;
    sqlx::raw_sql("DROP TABLE stockade_audit_payload").execute(&mut connection).await.unwrap();
    let error = record(&mut connection, &entry(tenant(1), 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Database);
    for shown in [error.to_string(), format!("{error:?}")] {
        assert!(!shown.contains("INSERT") && !shown.contains("payload") && !shown.contains("Ana"), "{shown}");
    }
    assert_eq!(count(&mut connection, "SELECT count(*) FROM stockade_audit_entry").await, 5);
}
