//! A statement in a scope, with the tenant as its first value.

use std::fmt;

use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Encode, FromRow, SqlStr, Sqlite, Type};

use super::tx::SqliteTenantTx;

/// A statement and its values. Nothing happens before one of the methods that run it.
///
/// A statement that the guard refuses fails with [`sqlx::Error::Configuration`]; [`Refused::of`](crate::Refused::of) finds the reason.
#[must_use = "a query does nothing until it is run"]
pub struct SqliteQuery<'t> {
    tx: &'t mut SqliteTenantTx,
    sql: SqlStr,
    arguments: Result<SqliteArguments, sqlx::Error>,
}

impl<'t> SqliteQuery<'t> {
    pub(super) fn new(tx: &'t mut SqliteTenantTx, sql: SqlStr) -> Self {
        let arguments = tx.arguments();
        Self { tx, sql, arguments }
    }

    /// Binds the next value: the first call binds `?2`.
    pub fn bind<'q, T: Encode<'q, Sqlite> + Type<Sqlite>>(mut self, value: T) -> Self {
        if let Ok(arguments) = &mut self.arguments
            && let Err(error) = arguments.add(value)
        {
            self.arguments = Err(sqlx::Error::Encode(error));
        }
        self
    }

    /// Runs the statement; how many rows it changed.
    ///
    /// # Errors
    ///
    /// A refusal, or the database's error. The transaction cannot be committed any more.
    pub async fn execute(self) -> Result<u64, sqlx::Error> {
        let standing = self.tx.standing();
        let connection = self.tx.start(&self.sql)?;
        let answer = sqlx::query_with(self.sql, self.arguments?).execute(connection).await;
        self.tx.ended(standing, answer).map(|done| done.rows_affected())
    }

    /// Runs the statement; all its rows.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    pub async fn fetch_all<R: for<'r> FromRow<'r, SqliteRow> + Send + Unpin>(self) -> Result<Vec<R>, sqlx::Error> {
        let standing = self.tx.standing();
        let connection = self.tx.start(&self.sql)?;
        let answer = sqlx::query_as_with(self.sql, self.arguments?).fetch_all(connection).await;
        self.tx.ended(standing, answer)
    }

    /// Runs the statement; its first row, if it has one.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    pub async fn fetch_optional<R: for<'r> FromRow<'r, SqliteRow> + Send + Unpin>(
        self,
    ) -> Result<Option<R>, sqlx::Error> {
        let standing = self.tx.standing();
        let connection = self.tx.start(&self.sql)?;
        let answer = sqlx::query_as_with(self.sql, self.arguments?).fetch_optional(connection).await;
        self.tx.ended(standing, answer)
    }

    /// Runs the statement; its first row.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute), and [`sqlx::Error::RowNotFound`], which spoils nothing.
    pub async fn fetch_one<R: for<'r> FromRow<'r, SqliteRow> + Send + Unpin>(self) -> Result<R, sqlx::Error> {
        self.fetch_optional().await?.ok_or(sqlx::Error::RowNotFound)
    }
}

impl fmt::Debug for SqliteQuery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteQuery").finish_non_exhaustive()
    }
}
