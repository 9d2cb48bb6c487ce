//! What happened, put together by the application.

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{Error, PersonalPaths, Record, commitment::Seed, error::Repr};

mod actor;
mod compose;
mod request;
mod severity;
mod tenant;

pub use actor::{Actor, ActorKind};
pub(crate) use compose::Composed;
pub use request::RequestContext;
pub use severity::{Outcome, Severity};
pub use tenant::TenantId;

/// Something that happened. The tenant, the actor and the action are required; the rest is added by
/// name.
///
/// Building cannot fail; recording can, with
/// [`ErrorKind::InvalidEntry`](crate::ErrorKind::InvalidEntry), if a part is empty or longer than
/// 256 bytes (user agent, role, route and names: 4096), if a text or a JSON value holds U+0000, if
/// JSON is nested more than 100 levels deep, or if everything together is longer than
/// [`MAX_ENVELOPE`](crate::format::MAX_ENVELOPE).
///
/// `Debug` shows neither the states nor the request's personal values.
#[derive(Clone, PartialEq)]
pub struct Entry {
    tenant: TenantId,
    actor: Actor,
    action: String,
    entity: Option<(String, String)>,
    before: Option<Value>,
    after: Option<Value>,
    personal: Vec<String>,
    declared: PersonalPaths,
    request: RequestContext,
    severity: Severity,
    outcome: Outcome,
    occurred_at: Option<DateTime<Utc>>,
}

impl Entry {
    /// An entry of severity [`Info`](Severity::Info) and outcome [`Success`](Outcome::Success). The
    /// action is a stable name such as `invoice.update`.
    #[must_use]
    pub fn new(tenant: TenantId, actor: Actor, action: impl Into<String>) -> Self {
        Self {
            tenant,
            actor,
            action: action.into(),
            entity: None,
            before: None,
            after: None,
            personal: Vec::new(),
            declared: PersonalPaths::new(),
            request: RequestContext::new(),
            severity: Severity::default(),
            outcome: Outcome::default(),
            occurred_at: None,
        }
    }

    /// What it was done to: a type such as `invoice`, and an id.
    #[must_use]
    pub fn entity(mut self, kind: impl Into<String>, id: impl fmt::Display) -> Self {
        self.entity = Some((kind.into(), id.to_string()));
        self
    }

    /// The state before; leave it out for a creation. With both states given, the paths of what
    /// changed are recorded too.
    #[must_use]
    pub fn before(mut self, state: impl Into<Value>) -> Self {
        self.before = Some(state.into());
        self
    }

    /// The state after; leave it out for a deletion.
    #[must_use]
    pub fn after(mut self, state: impl Into<Value>) -> Self {
        self.after = Some(state.into());
        self
    }

    /// Which values of the two states are personal, as JSON Pointers (RFC 6901) such as
    /// `/driver/ssn`. A pointer that finds nothing is ignored. The values are stored apart from
    /// what is hashed, under commitments.
    #[must_use]
    pub fn personal(mut self, pointers: &[&str]) -> Self {
        self.personal.extend(pointers.iter().map(|&pointer| pointer.to_owned()));
        self
    }

    /// The same, as declared for the entry's action and entity type. Adds to what [`personal`](Self::personal) names.
    #[must_use]
    pub fn personal_by(mut self, paths: &PersonalPaths) -> Self {
        self.declared = paths.clone();
        self
    }

    /// The HTTP request that led to it.
    #[must_use]
    pub fn request(mut self, request: RequestContext) -> Self {
        self.request = request;
        self
    }

    /// How much it matters.
    #[must_use]
    pub const fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// How it ended.
    #[must_use]
    pub const fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// When it happened, if that was not now: for events that arrive late. Kept to the millisecond.
    #[must_use]
    pub const fn occurred_at(mut self, time: DateTime<Utc>) -> Self {
        self.occurred_at = Some(time);
        self
    }

    /// The entry as it would be stored, recorded at `now` (to the millisecond) with a fresh id and
    /// fresh salts.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidEntry`](crate::ErrorKind::InvalidEntry) if a part cannot be recorded,
    /// [`ErrorKind::Randomness`](crate::ErrorKind::Randomness) if the operating system gives no
    /// random bytes.
    pub fn record_at(&self, now: DateTime<Utc>) -> Result<Record, Error> {
        self.compose(now)?.into_record()
    }

    pub(crate) fn compose(&self, now: DateTime<Utc>) -> Result<Composed, Error> {
        let mut random = [0; 10];
        getrandom::fill(&mut random).map_err(Repr::Random)?;
        Composed::new(self, now, random, &Seed::random()?)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("tenant", &self.tenant)
            .field("actor", &self.actor)
            .field("action", &self.action)
            .field("entity", &self.entity)
            .field("severity", &self.severity)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}
