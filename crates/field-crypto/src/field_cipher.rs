//! AES-256-GCM (NIST SP 800-38D) under the subkey of one column.

#[cfg(feature = "aws-lc")]
mod aws_lc;
#[cfg(any(test, not(feature = "aws-lc")))]
mod rust_crypto;
#[cfg(test)]
mod tests;

use crate::wire::{NONCE, TAG};

/// The implementation that is used: the one of the feature `aws-lc` if it is on. They read each other's values.
#[cfg(feature = "aws-lc")]
pub(crate) type FieldCipher = aws_lc::AwsLc;
#[cfg(not(feature = "aws-lc"))]
pub(crate) type FieldCipher = rust_crypto::RustCrypto;

/// How much of the stack [`zeroize::zeroize_stack`] overwrites after a key was prepared or has wrapped another, because aes-gcm
/// puts round keys and blocks there while it works. To do so after every value would cost more than the value.
pub(crate) const STACK: usize = 64 << 10;

/// An expanded key of AES-256-GCM, overwritten when it is dropped.
pub(crate) trait Cipher: Sized {
    fn new(key: &[u8; 32]) -> Self;

    /// Encrypts in place and returns the tag. `None` if the input is longer than the 64 GiB that GCM allows.
    fn encrypt(&self, nonce: &[u8; NONCE], aad: &[u8], buffer: &mut [u8]) -> Option<[u8; TAG]>;

    /// Decrypts in place. `None` if the tag does not match; what is in the buffer then is not the plain text.
    fn decrypt(&self, nonce: &[u8; NONCE], aad: &[u8], buffer: &mut [u8], tag: &[u8; TAG]) -> Option<()>;
}
