//! Duties that are kept apart.

use super::Role;
use super::roleset::RoleSet;
use crate::permission::Permission;

/// Duties that a policy keeps apart (`[[separation]]`).
///
/// INCITS 359 calls the first two kinds static and dynamic separation of duty; the third, which is about one row, it does not have.
#[derive(Clone, Debug)]
pub struct Separation<P: Permission> {
    pub(crate) name: String,
    pub(crate) rule: SeparationRule<P>,
    pub(crate) members: RoleSet,
}

/// What a [`Separation`] keeps apart.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SeparationRule<P: Permission> {
    /// Nobody holds more than so many of these roles, directly or by inheritance (INCITS 359: static separation of duty).
    Static {
        /// The roles, in the order of the file.
        roles: Vec<String>,
        /// How many of them one person may hold.
        at_most: usize,
    },
    /// Nobody has more than so many of these roles active at a time (INCITS 359: dynamic separation of duty).
    Dynamic {
        /// The roles, in the order of the file.
        roles: Vec<String>,
        /// How many of them may be active together.
        at_most: usize,
    },
    /// Whoever did the first to a row does not do the second to it.
    SameRecord {
        /// What the maker of a row has done.
        first: P,
        /// What the maker may not do.
        then: P,
    },
}

impl<P: Permission> Separation<P> {
    /// The name in the policy file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is kept apart.
    #[must_use]
    pub const fn rule(&self) -> &SeparationRule<P> {
        &self.rule
    }

    /// Whether the role at this position is kept apart from others.
    pub(crate) fn names(&self, role: usize) -> bool {
        self.members.contains(role)
    }

    /// How many of the roles that are kept apart a role is or inherits.
    pub(crate) fn count(&self, role: &Role<P>) -> usize {
        role.included().in_common(&self.members)
    }

    /// Whether these roles together, with all that they inherit, are more than one person may hold.
    pub(crate) fn forbids_holding(&self, included: &RoleSet) -> bool {
        matches!(self.rule, SeparationRule::Static { at_most, .. } if included.in_common(&self.members) > at_most)
    }

    /// Whether `lent` has a role that is kept apart and that `held` has not.
    pub(crate) fn adds_to(&self, held: &RoleSet, lent: &RoleSet) -> bool {
        held.clone().join(lent).in_common(&self.members) > held.in_common(&self.members)
    }

    /// Whether one of these roles is among those that are kept apart.
    pub(crate) fn concerns(&self, included: &RoleSet) -> bool {
        included.in_common(&self.members) > 0
    }

    /// Whether these roles together, with all that they inherit, are more than may be active. What nobody may hold is never
    /// active either.
    pub(crate) fn forbids_activating(&self, included: &RoleSet) -> bool {
        match self.rule {
            SeparationRule::Static { at_most, .. } | SeparationRule::Dynamic { at_most, .. } => {
                included.in_common(&self.members) > at_most
            }
            SeparationRule::SameRecord { .. } => false,
        }
    }
}
