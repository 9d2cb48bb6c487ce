//! The answer, and why.

mod explain;

use chrono::{DateTime, Utc};

use crate::actor::{Authority, Ceiling};
use crate::denied::Denied;
use crate::ident::UserId;
use crate::mode::Impersonating;
use crate::permission::Permission;
use crate::reason::Reason;
use crate::record::AccessRecord;
use crate::resource::Resource;
use crate::scope::Scope;
use crate::version::{PolicyVersion, SubjectVersion};

/// Whether an actor may do something to a resource.
///
/// It is a small copy that borrows the actor: no allocation is made, neither for the answer nor for the explanation.
/// Displayed, it names roles, which is for logs and administrators; for the person who asked there is [`Denied`](crate::Denied).
#[derive(Clone, Copy, Debug)]
#[must_use = "a decision that nobody looks at protects nothing"]
pub struct Decision<'a, P: Permission> {
    authority: &'a Authority<P>,
    permission: P,
    needed: Scope,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Allowed,
    Refused,
    /// It would be allowed, but for who made the row: the actor, or nobody knows.
    OwnRecord,
    MakerUnknown,
    Expired(DateTime<Utc>),
}

/// A decision with its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// The actor may.
    Allowed {
        /// Where the permission comes from.
        via: Via<'a>,
        /// How far the permission reaches for this actor.
        scope: Scope,
    },
    /// The actor may not.
    Denied(Refusal),
}

/// Where a permission comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Via<'a> {
    /// The first role, in the order of assignment, that reaches far enough. The name of the role.
    Role(&'a str),
    /// An override. The reason that was given for it.
    Override(&'a Reason),
    /// A delegation.
    Delegation {
        /// Who lent it.
        by: UserId,
        /// The reason that was given for it.
        reason: &'a Reason,
    },
}

/// Why an actor may not: the first layer that refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The authority ended, and the actor has to be put together again.
    Expired {
        /// When.
        at: DateTime<Utc>,
    },
    /// An override denies it.
    OverrideDenies,
    /// No role and no override grants it at any scope.
    NotGranted,
    /// It is a write, and the actor is impersonating or staff.
    ReadsOnly,
    /// It is granted, and the resource belongs to another tenant.
    OtherTenant,
    /// It is granted, and does not reach this resource.
    ScopeTooNarrow {
        /// What roles and overrides grant.
        granted: Scope,
        /// What the resource needs.
        needed: Scope,
    },
    /// It is granted far enough, and a ceiling cuts it off.
    Ceiling {
        /// Which.
        ceiling: Ceiling,
        /// How far the ceiling lets it reach.
        limit: Scope,
    },
    /// A role that grants it is held and not active.
    RoleNotActive,
    /// The policy keeps it from the maker of a row, and the actor, or who lent it, made this one.
    SameRecord,
    /// The policy keeps it from the maker of a row, and who made this one is not stated.
    MakerUnknown,
    /// It needs a second factor, which the actor has not shown.
    SecondFactor,
    /// Only staff impersonate.
    NotStaff,
    /// Staff are not impersonated.
    TargetIsStaff,
}

impl<'a, P: Permission> Decision<'a, P> {
    pub(crate) fn of(authority: &'a Authority<P>, permission: P, resource: &Resource) -> Self {
        let needed = resource.needed(authority.subject(), permission.kind());
        let outcome = match authority.expired() {
            Some(at) => Outcome::Expired(at),
            None if authority.effective().scope(permission) < needed => Outcome::Refused,
            None => match authority.makers_refused(permission) {
                Some(makers) if !resource.is_made_by_none_of(makers) => match resource.maker() {
                    Some(_) => Outcome::OwnRecord,
                    None => Outcome::MakerUnknown,
                },
                _ => Outcome::Allowed,
            },
        };
        Self { authority, permission, needed, outcome }
    }

    /// Whether the actor may.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.outcome == Outcome::Allowed
    }

    /// The refusal, to be passed on; `None` if the actor may. [`require`](crate::Actor::require) gives it by itself.
    #[must_use]
    pub fn denied(&self) -> Option<Denied> {
        (!self.is_allowed()).then(|| Denied::by(self))
    }

    /// The permission that was asked for.
    #[must_use]
    pub const fn permission(&self) -> P {
        self.permission
    }

    /// The narrowest scope that covers the resource for this actor.
    #[must_use]
    pub const fn needed(&self) -> Scope {
        self.needed
    }

    /// The first moment at which the answer no longer holds, whatever it is; `None` if nothing expires.
    #[must_use]
    pub const fn valid_until(&self) -> Option<DateTime<Utc>> {
        self.authority.valid_until()
    }

    /// Which version of the person's authority was asked; `None` if the actor did not come from a store.
    #[must_use]
    pub const fn subject_version(&self) -> Option<SubjectVersion> {
        self.authority.version()
    }

    /// Which policy decided.
    #[must_use]
    pub fn policy_version(&self) -> PolicyVersion {
        self.authority.policy().version()
    }

    /// Whether the actor may, but is obliged to record it: the permission is flagged `audit`.
    /// [`require`](crate::Actor::require) enforces the obligation; after a bare `decide` it is the caller's.
    #[must_use]
    pub fn must_record(&self) -> bool {
        self.is_allowed() && self.permission.info().is_audited()
    }

    pub(crate) fn record(&self, resource: &Resource, impersonation: Option<&Impersonating>) -> AccessRecord {
        let subject = self.authority.subject();
        AccessRecord {
            actor: impersonation.map_or(subject.user(), Impersonating::staff),
            delegated_by: match self.verdict() {
                Verdict::Allowed { via: Via::Delegation { by, .. }, .. } => Some(by),
                _ => None,
            },
            on_behalf_of: impersonation.map(|_| subject.user()),
            exception: match self.verdict() {
                Verdict::Allowed { via: Via::Override(reason), .. } => Some(reason.clone()),
                _ => None,
            },
            resource: *resource,
            permission: self.permission.key(),
            kind: self.permission.kind(),
            reason: impersonation.map(|impersonation| impersonation.reason().clone()),
            explanation: self.to_string(),
            policy_version: self.policy_version(),
            subject_version: self.subject_version(),
        }
    }
}
