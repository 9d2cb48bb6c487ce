//! Errors of the database.

use crate::error::{Error, Retry};

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

pub(crate) fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}
