//! A shred, from the request to its end.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::error::Error;
use crate::id::{SubjectId, TenantId};
use crate::postgres::shreds::unknown_state;

/// The name of a shred.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ShredId(Uuid);

/// Whose keys are destroyed.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ShredTarget {
    /// All keys of a tenant, those of its subjects among them.
    Tenant(TenantId),
    /// The key of one subject of a tenant.
    Subject(TenantId, SubjectId),
}

/// A wish to destroy, for [`PgShreds::schedule`](super::PgShreds::schedule).
#[derive(Clone, Debug)]
pub struct ShredRequest {
    pub(crate) id: ShredId,
    pub(crate) target: ShredTarget,
    pub(crate) reason: String,
    pub(crate) by: String,
    pub(crate) grace: Duration,
}

/// A shred as it is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Shred {
    /// Its name.
    pub id: ShredId,
    /// Whose keys.
    pub target: ShredTarget,
    /// Why, for example the number of a request under article 17 of the GDPR.
    pub reason: String,
    /// Who asked for it.
    pub requested_by: String,
    /// When.
    pub requested_at: DateTime<Utc>,
    /// It is not executed before, by the database's clock.
    pub execute_after: DateTime<Utc>,
    /// What became of it.
    pub state: ShredState,
}

/// What became of a shred.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ShredState {
    /// Nothing yet.
    Scheduled,
    /// It was called off.
    Cancelled {
        /// When.
        at: DateTime<Utc>,
        /// By whom.
        by: String,
    },
    /// The keys were destroyed.
    Executed {
        /// When.
        at: DateTime<Utc>,
        /// By whom.
        by: String,
    },
}

impl ShredId {
    /// A new name.
    fn random() -> Result<Self, Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(Error::randomness)?;
        Ok(Self(uuid::Builder::from_random_bytes(bytes).into_uuid()))
    }
}

impl From<Uuid> for ShredId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl From<ShredId> for Uuid {
    fn from(id: ShredId) -> Self {
        id.0
    }
}

impl fmt::Display for ShredId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ShredTarget {
    /// The tenant.
    #[must_use]
    pub const fn tenant(self) -> TenantId {
        match self {
            Self::Tenant(tenant) | Self::Subject(tenant, _) => tenant,
        }
    }

    /// The subject; `None` if the whole tenant is meant.
    #[must_use]
    pub const fn subject(self) -> Option<SubjectId> {
        match self {
            Self::Tenant(_) => None,
            Self::Subject(_, subject) => Some(subject),
        }
    }

    pub(crate) fn of(tenant: Uuid, subject: Option<Uuid>) -> Self {
        let tenant = tenant.into();
        subject.map_or(Self::Tenant(tenant), |subject| Self::Subject(tenant, subject.into()))
    }
}

impl ShredRequest {
    /// The time in which a shred can be called off, unless another is asked for: seven days.
    pub const GRACE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

    /// A request by `by`, for `reason`, with a grace of seven days. Both are kept for ever, so they should name a person by an
    /// identifier and not otherwise.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Randomness`](crate::ErrorKind::Randomness) if the system's generator fails.
    pub fn new(target: ShredTarget, reason: impl Into<String>, by: impl Into<String>) -> Result<Self, Error> {
        Ok(Self { id: ShredId::random()?, target, reason: reason.into(), by: by.into(), grace: Self::GRACE })
    }

    /// Another grace, in whole seconds. Without any the shred is due at once.
    #[must_use]
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }
}

/// `shred_id, tenant_id, subject_id, reason, requested_by, requested_at, execute_after, state, ended_by, ended_at`.
pub(crate) type ShredRow = (
    Uuid,
    Uuid,
    Option<Uuid>,
    String,
    String,
    DateTime<Utc>,
    DateTime<Utc>,
    String,
    Option<String>,
    Option<DateTime<Utc>>,
);

impl Shred {
    pub(crate) fn of(row: ShredRow) -> Result<Self, Error> {
        let (id, tenant, subject, reason, requested_by, requested_at, execute_after, state, by, at) = row;
        let state = match (&*state, by, at) {
            ("scheduled", None, None) => ShredState::Scheduled,
            ("cancelled", Some(by), Some(at)) => ShredState::Cancelled { at, by },
            ("executed", Some(by), Some(at)) => ShredState::Executed { at, by },
            _ => return Err(unknown_state()),
        };
        let target = ShredTarget::of(tenant, subject);
        Ok(Self { id: id.into(), target, reason, requested_by, requested_at, execute_after, state })
    }
}
