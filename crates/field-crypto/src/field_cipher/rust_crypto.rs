//! The crate aes-gcm: pure Rust, with the instructions that the processor has.

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::{AeadInOut as _, Aes256Gcm, KeyInit as _};
use zeroize::zeroize_stack;

use super::{Cipher, STACK};
use crate::wire::{NONCE, TAG};

/// On the heap, because moving the expanded key would leave copies of it on the stack.
pub(crate) struct RustCrypto(Box<Aes256Gcm>);

impl Cipher for RustCrypto {
    fn new(key: &[u8; 32]) -> Self {
        let cipher = expand(key);
        zeroize_stack::<STACK>();
        cipher
    }

    #[inline]
    fn encrypt(&self, nonce: &[u8; NONCE], aad: &[u8], buffer: &mut [u8]) -> Option<[u8; TAG]> {
        let tag = self.0.encrypt_inout_detached(nonce.into(), aad, InOutBuf::from(buffer)).ok()?;
        Some(tag.into())
    }

    #[inline]
    fn decrypt(&self, nonce: &[u8; NONCE], aad: &[u8], buffer: &mut [u8], tag: &[u8; TAG]) -> Option<()> {
        self.0.decrypt_inout_detached(nonce.into(), aad, InOutBuf::from(buffer), tag.into()).ok()
    }
}

/// The expansion, in a frame of its own.
#[inline(never)]
fn expand(key: &[u8; 32]) -> RustCrypto {
    RustCrypto(Box::new(Aes256Gcm::new(key.into())))
}
