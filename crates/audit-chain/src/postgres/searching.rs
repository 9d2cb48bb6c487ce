//! Search, newest first.

use sqlx::{
    PgExecutor, Postgres, Row as _,
    postgres::{PgArguments, PgRow},
    query::Query,
};
use uuid::Uuid;

use super::columns::{self, entry_columns};
use crate::{
    AuditRow, Error,
    error::Repr,
    store::{Filter, Page, shown},
};

// Parts that are not asked for are NULL, and the planner drops their conditions because the
// statement is planned for its values.
macro_rules! matches_filter {
    () => {
        "AND ($2::timestamptz IS NULL OR e.recorded_at >= $2)
        AND ($3::timestamptz IS NULL OR e.recorded_at < $3)
        AND ($4::text IS NULL OR e.actor_id = $4)
        AND ($5::text IS NULL OR e.entity_type = $5)
        AND ($6::text IS NULL OR e.entity_id = $6)
        AND ($7::text IS NULL OR e.action = $7)
        AND ($8::smallint IS NULL OR e.severity >= $8)"
    };
}
#[cfg(feature = "bundle")]
pub(super) use matches_filter;

const SEARCH: &str = concat!(
    "SELECT l.seq, p.field_values, p.salts, ",
    entry_columns!(),
    " FROM stockade.audit_entry e
    LEFT JOIN stockade.audit_link l ON l.entry_id = e.entry_id AND l.tenant_id = e.tenant_id
    LEFT JOIN stockade.audit_payload p ON p.entry_id = e.entry_id AND p.tenant_id = e.tenant_id
    WHERE e.tenant_id = $1 ",
    matches_filter!(),
    " AND ($9::timestamptz IS NULL OR (e.recorded_at, e.entry_id) < ($9, $10::uuid))
    ORDER BY e.recorded_at DESC, e.entry_id DESC LIMIT $11"
);

/// Finds entries, newest first, sealed or not. Pages by key, so the last page is as fast as the
/// first, and counts nothing.
///
/// The application finds only what belongs to the tenant of its transaction, whatever the filter
/// says. Showing an entry verifies nothing.
///
/// # Errors
/// [`Corrupt`](crate::ErrorKind::Corrupt) if a row cannot be read, which verification would say
/// more about; and the errors of the connection.
pub async fn search<'e>(executor: impl PgExecutor<'e>, filter: &Filter) -> Result<Page, Error> {
    let rows = filter
        .bind(sqlx::query(SEARCH))
        .bind(filter.after.map(|cursor| cursor.recorded_at))
        .bind(filter.after.map(|cursor| cursor.entry_id))
        .bind(i64::from(filter.limit) + 1)
        .persistent(false)
        .fetch_all(executor)
        .await?;
    let rows = rows.iter().map(audit_row).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::new(rows, filter))
}

impl Filter {
    /// Gives the first eight parameters of a statement with `matches_filter!` their values.
    pub(super) fn bind<'q>(&'q self, query: Query<'q, Postgres, PgArguments>) -> Query<'q, Postgres, PgArguments> {
        query
            .bind(Uuid::from(self.tenant))
            .bind(self.since)
            .bind(self.until)
            .bind(&self.actor)
            .bind(&self.entity_type)
            .bind(&self.entity_id)
            .bind(&self.action)
            .bind(self.severity.map(|severity| i16::from(severity.code())))
    }
}

fn audit_row(row: &PgRow) -> Result<AuditRow, Error> {
    let id: Uuid = row.try_get("entry_id")?;
    let seq: Option<i64> = row.try_get("seq")?;
    let stored = columns::fields(row).zip(columns::openings(row));
    let shown = stored.and_then(|(fields, openings)| shown(fields, &openings, seq.map(i64::unsigned_abs)));
    shown.ok_or_else(|| Repr::Corrupt(id).into())
}
