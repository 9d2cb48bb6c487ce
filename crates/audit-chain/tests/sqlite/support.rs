//! A file with the log in it, and who opens it.

use std::{path::Path, time::Duration};

use sqlx::{
    ConnectOptions as _, Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use stockade_audit_chain::{
    Finding, Report, TenantId,
    sqlite::{Receipt, VerifyOptions, migrator, record, verify},
};
use tempfile::TempDir;

pub(crate) use crate::entries::{entry, tenant};

/// A folder with the file, removed when dropped.
pub(crate) struct Log(TempDir);

impl Log {
    pub(crate) async fn new() -> Self {
        let log = Self(tempfile::tempdir().unwrap());
        migrator().run(&mut log.connect().await).await.unwrap();
        log
    }

    /// A file with five entries of tenant 1.
    pub(crate) async fn of_five() -> Self {
        let log = Self::new().await;
        append(&mut log.connect().await, tenant(1), 5).await;
        log
    }

    pub(crate) async fn connect(&self) -> SqliteConnection {
        options(&self.file()).connect().await.unwrap()
    }

    pub(crate) fn file(&self) -> std::path::PathBuf {
        self.0.path().join("app.db")
    }
}

/// Several connections wait for each other. The tests crash processes, not machines.
pub(crate) fn options(file: &Path) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(Duration::from_secs(60))
}

/// Records `count` entries in one transaction.
pub(crate) async fn append(connection: &mut SqliteConnection, tenant: TenantId, count: u64) -> Vec<Receipt> {
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let mut receipts = Vec::new();
    for number in 1..=count {
        receipts.push(record(&mut tx, &entry(tenant, number)).await.unwrap());
    }
    tx.commit().await.unwrap();
    receipts
}

pub(crate) async fn report(connection: &mut SqliteConnection, tenant: TenantId) -> Report {
    verify(connection, tenant, &VerifyOptions::default()).await.unwrap()
}

pub(crate) fn findings(report: &Report) -> Vec<(Option<u64>, Finding)> {
    assert!(report.verdicts().iter().all(|verdict| verdict.tenant == report.tenant()));
    report.verdicts().iter().map(|verdict| (verdict.seq, verdict.finding.clone())).collect()
}

/// What somebody with the file does first who wants to change the log: the tables as they are,
/// without triggers, types, keys and checks.
pub(crate) async fn disarm(connection: &mut SqliteConnection) {
    let copies = "
        DROP VIEW stockade_audit_held;
        CREATE TABLE o AS SELECT * FROM stockade_audit_hold; DROP TABLE stockade_audit_hold;
        CREATE TABLE e AS SELECT * FROM stockade_audit_entry; DROP TABLE stockade_audit_entry;
        CREATE TABLE p AS SELECT * FROM stockade_audit_payload; DROP TABLE stockade_audit_payload;
        CREATE TABLE l AS SELECT * FROM stockade_audit_link; DROP TABLE stockade_audit_link;
        CREATE TABLE h AS SELECT * FROM stockade_audit_head; DROP TABLE stockade_audit_head;
        CREATE TABLE x AS SELECT * FROM stockade_audit_erased; DROP TABLE stockade_audit_erased;
        CREATE TABLE g AS SELECT * FROM stockade_audit_purged; DROP TABLE stockade_audit_purged;
        ALTER TABLE e RENAME TO stockade_audit_entry;
        ALTER TABLE p RENAME TO stockade_audit_payload;
        ALTER TABLE l RENAME TO stockade_audit_link;
        ALTER TABLE h RENAME TO stockade_audit_head;
        ALTER TABLE x RENAME TO stockade_audit_erased;
        ALTER TABLE o RENAME TO stockade_audit_hold;
        ALTER TABLE g RENAME TO stockade_audit_purged;
        CREATE VIEW stockade_audit_held AS SELECT tenant_id, hold_id, since, until FROM stockade_audit_hold
            WHERE released = 0;";
    sqlx::raw_sql(copies).execute(connection).await.unwrap();
}

pub(crate) async fn count(connection: &mut SqliteConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(connection).await.unwrap()
}

pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, sqlx::Error>) -> String {
    result.unwrap_err().into_database_error().unwrap().code().unwrap().into_owned()
}
