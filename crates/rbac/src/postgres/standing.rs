//! What a person has, as it is stored.

use chrono::{DateTime, Utc};

use crate::ident::UserId;
use crate::reason::Reason;
use crate::scope::Scope;

/// Whether a member may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// The member may.
    Active,
    /// The member has no authority until it is reinstated, and keeps its roles.
    Suspended,
}

/// What a person has in a tenant, as it is stored, expired grants included: for lists of members, and for the audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// `None` for somebody who is not a member.
    pub status: Option<Status>,
    /// Roles, in the order in which they were granted.
    pub roles: Vec<HeldRole>,
    /// Exceptions, in the order in which they were granted.
    pub overrides: Vec<HeldOverride>,
}

/// A role that somebody has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldRole {
    /// Its name, which the policy may no longer know.
    pub role: String,
    /// Who granted it.
    pub granted_by: UserId,
    /// When.
    pub granted_at: DateTime<Utc>,
    /// Why.
    pub reason: Reason,
    /// The first moment at which it no longer holds.
    pub expires_at: Option<DateTime<Utc>>,
}

/// An exception that somebody has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldOverride {
    /// The key of the permission, which the application may no longer know.
    pub permission: String,
    /// The scope of an allow; `None` for a denial.
    pub scope: Option<Scope>,
    /// Who granted it.
    pub granted_by: UserId,
    /// When.
    pub granted_at: DateTime<Utc>,
    /// Why.
    pub reason: Reason,
    /// The first moment at which it no longer holds.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Status {
    /// The name in the database: `active` or `suspended`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }

    /// What is not known to be active is not.
    pub(super) fn named(name: &str) -> Self {
        if name == Self::Active.name() { Self::Active } else { Self::Suspended }
    }
}
