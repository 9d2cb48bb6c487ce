//! The chain of scopes.

use std::fmt;

/// How far a permission reaches, from nothing to every tenant.
///
/// The order is the chain `None < Own < Team < Office < Tenant < Platform`. Scopes are cumulative: `Office` also covers
/// the subject's own rows and the rows of the subject's teams, wherever those sit, so a promotion never loses a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// No row at all.
    #[default]
    None,
    /// Rows that the subject owns.
    Own,
    /// Rows of the subject's teams.
    Team,
    /// Rows of the subject's offices.
    Office,
    /// Every row of the subject's tenant.
    Tenant,
    /// Every row of every tenant. Only read permissions and only staff roles reach this far.
    Platform,
}

impl Scope {
    /// Every scope, narrowest first.
    pub const ALL: [Self; 6] = [Self::None, Self::Own, Self::Team, Self::Office, Self::Tenant, Self::Platform];

    /// The name used in policy files: `none`, `own`, `team`, `office`, `tenant` or `platform`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Own => "own",
            Self::Team => "team",
            Self::Office => "office",
            Self::Tenant => "tenant",
            Self::Platform => "platform",
        }
    }

    /// The scope of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    /// The letter used in a [`Matrix`](crate::Matrix): `-` none, `O` own, `T` team, `F` office, `A` all of the tenant,
    /// `P` platform.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::None => '-',
            Self::Own => 'O',
            Self::Team => 'T',
            Self::Office => 'F',
            Self::Tenant => 'A',
            Self::Platform => 'P',
        }
    }

    /// The number of scopes below this one, which is the number of bitset planes in which it is set.
    pub(crate) const fn rank(self) -> usize {
        self as usize
    }

    pub(crate) const fn from_rank(rank: usize) -> Self {
        match rank {
            0 => Self::None,
            1 => Self::Own,
            2 => Self::Team,
            3 => Self::Office,
            4 => Self::Tenant,
            _ => Self::Platform,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_letters_and_ranks_tell_the_scopes_apart() {
        for (rank, scope) in Scope::ALL.into_iter().enumerate() {
            assert_eq!(Scope::from_name(scope.name()), Some(scope));
            assert_eq!(Scope::ALL.into_iter().find(|other| other.letter() == scope.letter()), Some(scope));
            assert_eq!((scope.rank(), Scope::from_rank(rank)), (rank, scope));
        }
        assert!(Scope::ALL.is_sorted());
        assert_eq!(Scope::from_name("Own"), None);
    }
}
