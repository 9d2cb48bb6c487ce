//! The public half of a key, in the form that people hand around.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::VerifyingKey;

use crate::{Digest, Error, error::Repr};

/// An Ed25519 public key and its name: `example.com/audit+6b3de0ae+AbCd..`, the name, the first four bytes of the key's hash
/// in hexadecimal, and the key in Base64 (C2SP signed-note, "Verifier keys").
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: VerifyingKey,
}

/// Ed25519, in C2SP's list of signature types.
const ED25519: u8 = 0x01;

impl VerifierKey {
    /// The public key `key` under a name.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if the name is empty or holds white space or a `+`, or the 32 bytes
    /// are not a key.
    pub fn new(name: impl Into<String>, key: &[u8; 32]) -> Result<Self, Error> {
        let name = name.into();
        if !is_name(&name) {
            return Err(Repr::Malformed("the name of a key is empty, or holds white space or a plus sign").into());
        }
        // A weak key accepts one signature for many texts.
        let key = VerifyingKey::from_bytes(key).ok().filter(|key| !key.is_weak());
        Ok(Self { name, key: key.ok_or(Repr::Malformed("these bytes are not an Ed25519 public key"))? })
    }

    /// The name: by custom a URL without its scheme.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The 32 bytes of the key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// What stands before a signature of this key.
    pub(super) fn id(&self) -> [u8; 4] {
        let hash = Digest::of(&[self.name.as_bytes(), b"\n", &[ED25519], self.key.as_bytes()]);
        let [a, b, c, d, ..] = *hash.as_bytes();
        [a, b, c, d]
    }

    pub(super) fn accepts(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
    }
}

impl FromStr for VerifierKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = || Error::from(Repr::Malformed("a verifier key is NAME+HASH+KEY"));
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(malformed());
        };
        let key = STANDARD.decode(key).map_err(|_| malformed())?;
        let (Some(&ED25519), Some(Ok(key))) = (key.first(), key.get(1..).map(<&[u8; 32]>::try_from)) else {
            return Err(malformed());
        };
        let key = Self::new(name, key)?;
        // Told again in the text, so that a name that was altered on its way is noticed.
        if hex(key.id()) == id { Ok(key) } else { Err(malformed()) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519], &self.key.as_bytes()[..]].concat();
        write!(f, "{}+{}+{}", self.name, hex(self.id()), STANDARD.encode(key))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

/// Not empty, no Unicode space, no plus sign.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|character| character.is_whitespace() || character == '+')
}

fn hex(id: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}
