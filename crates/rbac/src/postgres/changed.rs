//! What was changed, for the audit log.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::invitation::Invitation;
use super::members::SharedWith;
use super::standing::Standing;
use crate::ident::{TenantId, UserId};
use crate::reason::Reason;
use crate::scope::Scope;
use crate::share::ShareLevel;

/// A change of what a person may do, as it was written: append it to the audit log in the same transaction.
///
/// It names people and holds reasons, which are personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a change of authority belongs in the audit log, in the same transaction"]
#[non_exhaustive]
pub struct Changed {
    /// Where.
    pub tenant: TenantId,
    /// Who did it. For an accepted invitation, who invited.
    pub by: UserId,
    /// Whose authority it is.
    pub target: UserId,
    /// What was done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// When, by the clock of the database.
    pub at: DateTime<Utc>,
    /// What the target had before.
    pub before: Standing,
    /// What the target has now.
    pub after: Standing,
}

/// What was done to somebody's authority.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// The tenant's first member came, with this role.
    Found {
        /// The role.
        role: String,
    },
    /// A member came, without a role.
    Admit,
    /// An invited member came, with the role of the invitation.
    Accept {
        /// The invitation, as it was.
        invitation: Box<Invitation>,
    },
    /// A role was given.
    Assign {
        /// The role.
        role: String,
        /// The first moment at which it no longer holds.
        until: Option<DateTime<Utc>>,
    },
    /// A role was taken.
    Revoke {
        /// The role.
        role: String,
    },
    /// An exception was made.
    Except {
        /// The key of the permission.
        permission: &'static str,
        /// The scope of an allow; `None` for a denial.
        scope: Option<Scope>,
        /// The first moment at which it no longer holds.
        until: Option<DateTime<Utc>>,
    },
    /// An exception was ended.
    Lift {
        /// The key of the permission.
        permission: &'static str,
        /// The scope that an allow had; `None` for a denial.
        scope: Option<Scope>,
    },
    /// The member may do nothing for now.
    Suspend,
    /// The member may do again what it could.
    Reinstate,
    /// The member is none any more.
    Remove,
}

impl Action {
    /// A name for the audit log: `role.assign`, `member.suspend` and so on.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Found { .. } => "tenant.found",
            Self::Admit => "member.admit",
            Self::Accept { .. } => "invitation.accept",
            Self::Assign { .. } => "role.assign",
            Self::Revoke { .. } => "role.revoke",
            Self::Except { .. } => "override.set",
            Self::Lift { .. } => "override.lift",
            Self::Suspend => "member.suspend",
            Self::Reinstate => "member.reinstate",
            Self::Remove => "member.remove",
        }
    }
}

/// A share of a row, as it was written or removed: append it to the audit log in the same transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a change of authority belongs in the audit log, in the same transaction"]
#[non_exhaustive]
pub struct Shared {
    /// Where.
    pub tenant: TenantId,
    /// Who shared it, or ended the share.
    pub by: UserId,
    /// The share.
    pub share: Uuid,
    /// The kind of the row.
    pub kind: String,
    /// The row.
    pub row: Uuid,
    /// With whom.
    pub with: SharedWith,
    /// What it is or was good for.
    pub level: ShareLevel,
    /// When, by the clock of the database.
    pub at: DateTime<Utc>,
}
