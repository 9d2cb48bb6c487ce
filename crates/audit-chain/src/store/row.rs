//! An entry as a page shows it.

use std::{fmt, net::IpAddr};

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::{ActorKind, Outcome, Severity, TenantId};

/// An entry, read back for people. Showing a row verifies nothing.
///
/// Personal values stand where they were recorded. `Debug` leaves them out.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct AuditRow {
    /// The entry.
    pub entry_id: Uuid,
    /// Whose log.
    pub tenant: TenantId,
    /// The number in the tenant's chain; `None` until the entry is sealed.
    pub seq: Option<u64>,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// When it happened, if that was another time.
    pub occurred_at: Option<DateTime<Utc>>,
    /// What was done.
    pub action: String,
    /// How much it matters.
    pub severity: Severity,
    /// How it ended.
    pub outcome: Outcome,
    /// What kind of party acted.
    pub actor_kind: ActorKind,
    /// Who acted.
    pub actor_id: String,
    /// Display name of the actor. Personal.
    pub actor_name: Option<String>,
    /// In which role.
    pub actor_role: Option<String>,
    /// Whose rights the actor used.
    pub on_behalf_of: Option<String>,
    /// Under which impersonation grant.
    pub impersonation: Option<String>,
    /// The type of what it was done to.
    pub entity_type: Option<String>,
    /// The id of what it was done to.
    pub entity_id: Option<String>,
    /// The state before, personal values included.
    pub before: Option<Value>,
    /// The state after, personal values included.
    pub after: Option<Value>,
    /// JSON Pointers of what differs between the two states.
    pub changes: Vec<String>,
    /// The client's address. Personal.
    pub ip: Option<IpAddr>,
    /// The client's user agent. Personal.
    pub user_agent: Option<String>,
    /// The HTTP method.
    pub method: Option<String>,
    /// The route template.
    pub endpoint: Option<String>,
    /// The HTTP status.
    pub status: Option<u16>,
    /// The id in the application's own logs.
    pub request_id: Option<String>,
}

impl AuditRow {
    /// Whether the entry has its place in the chain.
    #[must_use]
    pub const fn is_sealed(&self) -> bool {
        self.seq.is_some()
    }
}

impl fmt::Debug for AuditRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditRow")
            .field("entry_id", &self.entry_id)
            .field("tenant", &self.tenant)
            .field("seq", &self.seq)
            .field("recorded_at", &self.recorded_at)
            .field("action", &self.action)
            .field("actor_id", &self.actor_id)
            .finish_non_exhaustive()
    }
}
