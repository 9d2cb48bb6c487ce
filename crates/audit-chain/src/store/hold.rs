//! Legal holds.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::{Actor, Entry, TenantId};

/// An order to keep what a tenant's log holds, for a matter before a court or an authority. While it lasts, what it covers is
/// neither erased nor purged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegalHold {
    actor: Actor,
    matter: String,
    pub(crate) since: Option<DateTime<Utc>>,
    pub(crate) until: Option<DateTime<Utc>>,
}

impl LegalHold {
    /// A hold of everything, placed by this actor for the matter with this id.
    #[must_use]
    pub fn new(actor: Actor, matter: impl fmt::Display) -> Self {
        Self { actor, matter: matter.to_string(), since: None, until: None }
    }

    /// Only of entries recorded at this time or later.
    #[must_use]
    pub const fn since(mut self, time: DateTime<Utc>) -> Self {
        self.since = Some(time);
        self
    }

    /// Only of entries recorded before this time.
    #[must_use]
    pub const fn until(mut self, time: DateTime<Utc>) -> Self {
        self.until = Some(time);
        self
    }

    /// The entry that records the hold.
    pub(crate) fn entry(&self, tenant: TenantId) -> Entry {
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
        let terms = json!({ "matter": self.matter, "since": self.since.map(time), "until": self.until.map(time) });
        Entry::new(tenant, self.actor.clone().unnamed(), "audit.hold_placed").after(terms)
    }

    /// The entry that records the release of a hold.
    pub(crate) fn release(tenant: TenantId, hold: Uuid, actor: Actor, reason: &str) -> Entry {
        let entry = Entry::new(tenant, actor.unnamed(), "audit.hold_released").entity("legal_hold", hold);
        entry.after(json!({ "reason": reason }))
    }
}
