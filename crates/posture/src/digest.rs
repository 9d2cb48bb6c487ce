//! The digest by which an export can be checked.

use std::{fmt, str::FromStr};

use sha2::{Digest as _, Sha256};

use crate::error::Error;

/// A SHA-256 (FIPS 180-4) of canonical JSON. Displayed as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Reads what `Display` writes, and nothing else.
impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut bytes = [0; 32];
        let decoded =
            hex::decode_to_slice(text, &mut bytes).is_ok() && !text.bytes().any(|byte| byte.is_ascii_uppercase());
        if decoded {
            Ok(Self(bytes))
        } else {
            Err(Error::malformed("the digest is not 64 lower-case hexadecimal digits"))
        }
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}
