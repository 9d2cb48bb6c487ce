//! What a product can do, as the columns of the compliance matrix.

use crate::{
    catalog::{access, audit, encryption, identity, isolation, limits, operations, organisation},
    control::Control,
};

/// A group of controls that one part of a product provides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Tenants are kept apart by the database.
    Isolation,
    /// What happened is on record and stays as it was written.
    Audit,
    /// Sensitive fields are sealed.
    Encryption,
    /// Who may do what.
    Access,
    /// Sign-in, sessions, second factors and passwords.
    Identity,
    /// Limits on what strangers may try.
    Limits,
    /// How the product is built, connected and restored.
    Operations,
    /// What people state, because no machine can see it.
    Organisation,
}

impl Capability {
    /// Every capability, in the order of the matrix.
    pub const ALL: [Self; 8] = [
        Self::Isolation,
        Self::Audit,
        Self::Encryption,
        Self::Access,
        Self::Identity,
        Self::Limits,
        Self::Operations,
        Self::Organisation,
    ];

    /// The name in exports, for example `isolation`.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Isolation => "isolation",
            Self::Audit => "audit",
            Self::Encryption => "encryption",
            Self::Access => "access",
            Self::Identity => "identity",
            Self::Limits => "limits",
            Self::Operations => "operations",
            Self::Organisation => "organisation",
        }
    }

    /// The heading for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Isolation => "Tenant isolation",
            Self::Audit => "Audit and records",
            Self::Encryption => "Encryption",
            Self::Access => "Access rights",
            Self::Identity => "Sign-in",
            Self::Limits => "Rate limits",
            Self::Operations => "Operations",
            Self::Organisation => "People",
        }
    }

    /// The controls of this capability.
    #[must_use]
    pub const fn controls(self) -> &'static [Control] {
        match self {
            Self::Isolation => isolation::CONTROLS,
            Self::Audit => audit::CONTROLS,
            Self::Encryption => encryption::CONTROLS,
            Self::Access => access::CONTROLS,
            Self::Identity => identity::CONTROLS,
            Self::Limits => limits::CONTROLS,
            Self::Operations => operations::CONTROLS,
            Self::Organisation => organisation::CONTROLS,
        }
    }
}
