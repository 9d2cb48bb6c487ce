//! What a search asks for and what it gives back.

use std::{fmt, num::NonZeroU32, str::FromStr};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{AuditRow, Error, Severity, TenantId, error::Repr};

/// Which entries of a tenant to look for. Without further parts: all, fifty to a page.
#[derive(Clone, Debug)]
pub struct Filter {
    pub(crate) tenant: TenantId,
    pub(crate) since: Option<DateTime<Utc>>,
    pub(crate) until: Option<DateTime<Utc>>,
    pub(crate) actor: Option<String>,
    pub(crate) entity_type: Option<String>,
    pub(crate) entity_id: Option<String>,
    pub(crate) action: Option<String>,
    pub(crate) severity: Option<Severity>,
    pub(crate) after: Option<Cursor>,
    pub(crate) limit: u32,
}

/// Where a page ended. `Display` and `FromStr` are for the address of the next page; a forged
/// cursor shows nothing that its bearer may not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) recorded_at: DateTime<Utc>,
    pub(crate) entry_id: Uuid,
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

impl Page {
    /// A page of what a query found that was asked for one row more than the filter wants.
    pub(crate) fn new(mut rows: Vec<AuditRow>, filter: &Filter) -> Self {
        let wanted = usize::try_from(filter.limit).unwrap_or(usize::MAX);
        let more = rows.len() > wanted;
        rows.truncate(wanted);
        let last = rows.last().filter(|_| more);
        let next = last.map(|row| Cursor { recorded_at: row.recorded_at, entry_id: row.entry_id });
        Self { rows, next }
    }
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

    /// Whose entries.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// What is asked for, in words for a reader of the log.
    #[cfg(all(feature = "bundle", feature = "postgres"))]
    pub(crate) fn words(&self) -> std::collections::BTreeMap<String, String> {
        let time = |time: DateTime<Utc>| time.to_rfc3339();
        let words = [
            ("since", self.since.map(time)),
            ("until", self.until.map(time)),
            ("actor", self.actor.clone()),
            ("entity_type", self.entity_type.clone()),
            ("entity_id", self.entity_id.clone()),
            ("action", self.action.clone()),
            ("at_least", self.severity.map(|severity| severity.as_str().to_owned())),
        ];
        words.into_iter().filter_map(|(name, word)| Some((name.to_owned(), word?))).collect()
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

    /// Reads what `Display` writes, and nothing else.
    fn from_str(text: &str) -> Result<Self, Error> {
        let cursor = text.split_once('_').and_then(|(time, id)| {
            // No entry is older than 1970, and no database holds every time before.
            let recorded_at = DateTime::from_timestamp_millis(time.parse::<u64>().ok()?.try_into().ok()?)?;
            Some(Self { recorded_at, entry_id: Uuid::try_parse(id).ok()? })
        });
        let cursor = cursor.filter(|cursor: &Self| cursor.to_string() == text);
        cursor.ok_or_else(|| Repr::Malformed("the text is not a cursor").into())
    }
}
