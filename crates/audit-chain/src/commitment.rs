//! Commitments to values that may have to be forgotten.
//!
//! An entry holds `SHA-256(domain ‖ salt ‖ tag ‖ value)` in place of a personal value. While value
//! and salt are kept, anyone can check that they belong to the entry; once both are gone, 32 random
//! bytes stand between the hash and a guess of the value.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::{Digest, Error, error::Repr, format};

/// The 32 bytes that hide a value behind its commitment.
///
/// A salt is as personal as its value: whoever has it can test guesses. `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt([u8; 32]);

impl Salt {
    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Salt {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(..)")
    }
}

/// A personal value with the salt that opens its commitment.
#[derive(Clone, PartialEq, Eq)]
pub struct Opening {
    /// The bytes under the commitment: UTF-8 text, canonical JSON, or an address as
    /// [`format`](crate::format) lays it out.
    pub value: Vec<u8>,
    /// The salt.
    pub salt: Salt,
}

impl Opening {
    /// The commitment that this value and salt open, for a value of the field `tag`.
    #[must_use]
    pub fn commitment(&self, tag: u16) -> Digest {
        Digest::of(&[format::FIELD_DOMAIN, &self.salt.0, &tag.to_be_bytes(), &self.value])
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").field("length", &self.value.len()).finish_non_exhaustive()
    }
}

/// The random bytes of one entry, from which the salts of its values are derived. Never stored.
pub(crate) struct Seed([u8; 32]);

impl Seed {
    pub(crate) fn random() -> Result<Self, Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(Repr::Random)?;
        Ok(Self(bytes))
    }

    #[cfg(test)]
    pub(crate) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// `HMAC-SHA-256(seed, path)` (RFC 2104).
    pub(crate) fn salt(&self, path: &str) -> Salt {
        // HMAC pads a short key with zeros, so the padded block is the same key, and its length
        // cannot be wrong.
        let mut block = [0; 64];
        for (padded, byte) in block.iter_mut().zip(self.0) {
            *padded = byte;
        }
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(path.as_bytes());
        Salt(mac.finalize().into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 4231, test case 1, whose key of 20 bytes is the same key when padded to 32.
    #[test]
    fn rfc_4231_vector() {
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        assert_eq!(
            hex::encode(Seed::from_bytes(key).salt("Hi There").as_bytes()),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
    }

    #[test]
    fn nothing_personal_is_shown() {
        let opening = Opening { value: b"078-05-1120".to_vec(), salt: Salt([7; 32]) };
        assert_eq!(format!("{opening:?}"), "Opening { length: 11, .. }");
        assert_eq!(format!("{:?}", opening.salt), "Salt(..)");
    }
}
