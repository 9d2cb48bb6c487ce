//! What one policy lets people do that another does not.

mod compare;
mod display;
mod kept;

pub use self::kept::KeptApart;
use crate::scope::Scope;

/// What differs between two policies, by what they mean and not by their text: titles, order and comments are no difference, and
/// neither is a permission that was added and that no role has.
///
/// Both policies are over one vocabulary, so what the flags and reaches of a permission were before is not seen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Diff {
    differences: Vec<Difference>,
}

/// One difference between a policy and another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
#[expect(missing_docs, reason = "every variant has a subject, what was there before, and what is there after")]
pub enum Difference {
    /// A role is there or is not.
    Role { role: String, before: Presence, after: Presence },
    /// A role reaches further with a permission, or less far.
    Scope { role: String, permission: &'static str, before: Scope, after: Scope },
    /// A role is an owner's, or is not.
    Owner { role: String, before: Presence, after: Presence },
    /// A role is one of staff, or is not.
    Staff { role: String, before: Presence, after: Presence },
    /// People can have a role, or it is only inherited.
    Assignable { role: String, before: Presence, after: Presence },
    /// A role may give another, or may not.
    Assigns { role: String, assigned: String, before: Presence, after: Presence },
    /// The policy says who gives which role, or everybody gives what they have.
    Limits { before: Presence, after: Presence },
    /// Duties are kept apart, or are not, or others are.
    Separation { name: String, before: Option<KeptApart>, after: Option<KeptApart> },
    /// A role counts in a separation that is otherwise unchanged for more of the roles that are kept apart, or for fewer.
    Counts { role: String, separation: String, before: usize, after: usize },
}

/// Whether something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Presence {
    /// It is not.
    Absent,
    /// It is.
    Present,
}

/// Which way a difference goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Somebody may do less, and nobody more.
    Narrowing,
    /// Neither.
    Neutral,
    /// Somebody may do more; or it cannot be said that nobody may. What makes an owner or a staff role, or ends one, is of this
    /// kind either way: both move what others may do to its holders.
    Widening,
}

impl Diff {
    /// The differences: roles in alphabetical order, then separations.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Difference> {
        self.differences.iter()
    }

    /// Whether the policies mean the same.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.differences.is_empty()
    }

    /// What widens: what a review has to approve.
    pub fn widening(&self) -> Self {
        let widening = self.iter().filter(|difference| difference.direction() == Direction::Widening);
        Self { differences: widening.cloned().collect() }
    }

    /// The differences the other way around: `a.diff(&b).inverse() == b.diff(&a)`.
    pub fn inverse(&self) -> Self {
        let mut differences: Vec<_> = self.iter().cloned().map(Difference::inverse).collect();
        differences.sort();
        Self { differences }
    }
}

impl Difference {
    /// Which way it goes.
    #[must_use]
    pub fn direction(&self) -> Direction {
        let more = |wider: bool| if wider { Direction::Widening } else { Direction::Narrowing };
        match self {
            Self::Role { .. } => Direction::Neutral,
            Self::Scope { before, after, .. } => more(before < after),
            Self::Owner { .. } | Self::Staff { .. } => Direction::Widening,
            Self::Assignable { before, after, .. } | Self::Assigns { before, after, .. } => more(before < after),
            Self::Limits { before, after } => more(before > after),
            Self::Separation { before, after, .. } => KeptApart::direction(before.as_ref(), after.as_ref()),
            Self::Counts { before, after, .. } => more(before > after),
        }
    }
}
