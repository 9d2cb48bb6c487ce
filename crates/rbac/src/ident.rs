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
