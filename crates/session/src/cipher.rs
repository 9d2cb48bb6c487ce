//! What seals the secrets that the store must be able to give back.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::error::{BoxError, Result};

/// Seals the secrets of an `Owner` that the store keeps, for example with `stockade-field-crypto`: the seeds of one-time codes
/// (`SecretCipher<SeedOwner>`) and the tokens of connections (`SecretCipher<ConnectionOwner>`).
///
/// An implementation binds the ciphertext to the owner, so that a secret that was copied to another row does not open. The methods run
/// on the async runtime: no input or output, only computation.
pub trait SecretCipher<Owner>: Send + Sync + 'static {
    /// Encrypts a secret.
    ///
    /// # Errors
    ///
    /// Whatever the implementation fails with; it becomes the source of this crate's error.
    fn seal(&self, owner: Owner, secret: &[u8]) -> Result<Vec<u8>, BoxError>;

    /// Decrypts what [`seal`](Self::seal) made for the same owner.
    ///
    /// # Errors
    ///
    /// As for [`seal`](Self::seal), and for anything that `seal` did not make for this owner.
    fn open(&self, owner: Owner, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, BoxError>;
}

impl<Owner, C: SecretCipher<Owner> + ?Sized> SecretCipher<Owner> for Arc<C> {
    fn seal(&self, owner: Owner, secret: &[u8]) -> Result<Vec<u8>, BoxError> {
        (**self).seal(owner, secret)
    }

    fn open(&self, owner: Owner, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, BoxError> {
        (**self).open(owner, sealed)
    }
}
