//! The keys of a tenant, and what may be told of them.

use std::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::context::Context;
use crate::error::Error;
use crate::id::KekId;
use crate::kdf;

/// A tenant's key: 32 random bytes that seal nothing themselves, but give every column its subkey.
///
/// Overwritten when dropped. It has no `Clone`, and its `Debug` shows nothing.
pub struct DataKey(Box<Zeroizing<[u8; 32]>>);

/// A [`DataKey`], encrypted under a key encryption key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WrappedKey {
    /// The key encryption key.
    pub kek: KekId,
    /// The encrypted key, in the form of the [`Kms`](crate::Kms) that wrapped it.
    pub bytes: Vec<u8>,
}

/// The check value of a key: `HKDF-SHA256(key, "kcv")[..16]`.
///
/// Stored beside the wrapped key and compared at every load, it ties a key's number to one key for good: AES-GCM alone
/// does not commit to its key. It tells nothing about the key, so it may be logged.
#[derive(Clone, Copy)]
pub struct Kcv([u8; 16]);

impl DataKey {
    /// A new random key from the operating system's generator.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Randomness`](crate::ErrorKind::Randomness) if the generator fails.
    pub fn generate() -> Result<Self, Error> {
        let mut bytes = Box::new(Zeroizing::new([0; 32]));
        getrandom::fill(&mut **bytes).map_err(Error::randomness)?;
        Ok(Self(bytes))
    }

    /// The key that a key management service unwrapped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::KeyRejected`](crate::ErrorKind::KeyRejected) unless there are 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let key: &[u8; 32] = bytes.try_into().map_err(|_| Error::key_rejected())?;
        let mut bytes = Box::new(Zeroizing::new([0; 32]));
        bytes.copy_from_slice(key);
        Ok(Self(bytes))
    }

    /// The key itself, for an implementation of [`Kms`](crate::Kms) to wrap.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key's check value.
    #[must_use]
    pub fn kcv(&self) -> Kcv {
        let full = kdf::subkey(self.expose(), &Context::new("kcv"));
        let mut kcv = [0; 16];
        for (slot, byte) in kcv.iter_mut().zip(full.iter()) {
            *slot = *byte;
        }
        Kcv(kcv)
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}

impl Kcv {
    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl From<[u8; 16]> for Kcv {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl PartialEq for Kcv {
    /// Takes the same time wherever the values differ.
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Kcv {}

impl fmt::Display for Kcv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Kcv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kcv({self})")
    }
}
