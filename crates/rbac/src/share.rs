//! Sharing single rows beyond owner, team and office.

use crate::permission::Kind;

/// What a share of a row is good for. A share widens the rows that a permission reaches and never creates a permission: whoever
/// may not edit any load does not edit a shared one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ShareLevel {
    /// Permissions that read.
    View,
    /// Permissions that read and permissions that write.
    Edit,
}

impl ShareLevel {
    /// The name in the database: `view` or `edit`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Edit => "edit",
        }
    }

    /// The lowest level that a permission of this kind needs.
    pub(crate) const fn needed_by(kind: Kind) -> Self {
        match kind {
            Kind::Read => Self::View,
            Kind::Write => Self::Edit,
        }
    }
}
