//! Identifiers of tenants, users, teams and offices.

use std::fmt;

use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// The nil UUID stands for "unknown" and matches nothing, not even itself: two rows without an owner do not
        /// belong to the same person.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The identifier as a UUID.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }

            pub(crate) const fn is_known(self) -> bool {
                !self.0.is_nil()
            }

            /// Whether both name the same, known thing.
            pub(crate) fn matches(self, other: Self) -> bool {
                self == other && self.is_known()
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

/// Which change of a person's roles, overrides, memberships or status an authority is from.
///
/// Two versions are the same or different, and neither says which is newer. No version is ever used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SubjectVersion(i64);

impl From<i64> for SubjectVersion {
    fn from(version: i64) -> Self {
        Self(version)
    }
}

impl From<SubjectVersion> for i64 {
    fn from(version: SubjectVersion) -> Self {
        version.0
    }
}

impl fmt::Display for SubjectVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

id! {
    /// The organisation that a row or a person belongs to.
    TenantId
}
id! {
    /// A person, or a service that acts on its own.
    UserId
}
id! {
    /// A team inside a tenant.
    TeamId
}
id! {
    /// An office, branch or department inside a tenant.
    OfficeId
}
