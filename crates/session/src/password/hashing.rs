//! How a password becomes what is stored, and back.

use std::fmt;

use zeroize::Zeroizing;

use super::{
    Argon2Params, MAX_BYTES,
    pepper::Peppers,
    phc::{self, Scratch, Stored},
};
use crate::error::{Error, Result};

/// bcrypt looks at 72 bytes, and the last is the end of a shorter password.
const BCRYPT_BYTES: usize = 71;

/// How new passwords are hashed. The default is argon2id without a pepper.
#[derive(Debug, Default)]
pub struct Hashing {
    scheme: Scheme,
    peppers: Option<Peppers>,
}

/// The cost of bcrypt: the number of rounds is two to the power of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BcryptCost(u32);

#[derive(Debug, Clone, Copy, Default)]
enum Scheme {
    #[default]
    Argon2id,
    Bcrypt(BcryptCost),
}

impl BcryptCost {
    /// The most that a stored hash may ask for. Each step doubles the work; 14 is about a second.
    pub const MAX: u32 = 14;

    /// A cost for new hashes.
    ///
    /// # Errors
    ///
    /// `InvalidInput` below 10, which the OWASP Password Storage Cheat Sheet demands at least, or above [`MAX`](Self::MAX).
    pub fn new(cost: u32) -> Result<Self> {
        match (10..=Self::MAX).contains(&cost) {
            true => Ok(Self(cost)),
            false => Err(Error::invalid("the cost of bcrypt is between 10 and 14")),
        }
    }

    /// The cheapest cost there is, for tests.
    #[must_use]
    pub const fn dangerously_weak() -> Self {
        Self(4)
    }
}

impl Hashing {
    /// New hashes are bcrypt's, for a team that has to stay with it. A password of more than 71 bytes is then refused and never truncated,
    /// unless there is a [`pepper`](Self::peppers).
    #[must_use]
    pub fn bcrypt(cost: BcryptCost) -> Self {
        Self { scheme: Scheme::Bcrypt(cost), peppers: None }
    }

    /// New passwords go through HMAC-SHA-384 under the active pepper before they are hashed, so that hashes from a stolen database cannot
    /// be guessed without it. Hashes without a pepper, or with another one of the ring, are replaced at the next sign-in.
    #[must_use]
    pub fn peppers(self, peppers: Peppers) -> Self {
        Self { peppers: Some(peppers), ..self }
    }
}

/// A [`Hashing`] with the cost of argon2id.
pub(super) struct Hasher {
    params: Argon2Params,
    hashing: Hashing,
}

/// A stored hash that is affordable to verify.
pub(super) struct Known {
    pepper: Option<u8>,
    kind: Kind,
}

enum Kind {
    Argon2(Stored),
    Bcrypt(String),
}

impl Hasher {
    pub(super) const fn new(params: Argon2Params, hashing: Hashing) -> Self {
        Self { params, hashing }
    }

    /// What a new hash begins with.
    pub(super) fn prefix(&self) -> String {
        let inner = match self.hashing.scheme {
            Scheme::Argon2id => self.params.prefix(),
            Scheme::Bcrypt(BcryptCost(cost)) => format!("$2b${cost:02}$"),
        };
        match &self.hashing.peppers {
            Some(peppers) => format!("{}{inner}", peppers.prefix()),
            None => inner,
        }
    }

    pub(super) fn max_bytes(&self) -> usize {
        match (self.hashing.scheme, &self.hashing.peppers) {
            (Scheme::Bcrypt(_), None) => BCRYPT_BYTES,
            _ => MAX_BYTES,
        }
    }

    pub(super) fn hash(&self, password: &[u8], scratch: &mut Scratch) -> Result<String> {
        let Some(peppers) = &self.hashing.peppers else { return self.hash_input(password, scratch) };
        let hash = self.hash_input(&peppers.active(password), scratch)?;
        Ok(format!("{}{hash}", peppers.prefix()))
    }

    fn hash_input(&self, input: &[u8], scratch: &mut Scratch) -> Result<String> {
        match self.hashing.scheme {
            Scheme::Argon2id => phc::hash(self.params, input, scratch),
            Scheme::Bcrypt(BcryptCost(cost)) => {
                scratch.note();
                bcrypt::non_truncating_hash(input, cost)
                    .map_err(|_| Error::invalid("a password for bcrypt has at most 71 bytes"))
            }
        }
    }

    /// Nothing if the text is no hash that this can verify, or asks for too much.
    pub(super) fn parse(&self, text: &str) -> Option<Known> {
        let (pepper, inner) = match Peppers::split(text) {
            Some((id, inner)) => (Some(id), inner),
            None => (None, text),
        };
        if pepper.is_some_and(|id| self.hashing.peppers.as_ref().is_none_or(|peppers| !peppers.has(id))) {
            return None;
        }
        let kind = match bcrypt_cost(inner) {
            Some(4..=BcryptCost::MAX) => Kind::Bcrypt(inner.to_owned()),
            Some(_) => return None,
            None => Kind::Argon2(Stored::parse(inner)?),
        };
        Some(Known { pepper, kind })
    }

    pub(super) fn verify(&self, password: &[u8], known: &Known, scratch: &mut Scratch) -> bool {
        let peppered: Zeroizing<Vec<u8>>;
        let input = match (known.pepper, &self.hashing.peppers) {
            (Some(id), Some(peppers)) => {
                peppered = peppers.of(id, password);
                peppered.as_slice()
            }
            _ => password,
        };
        match &known.kind {
            Kind::Argon2(stored) => stored.verify(input, scratch),
            Kind::Bcrypt(hash) => {
                scratch.note();
                // What another system made of a longer password, it made of its beginning. That is honoured once, where the whole
                // password is hashed anew afterwards.
                let fits = input.len() <= BCRYPT_BYTES || self.max_bytes() > BCRYPT_BYTES;
                bcrypt::verify(input, hash).unwrap_or(false) & fits
            }
        }
    }
}

/// The cost of a bcrypt hash, or of something that begins like one; 0 if it is malformed, or of the broken variant `$2x$`.
fn bcrypt_cost(text: &str) -> Option<u32> {
    text.starts_with("$2").then(|| match text.parse::<bcrypt::HashParts>() {
        Ok(parts) if !text.starts_with("$2x$") => parts.get_cost(),
        _ => 0,
    })
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("params", &self.params).field("hashing", &self.hashing).finish()
    }
}

#[cfg(test)]
mod tests;
