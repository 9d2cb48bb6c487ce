//! The private half of a key, wherever it is.

use std::{error::Error as StdError, fmt, future::ready};

use ed25519_dalek::{Signer as _, SigningKey};

use super::VerifierKey;
use crate::Error;

/// Signs notes. Implement it for a key that lies in a key management service or a hardware module.
pub trait Signer {
    /// The public half of the key.
    fn key(&self) -> &VerifierKey;

    /// The Ed25519 signature of `message` (RFC 8032), 64 bytes.
    ///
    /// # Errors
    /// Whatever keeps the signer from signing.
    fn sign(&self, message: &[u8]) -> impl Future<Output = Result<[u8; 64], Box<dyn StdError + Send + Sync>>> + Send;
}

/// A key in this process. Whoever reads its memory can sign in its name; see the README's table of attackers.
pub struct LocalSigner {
    private: SigningKey,
    public: VerifierKey,
}

impl LocalSigner {
    /// The key that follows from 32 random bytes (RFC 8032, section 5.1.5), under a name.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) for a name that [`VerifierKey::new`] refuses.
    pub fn from_seed(name: impl Into<String>, seed: &[u8; 32]) -> Result<Self, Error> {
        let private = SigningKey::from_bytes(seed);
        let public = VerifierKey::new(name, private.verifying_key().as_bytes())?;
        Ok(Self { private, public })
    }
}

impl Signer for LocalSigner {
    fn key(&self) -> &VerifierKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> impl Future<Output = Result<[u8; 64], Box<dyn StdError + Send + Sync>>> + Send {
        ready(Ok(self.private.sign(message).to_bytes()))
    }
}

impl fmt::Debug for LocalSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalSigner({})", self.public)
    }
}
