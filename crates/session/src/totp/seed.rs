//! The secret that an authenticator app and the server share.

use std::fmt;

use zeroize::Zeroizing;

use super::generator;
use crate::{
    cipher::SecretCipher,
    error::{BoxError, Error, Result},
    id::{TenantId, UserId},
};

/// The seed of a user's codes. `Debug` shows nothing of it.
pub struct TotpSeed(Zeroizing<Vec<u8>>);

/// Whose seed it is: the context to bind the ciphertext to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeedOwner {
    /// The tenant of the account.
    pub tenant: TenantId,
    /// The account.
    pub user: UserId,
}

/// Keeps seeds as they are. For tests and demonstrations: who reads the table can make every user's codes.
#[derive(Debug, Clone, Copy, Default)]
pub struct DangerouslyPlainSeeds;

impl TotpSeed {
    /// 160 random bits, as RFC 4226, 4 recommends.
    ///
    /// # Errors
    ///
    /// `Random` if the system gives no random numbers.
    pub fn generate() -> Result<Self> {
        let mut bytes = Zeroizing::new(vec![0; 20]);
        getrandom::fill(&mut bytes).map_err(Error::random)?;
        Ok(Self(bytes))
    }

    /// A seed that exists already, from another system or for a demonstration.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it has fewer than 16 bytes (RFC 4226, 4) or more than 64.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Self> {
        let seed = Self(Zeroizing::new(bytes.into()));
        if !(16..=64).contains(&seed.0.len()) {
            return Err(Error::invalid("a totp seed has 16 to 64 bytes"));
        }
        Ok(seed)
    }

    /// The seed in base32, as authenticator apps take it by hand.
    pub(super) fn to_base32(&self) -> Result<Zeroizing<String>> {
        Ok(Zeroizing::new(generator(self)?.secret().to_base32()))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for TotpSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSeed(..)")
    }
}

impl SecretCipher<SeedOwner> for DangerouslyPlainSeeds {
    fn seal(&self, _: SeedOwner, seed: &[u8]) -> Result<Vec<u8>, BoxError> {
        Ok(seed.to_vec())
    }

    fn open(&self, _: SeedOwner, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, BoxError> {
        Ok(Zeroizing::new(sealed.to_vec()))
    }
}
