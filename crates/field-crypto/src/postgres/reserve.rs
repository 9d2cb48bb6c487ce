//! Identifiers before their rows.

use sqlx::PgExecutor;

use crate::error::{Error, Retry};
use crate::postgres::failure::store_error;

/// Row by row in the order of the sequence. `pg_get_serial_sequence` reads the table's name as an identifier.
const RESERVE: &str = "SELECT nextval(pg_get_serial_sequence($1, $2)) FROM generate_series(1, $3)";

/// Takes `count` identifiers from the sequence of a `bigserial` or identity column, because a value is bound to the
/// identifier of its row, which therefore must be known before the row is written:
///
/// ```no_run
/// # use stockade_field_crypto::{Secret, TenantKeys, columns, postgres::reserve_ids};
/// # columns! { pub LedgerMemo = "ledger"."memo": String, row = i64; }
/// # async fn book(pool: &sqlx::PgPool, keys: &TenantKeys, memo: Secret<String>) -> Result<(), Box<dyn std::error::Error>> {
/// for id in reserve_ids(pool, "public.ledger", "id", 1).await? {
///     let sealed = keys.seal::<LedgerMemo>(&id, &memo)?;
///     sqlx::query("INSERT INTO ledger (id, memo) OVERRIDING SYSTEM VALUE VALUES ($1, $2)")
///         .bind(id).bind(sealed).execute(pool).await?;
/// }
/// # Ok(())
/// # }
/// ```
///
/// Identifiers that are not used are gaps, as after a transaction that was rolled back. The role needs `USAGE` on the
/// sequence.
///
/// # Errors
///
/// [`ErrorKind::Store`](crate::ErrorKind::Store) if the column has no sequence, and if the database fails.
pub async fn reserve_ids(
    executor: impl PgExecutor<'_>,
    table: &str,
    column: &str,
    count: u16,
) -> Result<Vec<i64>, Error> {
    let ids: Vec<Option<i64>> = sqlx::query_scalar(RESERVE)
        .bind(table)
        .bind(column)
        .bind(i32::from(count))
        .fetch_all(executor)
        .await
        .map_err(store_error)?;
    let ids: Option<Vec<i64>> = ids.into_iter().collect();
    ids.ok_or_else(|| Error::store("the column takes its values from no sequence", Retry::Never))
}
