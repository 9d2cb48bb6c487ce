//! The control `crypto.fields`: how the values of each registered column are kept.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use stockade_field_crypto::postgres::{ColumnCoverage, SealedColumns};

use crate::{
    collector::{Collector, from_fn},
    control::ControlId,
    observation::{Observation, Subject},
    postgres::read_only::{close, open, unreadable},
};

const NAME: &str = "field_crypto.fields";

const CONTROLS: [ControlId; 1] = [ControlId::CRYPTO_FIELDS];

/// Measures `crypto.fields`: for each registered column, that every value is sealed under the key that seals now.
///
/// Plain text, something that is no sealed value, a value under an older key, and one under a key that nobody knows (or that this role does not
/// see) each fail the column. Values whose keys were destroyed are what a shred leaves, and are only counted. A column of
/// which this connection sees no row is unknown: row-level security may hide them. Every row of each table is read.
pub fn fields<'a>(connection: &'a mut PgConnection, columns: &'a SealedColumns) -> impl Collector + 'a {
    from_fn(NAME, &CONTROLS, async move |at| {
        let mut reading = open(connection).await?;
        let seen = columns.coverage(&mut reading).await.map_err(unreadable);
        let columns = close(reading, seen).await?;
        Ok(columns.iter().map(|column| judge(column, at)).collect())
    })
}

fn judge(column: &ColumnCoverage, at: DateTime<Utc>) -> Observation {
    let (control, totals) = (ControlId::CRYPTO_FIELDS, column.totals());
    let subject = Subject::new(format!("{}.{}", column.table, column.column));
    let fail = |reason| Observation::fail(control, subject.clone(), at, reason);
    let seen = if totals.plain > 0 {
        fail("values are in the clear").remedy("Rewriter::backfill for each tenant")
    } else if totals.malformed > 0 {
        fail("something else than sealed values is in the column")
    } else if totals.lost > 0 {
        fail("values are under keys that are not in the key store")
    } else if totals.older > 0 {
        fail("values are under older keys").remedy("Rewriter::rewrite for each tenant")
    } else if column.tenants.is_empty() {
        Observation::unknown(control, subject, at, "no row of the table is visible to this connection")
    } else {
        Observation::pass(control, subject, at)
    };
    seen.fact("sealed", totals.current)
        .fact("older_key", totals.older)
        .fact("plain", totals.plain)
        .fact("unknown_key", totals.lost)
        .fact("malformed", totals.malformed)
        .fact("shredded", totals.destroyed)
        .fact("empty", totals.null)
        .fact("tenants", column.tenants.len())
        .by(NAME)
}
