//! Search, newest first.

use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    appending,
    columns::{self, Payloads, entry_columns},
};
use crate::{
    AuditRow, Error,
    error::Repr,
    store::{Filter, Page, shown},
};

// SQLite plans a statement without its values, so the condition that an index leads with must stand
// in the text; the others may be absent.
macro_rules! search {
    ($lead:literal) => {
        concat!(
            "SELECT l.seq, ",
            entry_columns!(),
            " FROM main.stockade_audit_entry e
            LEFT JOIN main.stockade_audit_link l ON l.entry_id = e.entry_id AND l.tenant_id = e.tenant_id
            WHERE e.tenant_id = ?1 AND e.recorded_at >= ?2 AND e.recorded_at < ?3",
            $lead,
            " AND (?4 IS NULL OR e.actor_id = ?4)
                AND (?5 IS NULL OR e.entity_type = ?5)
                AND (?6 IS NULL OR e.entity_id = ?6)
                AND (?7 IS NULL OR e.action = ?7)
                AND (?8 IS NULL OR e.severity >= ?8)
                AND (e.recorded_at, e.entry_id) < (?9, ?10)
            ORDER BY e.recorded_at DESC, e.entry_id DESC LIMIT ?11"
        )
    };
}

/// Finds entries of the filter's tenant, newest first. Pages by key, so the last page is as fast as
/// the first, and counts nothing.
///
/// Nothing but the filter holds the tenant: SQLite has no row-level security. Showing an entry
/// verifies nothing.
///
/// # Errors
/// [`Corrupt`](crate::ErrorKind::Corrupt) if a row cannot be read, which verification would say
/// more about; and the errors of the connection.
pub async fn search(connection: &mut SqliteConnection, filter: &Filter) -> Result<Page, Error> {
    let millis = |time: chrono::DateTime<chrono::Utc>| time.timestamp_millis();
    let after = filter.after.map(|cursor| (millis(cursor.recorded_at), cursor.entry_id));
    let (before_time, before_id) = after.unwrap_or((i64::MAX, Uuid::nil()));
    let rows = sqlx::query(statement(filter))
        .bind(Uuid::from(filter.tenant))
        .bind(filter.since.map_or(i64::MIN, appending::ceil_millis))
        .bind(filter.until.map_or(i64::MAX, appending::ceil_millis))
        .bind(&filter.actor)
        .bind(&filter.entity_type)
        .bind(&filter.entity_id)
        .bind(&filter.action)
        .bind(filter.severity.map(|severity| severity.code()))
        .bind(before_time)
        .bind(before_id)
        .bind(i64::from(filter.limit) + 1)
        .fetch_all(&mut *connection)
        .await?;
    let payloads = columns::payloads(connection, &rows).await?;
    let rows = rows.iter().map(|row| audit_row(row, &payloads)).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::new(rows, filter))
}

const fn statement(filter: &Filter) -> &'static str {
    match (&filter.entity_type, &filter.entity_id, &filter.actor, &filter.action) {
        (Some(_), Some(_), _, _) => search!(" AND e.entity_type = ?5 AND e.entity_id = ?6"),
        (_, _, Some(_), _) => search!(" AND e.actor_id = ?4"),
        (_, _, _, Some(_)) => search!(" AND e.action = ?7"),
        (Some(_), _, _, _) => search!(" AND e.entity_type = ?5"),
        _ => search!(""),
    }
}

fn audit_row(row: &SqliteRow, payloads: &Payloads) -> Result<AuditRow, Error> {
    let id: Uuid = row.try_get("entry_id")?;
    let seq: Option<i64> = row.try_get("seq")?;
    let shown = columns::fields(row).and_then(|fields| {
        let openings = columns::openings(&fields, payloads)?;
        shown(fields, &openings, seq.map(i64::unsigned_abs))
    });
    shown.ok_or_else(|| Repr::Corrupt(id).into())
}
