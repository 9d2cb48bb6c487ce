//! Errors of the database.

use crate::error::{Error, Retry};
use crate::postgres::rewriter::RowFailureReason;

pub(crate) fn store_error(error: sqlx::Error) -> Error {
    let retry = retry(&error);
    Error::store(error, retry)
}

/// Lost connections, exhausted pools and servers, restarts, and transactions that lost a race.
fn retry(error: &sqlx::Error) -> Retry {
    let later = match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            // 55P03: a lock that was not to be had in time.
            ["08", "40", "53", "57P", "55P03"].iter().any(|class| code.starts_with(class))
        }),
        _ => false,
    };
    if later { Retry::Later } else { Retry::Never }
}

/// Whether the table refuses a row: a unique index, another constraint, or a trigger that raises.
pub(crate) fn row_refusal(error: &sqlx::Error) -> Option<RowFailureReason> {
    let error = error.as_database_error()?;
    let code = error.code()?;
    if error.is_unique_violation() {
        Some(RowFailureReason::Duplicate)
    } else {
        (code.starts_with("23") || code == "P0001").then_some(RowFailureReason::Refused)
    }
}
