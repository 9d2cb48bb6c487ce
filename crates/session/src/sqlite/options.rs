//! How the file is opened.

use std::{path::Path, time::Duration};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

/// How the store's connections open `file`: made if it is missing, readers beside one writer (WAL), a writer waits up to 5 seconds
/// for another process, foreign keys enforced, and every commit flushed to the disk.
///
/// The flush is what makes a revocation final: with `synchronous = NORMAL`, a loss of power can undo the last commits, and a session
/// that was logged out in one of them is back.
#[must_use]
pub fn options(file: impl AsRef<Path>) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
}
