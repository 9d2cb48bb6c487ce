//! A sealed value.

#[cfg(feature = "serde")]
mod serde;
mod text;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

pub use self::text::SealedText;
use crate::column::Column;
use crate::error::OpenError;
use crate::id::KeyId;
use crate::wire::{self, Envelope};

/// An encrypted value of the column `C`. It is not secret, and only [`TenantKeys::open`](crate::TenantKeys::open)
/// makes it readable.
///
/// With the feature `postgres` it is a sqlx `bytea`; reading it from the database checks its form and decrypts nothing.
/// `NULL` is `Option<Sealed<C>>`.
pub struct Sealed<C> {
    bytes: Vec<u8>,
    key: KeyId,
    column: PhantomData<fn() -> C>,
}

impl<C: Column> Sealed<C> {
    /// Takes a stored value, whose form is checked. Whether it is authentic shows when it is opened.
    ///
    /// # Errors
    ///
    /// [`OpenError::Failed`] if the value is too short or of an unknown version.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, OpenError> {
        let key = Envelope::parse(&bytes).ok_or(OpenError::Failed)?.key;
        Ok(Self::new(bytes, key))
    }

    /// Takes a stored text form: `fc1.` and base64url without padding.
    ///
    /// # Errors
    ///
    /// [`OpenError::Failed`] for any other text, also for a second spelling of the same bytes.
    pub fn from_text(text: &str) -> Result<Self, OpenError> {
        Self::from_bytes(wire::from_text(text.as_bytes()).ok_or(OpenError::Failed)?)
    }

    /// The value as it is stored: 33 bytes more than its plain text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The value as it is stored in JSON and text columns.
    #[must_use]
    pub fn to_text(&self) -> String {
        wire::to_text(&self.bytes)
    }

    /// The key that the value says it is sealed under. An attacker who can write the value chooses it.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        self.key
    }

    /// Of bytes that [`Envelope::parse`] takes.
    pub(crate) const fn new(bytes: Vec<u8>, key: KeyId) -> Self {
        Self { bytes, key, column: PhantomData }
    }

    pub(crate) fn envelope(&self) -> Option<Envelope<'_>> {
        Envelope::parse(&self.bytes)
    }
}

impl<C> Clone for Sealed<C> {
    fn clone(&self) -> Self {
        Self { bytes: self.bytes.clone(), key: self.key, column: PhantomData }
    }
}

impl<C> PartialEq for Sealed<C> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<C> Eq for Sealed<C> {}

impl<C> Hash for Sealed<C> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}

impl<C: Column> fmt::Debug for Sealed<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({}.{}, key {}, {} bytes)", C::TABLE, C::COLUMN, self.key, self.bytes.len())
    }
}
