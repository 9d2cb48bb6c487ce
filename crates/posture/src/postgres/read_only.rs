//! The transaction in which a collector reads.

use std::error::Error as StdError;

use sqlx::{Connection, PgConnection, PgTransaction, postgres::PgDatabaseError};

use crate::error::{BoxError, Error};

/// The longest statement, in milliseconds. A stricter limit of the connection is left as it is.
const LIMIT_MS: i64 = 5_000;

/// Begins a transaction, or a savepoint, in which nothing can be written and no statement runs for long.
///
/// The search path makes names in the catalogue's texts come out qualified.
pub(super) async fn begin(connection: &mut PgConnection) -> Result<PgTransaction<'_>, sqlx::Error> {
    let mut reading = begin_in_place(connection).await?;
    sqlx::raw_sql("SET LOCAL search_path = pg_catalog").execute(&mut *reading).await?;
    Ok(reading)
}

/// The same with the connection's own search path, for names that are found where the application finds them.
///
/// `SET` instead of `set_config`: a hardened database grants that function to nobody.
pub(super) async fn begin_in_place(connection: &mut PgConnection) -> Result<PgTransaction<'_>, sqlx::Error> {
    let mut reading = connection.begin().await?;
    let limit: i64 =
        sqlx::query_scalar("SELECT s.setting::bigint FROM pg_catalog.pg_settings s WHERE s.name = 'statement_timeout'")
            .fetch_one(&mut *reading)
            .await?;
    if limit == 0 || limit > LIMIT_MS {
        sqlx::raw_sql("SET LOCAL statement_timeout = '5s'").execute(&mut *reading).await?;
    }
    // Compiling a long statement takes seconds; running one of these over a catalogue takes milliseconds.
    sqlx::raw_sql("SET LOCAL transaction_read_only = on; SET LOCAL jit = off").execute(&mut *reading).await?;
    Ok(reading)
}

/// As [`begin`], for a [`Collector`](crate::Collector).
pub(crate) async fn open(connection: &mut PgConnection) -> Result<PgTransaction<'_>, Error> {
    begin(connection).await.map_err(unreadable)
}

/// Ends the reading, whatever came of it. A failed rollback leaves nothing behind either: sqlx repeats it before the connection
/// is used again.
pub(crate) async fn close<T>(reading: PgTransaction<'_>, seen: Result<T, Error>) -> Result<T, Error> {
    let _ = reading.rollback().await;
    seen
}

/// The error of a collector that could not read, whoever's error it is: of sqlx, or of a crate that has one of sqlx inside.
pub(crate) fn unreadable(error: impl Into<BoxError>) -> Error {
    let error = error.into();
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&*error);
    while let Some(at) = cause {
        if let Some(known) = at.downcast_ref().map(reason).or_else(|| at.downcast_ref().map(answer)) {
            return Error::unreadable(known, error);
        }
        cause = at.source();
    }
    Error::unreadable("what is measured could not be read".to_owned(), error)
}

/// What to print about an error: its class, never its text, which may hold SQL and data.
pub(super) fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => of_code(error.code().as_deref()),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => {
            "the connection to the database failed".to_owned()
        }
        _ => "the answer of the database could not be read".to_owned(),
    }
}

fn answer(error: &PgDatabaseError) -> String {
    of_code(Some(error.code()))
}

fn of_code(code: Option<&str>) -> String {
    match code {
        Some("57014") => "the database cancelled the query after its statement timeout".to_owned(),
        Some("42501") => "the database refused this role what is to be read".to_owned(),
        Some(code) => format!("the database answered with error {code}"),
        None => "the database answered with an error".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Executor, PgConnection, PgPool, Row};

    use super::*;

    async fn setting(connection: &mut PgConnection, name: &'static str) -> String {
        let row = sqlx::query("SELECT current_setting($1)").bind(name).fetch_one(connection).await.unwrap();
        row.get(0)
    }

    #[sqlx::test]
    async fn nothing_can_be_written(pool: PgPool) {
        let mut connection = pool.acquire().await.unwrap();
        let mut reading = begin(&mut connection).await.unwrap();
        let error = reading.execute("CREATE TABLE public.t ()").await.unwrap_err();
        assert_eq!(error.as_database_error().and_then(|error| error.code()).as_deref(), Some("25006"));
    }

    #[sqlx::test]
    async fn settings_end_with_the_reading(pool: PgPool) {
        let mut connection = pool.acquire().await.unwrap();
        let mut reading = begin(&mut connection).await.unwrap();
        assert_eq!(setting(&mut reading, "statement_timeout").await, "5s");
        assert_eq!(setting(&mut reading, "search_path").await, "pg_catalog");
        reading.rollback().await.unwrap();
        assert_eq!(setting(&mut connection, "statement_timeout").await, "0");
        assert_eq!(setting(&mut connection, "transaction_read_only").await, "off");
    }

    #[sqlx::test]
    async fn a_stricter_limit_stays(pool: PgPool) {
        let mut connection = pool.acquire().await.unwrap();
        connection.execute("SET statement_timeout = '700ms'").await.unwrap();
        let mut reading = begin(&mut connection).await.unwrap();
        assert_eq!(setting(&mut reading, "statement_timeout").await, "700ms");
        reading.rollback().await.unwrap();
        connection.execute("SET statement_timeout = '1min'").await.unwrap();
        let mut reading = begin(&mut connection).await.unwrap();
        assert_eq!(setting(&mut reading, "statement_timeout").await, "5s");
    }

    #[test]
    fn a_reason_never_carries_the_text_of_an_error() {
        let error = sqlx::Error::Protocol("SELECT secret FROM t".to_owned());
        assert_eq!(reason(&error), "the connection to the database failed");
    }
}
