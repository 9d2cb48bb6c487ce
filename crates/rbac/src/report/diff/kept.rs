//! What a separation keeps apart, without its vocabulary.

use std::fmt;

use super::Direction;
use crate::permission::Permission;
use crate::policy::SeparationRule;

/// What a separation keeps apart, in words: its form in a [`Difference`](super::Difference).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeptApart(Kept);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kept {
    Dynamic { roles: Vec<String>, at_most: usize },
    Static { roles: Vec<String>, at_most: usize },
    SameRecord { then: &'static str, first: &'static str },
}

impl KeptApart {
    pub(super) fn of<P: Permission>(rule: &SeparationRule<P>) -> Self {
        let sorted = |roles: &[String]| {
            let mut roles = roles.to_vec();
            roles.sort_unstable();
            roles
        };
        Self(match rule {
            SeparationRule::Static { roles, at_most } => Kept::Static { roles: sorted(roles), at_most: *at_most },
            SeparationRule::Dynamic { roles, at_most } => Kept::Dynamic { roles: sorted(roles), at_most: *at_most },
            SeparationRule::SameRecord { first, then } => Kept::SameRecord { then: then.key(), first: first.key() },
        })
    }

    pub(super) fn direction(before: Option<&Self>, after: Option<&Self>) -> Direction {
        match (before, after) {
            (None, None) => Direction::Neutral,
            (None, Some(_)) => Direction::Narrowing,
            (Some(_), None) => Direction::Widening,
            (Some(before), Some(after)) => match (after.forbids_all_of(before), before.forbids_all_of(after)) {
                (true, true) => Direction::Neutral,
                (true, false) => Direction::Narrowing,
                (false, _) => Direction::Widening,
            },
        }
    }

    /// Whether whatever the other forbids is forbidden. What nobody holds nobody activates, so a static one forbids what a
    /// dynamic one does.
    fn forbids_all_of(&self, other: &Self) -> bool {
        use Kept::{Dynamic, SameRecord, Static};
        match (&self.0, &other.0) {
            (
                Static { roles, at_most },
                Static { roles: others, at_most: more } | Dynamic { roles: others, at_most: more },
            )
            | (Dynamic { roles, at_most }, Dynamic { roles: others, at_most: more }) => {
                at_most <= more && others.iter().all(|role| roles.contains(role))
            }
            (SameRecord { then, .. }, SameRecord { then: other, .. }) => then == other,
            _ => false,
        }
    }
}

impl fmt::Display for KeptApart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kept::Static { roles, at_most } => write!(f, "static, at most {at_most} of {}", roles.join(", ")),
            Kept::Dynamic { roles, at_most } => write!(f, "dynamic, at most {at_most} of {}", roles.join(", ")),
            Kept::SameRecord { then, first } => write!(f, "same record, {first} then {then}"),
        }
    }
}
