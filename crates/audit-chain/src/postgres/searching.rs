//! Search, newest first.

use std::{fmt, num::NonZeroU32, str::FromStr};

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{columns::entry_columns, showing};
use crate::{AuditRow, Error, Severity, TenantId, error::Repr};

/// Which entries of a tenant to look for. Without further parts: all, fifty to a page.
#[derive(Clone, Debug)]
pub struct Filter {
    tenant: TenantId,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    actor: Option<String>,
    entity_type: Option<String>,
    entity_id: Option<String>,
    action: Option<String>,
    severity: Option<Severity>,
    after: Option<Cursor>,
    limit: u32,
}

/// Where a page ended. `Display` and `FromStr` are for the address of the next page; a forged
/// cursor shows nothing that its bearer may not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    recorded_at: DateTime<Utc>,
    entry_id: Uuid,
}

/// A page of entries, newest first.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Page {
    /// The entries.
    pub rows: Vec<AuditRow>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<Cursor>,
}

impl Filter {
    /// The most entries on a page.
    pub const MAX_LIMIT: u32 = 1_000;

    /// Everything of a tenant.
    #[must_use]
    pub const fn new(tenant: TenantId) -> Self {
        Self {
            tenant,
            since: None,
            until: None,
            actor: None,
            entity_type: None,
            entity_id: None,
            action: None,
            severity: None,
            after: None,
            limit: 50,
        }
    }

    /// Recorded at this time or later.
    #[must_use]
    pub const fn since(mut self, time: DateTime<Utc>) -> Self {
        self.since = Some(time);
        self
    }

    /// Recorded before this time.
    #[must_use]
    pub const fn until(mut self, time: DateTime<Utc>) -> Self {
        self.until = Some(time);
        self
    }

    /// By the actor with this id.
    #[must_use]
    pub fn actor(mut self, id: impl fmt::Display) -> Self {
        self.actor = Some(id.to_string());
        self
    }

    /// About entities of this type.
    #[must_use]
    pub fn entity_type(mut self, kind: impl Into<String>) -> Self {
        self.entity_type = Some(kind.into());
        self
    }

    /// About this entity.
    #[must_use]
    pub fn entity(mut self, kind: impl Into<String>, id: impl fmt::Display) -> Self {
        self.entity_id = Some(id.to_string());
        self.entity_type(kind)
    }

    /// With exactly this action.
    #[must_use]
    pub fn action(mut self, action: impl Into<String>) -> Self {
        self.action = Some(action.into());
        self
    }

    /// Of this severity or a higher one.
    #[must_use]
    pub const fn at_least(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }

    /// The page that begins where another ended.
    #[must_use]
    pub const fn after(mut self, cursor: Cursor) -> Self {
        self.after = Some(cursor);
        self
    }

    /// How many entries to a page, at most [`MAX_LIMIT`](Self::MAX_LIMIT).
    #[must_use]
    pub fn limit(mut self, entries: NonZeroU32) -> Self {
        self.limit = entries.get().min(Self::MAX_LIMIT);
        self
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.recorded_at.timestamp_millis(), self.entry_id.simple())
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let cursor = text.split_once('_').and_then(|(time, id)| {
            let recorded_at = DateTime::from_timestamp_millis(time.parse().ok()?)?;
            Some(Self { recorded_at, entry_id: Uuid::try_parse(id).ok()? })
        });
        cursor.ok_or_else(|| Repr::Malformed("the text is not a cursor").into())
    }
}

// Parts that are not asked for are NULL, and the planner drops their conditions because the
// statement is planned for its values.
const SEARCH: &str = concat!(
    "SELECT l.seq, p.field_values, p.salts, ",
    entry_columns!(),
    " FROM stockade.audit_entry e
    LEFT JOIN stockade.audit_link l ON l.entry_id = e.entry_id AND l.tenant_id = e.tenant_id
    LEFT JOIN stockade.audit_payload p ON p.entry_id = e.entry_id AND p.tenant_id = e.tenant_id
    WHERE e.tenant_id = $1
        AND ($2::timestamptz IS NULL OR e.recorded_at >= $2)
        AND ($3::timestamptz IS NULL OR e.recorded_at < $3)
        AND ($4::text IS NULL OR e.actor_id = $4)
        AND ($5::text IS NULL OR e.entity_type = $5)
        AND ($6::text IS NULL OR e.entity_id = $6)
        AND ($7::text IS NULL OR e.action = $7)
        AND ($8::smallint IS NULL OR e.severity >= $8)
        AND ($9::timestamptz IS NULL OR (e.recorded_at, e.entry_id) < ($9, $10::uuid))
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
    let mut rows = sqlx::query(SEARCH)
        .bind(Uuid::from(filter.tenant))
        .bind(filter.since)
        .bind(filter.until)
        .bind(&filter.actor)
        .bind(&filter.entity_type)
        .bind(&filter.entity_id)
        .bind(&filter.action)
        .bind(filter.severity.map(|severity| i16::from(severity.code())))
        .bind(filter.after.map(|cursor| cursor.recorded_at))
        .bind(filter.after.map(|cursor| cursor.entry_id))
        .bind(i64::from(filter.limit) + 1)
        .persistent(false)
        .fetch_all(executor)
        .await?;
    let wanted = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let more = rows.len() > wanted;
    rows.truncate(wanted);
    let rows = rows.iter().map(showing::audit_row).collect::<Result<Vec<_>, _>>()?;
    let next = rows.last().filter(|_| more).map(|row| Cursor { recorded_at: row.recorded_at, entry_id: row.entry_id });
    Ok(Page { rows, next })
}
