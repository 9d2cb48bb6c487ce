//! Names of tenants and keys.

use std::fmt;
use std::num::NonZeroU32;

use uuid::Uuid;

use crate::error::Error;

/// The tenant whose keys seal a value.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TenantId(Uuid);

/// A person within a tenant, for whom a key is kept apart so that it can be destroyed alone.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SubjectId(Uuid);

/// The number of a tenant's key, unique within the tenant. It stands in the header of every sealed value.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyId(NonZeroU32);

/// The name of a key encryption key (KEK): of an entry of a keyring, or of a key in a key management service.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KekId(String);

/// What a tenant's key is for. Keys of different purposes are independent of each other.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Purpose {
    /// Seals fields with AES-256-GCM.
    Aead,
    /// Computes blind indexes with HMAC-SHA256.
    Index,
}

impl TenantId {
    /// The identifier as the application knows it.
    #[must_use]
    pub const fn as_uuid(&self) -> &Uuid {
        &self.0
    }
}

impl From<Uuid> for TenantId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl From<TenantId> for Uuid {
    fn from(id: TenantId) -> Self {
        id.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl SubjectId {
    /// The identifier as the application knows it.
    #[must_use]
    pub const fn as_uuid(&self) -> &Uuid {
        &self.0
    }
}

impl From<Uuid> for SubjectId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl From<SubjectId> for Uuid {
    fn from(id: SubjectId) -> Self {
        id.0
    }
}

impl fmt::Display for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl KeyId {
    /// The key with this number; `None` for 0, which is reserved.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn as_u32(self) -> u32 {
        self.0.get()
    }

    /// The key after this one; `None` after the last.
    pub(crate) fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }

    /// A tenant's first key.
    pub(crate) const FIRST: Self = Self(NonZeroU32::MIN);

    /// The number of a subject's key: in the upper half of the numbers, and elsewhere random, so that those who make keys
    /// for subjects at the same time need not agree on it.
    pub(crate) const fn of_subject(random: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(u32::MAX >> 1).saturating_add(random >> 1))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl KekId {
    /// The most bytes that a name may have: room for the ARN of a key in AWS KMS.
    pub const MAX_LEN: usize = 255;

    /// Checks a name: 1 to 255 printable ASCII characters without space or comma.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidKeyring`](crate::ErrorKind::InvalidKeyring) for any other text.
    pub fn new(name: impl Into<String>) -> Result<Self, Error> {
        let name = name.into();
        let printable = name.bytes().all(|b| b.is_ascii_graphic() && b != b',');
        if name.is_empty() || name.len() > Self::MAX_LEN || !printable {
            return Err(Error::kek_name());
        }
        Ok(Self(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KekId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Purpose {
    /// The name in the key table and in every context that is authenticated.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aead => "aead",
            Self::Index => "index",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
