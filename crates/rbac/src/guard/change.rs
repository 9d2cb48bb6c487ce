//! What is changed, and about whom.

use crate::actor::{Actor, Authority};
use crate::ident::UserId;
use crate::mode::Direct;
use crate::overrides::{Effect, Override};
use crate::permission::Permission;
use crate::policy::Role;

/// A change of somebody's authority.
///
/// A delegation is none: it gives what the delegator has at each moment, see [`Delegation`](crate::Delegation).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Change<'a, P: Permission> {
    /// Gives a role: to a member, or to somebody who is invited.
    Assign(&'a str),
    /// Takes a role. It may be one that the policy no longer has.
    Revoke(&'a str),
    /// Makes an exception, to allow or to deny.
    Override(&'a Override<P>),
    /// Ends an exception.
    Lift(&'a Override<P>),
    /// Takes everything, until [`Reinstate`](Self::Reinstate).
    Suspend,
    /// Gives back what the person had.
    Reinstate,
    /// Takes everything for good.
    Remove,
}

/// The person whose authority is to change.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a, P: Permission> {
    pub(super) authority: &'a Authority<P>,
    pub(super) other_owners: usize,
}

impl<'a, P: Permission> Target<'a, P> {
    /// The person as an actor, with every role and override that they have now, expired ones aside. Of a suspended person what
    /// they would have again. Somebody who is invited is an actor without roles, in the tenant, teams and offices that the
    /// invitation is to.
    #[must_use]
    pub const fn new(actor: &'a Actor<P, Direct>) -> Self {
        Self { authority: actor.authority(), other_owners: 0 }
    }

    /// How many others in the tenant are owners: members who are not suspended and hold an owner role
    /// ([`Role::is_owner`](crate::Role::is_owner)) that does not expire, counted under the lock under which the change is
    /// written. Without this an owner counts as the last.
    #[must_use]
    pub const fn other_owners(mut self, count: usize) -> Self {
        self.other_owners = count;
        self
    }

    pub(super) const fn user(&self) -> UserId {
        self.authority.subject().user()
    }
}

impl<P: Permission> Change<'_, P> {
    /// Whether somebody may do this to themselves: it cannot add anything. To lose a staff role can: staff only read.
    pub(super) fn narrows(&self, own: &Authority<P>) -> bool {
        match self {
            Self::Revoke(name) => own.policy().role(name).is_none_or(|role| !role.is_staff()),
            Self::Override(exception) => exception.effect == Effect::Deny,
            Self::Lift(exception) => exception.effect != Effect::Deny,
            Self::Suspend | Self::Remove => true,
            Self::Assign(_) | Self::Reinstate => false,
        }
    }

    /// Whether the target is an owner and is none, or less of one, afterwards.
    pub(super) fn takes_ownership(&self, target: &Authority<P>) -> bool {
        let owner = |role: &&Role<P>| role.is_owner();
        match self {
            Self::Revoke(name) => {
                let (kept, lost) = target.roles().filter(owner).partition::<Vec<_>, _>(|role| role.name() != *name);
                kept.is_empty() && !lost.is_empty()
            }
            Self::Suspend | Self::Remove => target.roles().any(Role::is_owner),
            Self::Override(exception) => exception.effect == Effect::Deny && target.roles().any(Role::is_owner),
            Self::Assign(_) | Self::Lift(_) | Self::Reinstate => false,
        }
    }
}
