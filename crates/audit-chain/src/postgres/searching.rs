//! Search, newest first.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{
    Executor, Postgres, Row as _,
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
pub(super) use matches_filter;

// The ids are bounded too, because partitions are ranges of them: those outside are not even opened. And the times by the ids, because
// the indexes are ordered by time: a page begins where the one before ended.
const SEARCH: &str = concat!(
    "SELECT l.seq, p.field_values, p.salts, ",
    entry_columns!(),
    " FROM stockade.audit_entry e
    LEFT JOIN stockade.audit_link l ON l.entry_id = e.entry_id AND l.tenant_id = e.tenant_id
    LEFT JOIN stockade.audit_payload p ON p.entry_id = e.entry_id AND p.tenant_id = e.tenant_id
        AND ($9::uuid IS NULL OR p.entry_id >= $9) AND ($10::uuid IS NULL OR p.entry_id < $10)
    WHERE e.tenant_id = $1 ",
    matches_filter!(),
    " AND ($9::uuid IS NULL OR e.entry_id >= $9) AND ($10::uuid IS NULL OR e.entry_id < $10)
        AND ($11::timestamptz IS NULL OR e.recorded_at < $11)
    ORDER BY e.recorded_at DESC, e.entry_id DESC LIMIT $12"
);

/// Finds entries, newest first, sealed or not. Pages by key, so the last page is as fast as the
/// first, and counts nothing.
///
/// Looks at the last two months first and further back, in steps that double, only while the page is not full; so a page of a log of
/// many months opens the partitions of few. That takes up to six statements.
///
/// The application finds only what belongs to the tenant of its transaction, whatever the filter
/// says. Showing an entry verifies nothing.
///
/// # Errors
/// [`Corrupt`](crate::ErrorKind::Corrupt) if a row cannot be read, which verification would say
/// more about; and the errors of the connection.
pub async fn search<E>(executor: &mut E, filter: &Filter) -> Result<Page, Error>
where
    E: ?Sized,
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    let wanted = usize::try_from(filter.limit).unwrap_or(usize::MAX).saturating_add(1);
    let mut rows = Vec::new();
    for (from, before) in windows(filter, Utc::now()) {
        let missing = i64::try_from(wanted - rows.len()).unwrap_or(i64::MAX);
        let earlier = before.and_then(|id| time_of(id).checked_add_signed(MILLISECOND));
        let found = filter.bind(sqlx::query(SEARCH)).bind(from).bind(before).bind(earlier).bind(missing);
        let found = found.persistent(false).fetch_all(&mut *executor).await?;
        rows.extend(found.iter().map(audit_row).collect::<Result<Vec<_>, _>>()?);
        if rows.len() >= wanted {
            break;
        }
    }
    Ok(Page::new(rows, filter))
}

/// Ranges of ids that follow each other downwards and hold all that the filter can find: each from its first id to before its end.
/// The order of ids is that of the times, because an id begins with the milliseconds of its entry's.
fn windows(filter: &Filter, now: DateTime<Utc>) -> Vec<(Option<Uuid>, Option<Uuid>)> {
    let until = filter.until.and_then(|until| until.checked_add_signed(MILLISECOND)).map(first_id);
    let end = filter.after.map(|cursor| cursor.entry_id).into_iter().chain(until).min();
    let start = filter.since.map(first_id);
    let newest = end.map_or(now, |end| now.min(time_of(end)));
    let steps = DAYS_BACK.iter().filter_map(|days| newest.checked_sub_signed(TimeDelta::days(*days))).map(first_id);
    let mut before = end;
    let mut windows = Vec::new();
    for step in steps.filter(|step| start.is_none_or(|start| start < *step) && end.is_none_or(|end| *step < end)) {
        windows.push((Some(step), before));
        before = Some(step);
    }
    windows.push((start, before));
    windows
}

const MILLISECOND: TimeDelta = TimeDelta::milliseconds(1);

/// How far each step reaches; the last has no end.
const DAYS_BACK: [i64; 5] = [62, 124, 248, 496, 992];

fn first_id(time: DateTime<Utc>) -> Uuid {
    Uuid::from_u128(u128::try_from(time.timestamp_millis()).unwrap_or(0) << 80)
}

fn time_of(id: Uuid) -> DateTime<Utc> {
    let millis = i64::try_from(id.as_u128() >> 80).ok();
    millis.and_then(DateTime::from_timestamp_millis).unwrap_or(DateTime::<Utc>::MAX_UTC)
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

pub(super) fn audit_row(row: &PgRow) -> Result<AuditRow, Error> {
    let id: Uuid = row.try_get("entry_id")?;
    let seq: Option<i64> = row.try_get("seq")?;
    let stored = columns::fields(row).zip(columns::openings(row));
    let shown = stored.and_then(|(fields, openings)| shown(fields, &openings, seq.map(i64::unsigned_abs)));
    shown.ok_or_else(|| Repr::Corrupt(id).into())
}
