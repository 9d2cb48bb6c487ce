//! Authority that somebody else lends for a while.

use chrono::{DateTime, Utc};

use super::authority::Authority;
use crate::error::{Error, Fault};
use crate::guard::covers;
use crate::ident::UserId;
use crate::permission::Permission;
use crate::reason::Reason;
use crate::scope::Scope;
use crate::scopes::Scopes;

/// One person lets another use some of their permissions, until then.
///
/// It gives at most what the delegator has when the actor is built, so a demotion of the delegator shrinks it at once; it is
/// not passed on; and it gives nobody the right to change what others may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation<P: Permission> {
    scopes: Scopes<P>,
    until: DateTime<Utc>,
    reason: Reason,
}

/// What a delegation comes to for the person to whom it was made.
#[derive(Clone)]
pub(crate) struct Delegated<P: Permission> {
    pub(crate) by: UserId,
    pub(crate) scopes: Scopes<P>,
    pub(crate) reason: Reason,
    pub(super) until: DateTime<Utc>,
}

impl<P: Permission> Delegation<P> {
    /// Lends these permissions, each up to its scope, until `expires`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotDelegable`](crate::ErrorKind::NotDelegable) if one of them is not flagged `delegable`;
    /// [`ErrorKind::ScopeTooWide`](crate::ErrorKind::ScopeTooWide) if one is wider than the permission allows, or reaches other
    /// tenants.
    pub fn new(scopes: Scopes<P>, expires: DateTime<Utc>, reason: Reason) -> Result<Self, Error> {
        for (permission, scope) in scopes.iter() {
            let (key, max) = (permission.key(), permission.info().up_to().min(Scope::Tenant));
            if !permission.info().is_delegable() {
                return Err(Fault::NotDelegable { key }.into());
            }
            if scope > max {
                return Err(Fault::ScopeTooWide { key, scope, max }.into());
            }
        }
        Ok(Self { scopes, until: expires, reason })
    }

    /// What may be used, and how far.
    #[must_use]
    pub const fn scopes(&self) -> &Scopes<P> {
        &self.scopes
    }

    /// The first moment at which it no longer holds.
    #[must_use]
    pub const fn expires(&self) -> DateTime<Utc> {
        self.until
    }

    /// Why it was made.
    #[must_use]
    pub const fn reason(&self) -> &Reason {
        &self.reason
    }
}

impl<P: Permission> Authority<P> {
    /// What this person, as the delegator, lends to `other`. `None` if that is nothing.
    ///
    /// What reaches only the delegator's own rows cannot be lent: to the other person it would mean other rows. What reaches
    /// teams or offices can be lent to those who are in no others.
    pub(super) fn lends(&self, other: &Self, delegation: &Delegation<P>) -> Option<Delegated<P>> {
        let now = other.now();
        let over = now >= delegation.until || self.valid_until().is_some_and(|until| now >= until);
        if over || self.is_staff() || self.subject().user().matches(other.subject().user()) {
            return None;
        }
        let standing = self.standing();
        let mut lent = Scopes::none();
        for (permission, asked) in delegation.scopes.iter() {
            let held = standing.scope(permission);
            if held > Scope::Own && covers(self.subject(), held, other.subject()) && !self.conflicts(other, permission)
            {
                lent = lent.with(permission, asked.min(held).min(Scope::Tenant));
            }
        }
        let until = self.valid_until().map_or(delegation.until, |until| until.min(delegation.until));
        let by = self.subject().user();
        let something = lent != Scopes::none();
        something.then(|| Delegated { by, scopes: lent, reason: delegation.reason.clone(), until })
    }

    /// Whether the roles through which the delegator has `permission` are kept apart from those of the other.
    fn conflicts(&self, other: &Self, permission: P) -> bool {
        let policy = other.policy();
        let through = self.active().filter(|role| role.scope(permission) > Scope::None);
        let through: Vec<_> = through.filter_map(|role| policy.role(role.name())).collect();
        let (held, lent) = (policy.included(other.roles()), policy.included(through));
        let both = held.clone().join(&lent);
        policy
            .separations()
            .iter()
            .any(|separation| separation.forbids_activating(&both) && separation.adds_to(&held, &lent))
    }
}

impl<P: Permission> Delegated<P> {
    pub(super) fn of(lenders: &[(Authority<P>, Delegation<P>)], to: &Authority<P>) -> Vec<Self> {
        lenders.iter().filter_map(|(lender, delegation)| lender.lends(to, delegation)).collect()
    }
}
