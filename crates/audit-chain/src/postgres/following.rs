//! What is new in a log, oldest first.

use sqlx::{Executor, Postgres};

use super::{
    columns::entry_columns,
    searching::{audit_row, matches_filter},
};
use crate::{AuditRow, Error, store::Filter};

const FOLLOW: &str = concat!(
    "SELECT l.seq, p.field_values, p.salts, ",
    entry_columns!(),
    " FROM stockade.audit_link l
    JOIN stockade.audit_entry e ON e.entry_id = l.entry_id AND e.tenant_id = l.tenant_id
    LEFT JOIN stockade.audit_payload p ON p.entry_id = e.entry_id AND p.tenant_id = e.tenant_id
    WHERE l.tenant_id = $1 AND l.seq > $9 ",
    matches_filter!(),
    " ORDER BY l.seq LIMIT $10"
);

/// The sealed entries behind number `seq` that the filter finds, in the order of the chain: for whoever has seen the log up to there.
///
/// As many as the filter's limit; what comes behind the last of them is found by asking again with its number. A cursor of the filter
/// is not looked at. No entry is left out for good: the numbers of a tenant's chain become visible in their order.
///
/// The application finds only what belongs to the tenant of its transaction, whatever the filter says. Showing an entry verifies
/// nothing.
///
/// # Errors
/// [`Corrupt`](crate::ErrorKind::Corrupt) if a row cannot be read; and the errors of the connection.
pub async fn follow<E>(executor: &mut E, filter: &Filter, seq: u64) -> Result<Vec<AuditRow>, Error>
where
    E: ?Sized,
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    // No number of a chain is beyond the type of its column.
    let seq = i64::try_from(seq).unwrap_or(i64::MAX);
    let query = filter.bind(sqlx::query(FOLLOW)).bind(seq).bind(i64::from(filter.limit)).persistent(false);
    query.fetch_all(&mut *executor).await?.iter().map(audit_row).collect()
}
