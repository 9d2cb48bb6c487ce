//! The crate aes-gcm: pure Rust, with the instructions that the processor has.

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::{AeadInOut as _, Aes256Gcm, KeyInit as _};

use super::Cipher;
use crate::wire::{NONCE, TAG};

pub(crate) struct RustCrypto(Aes256Gcm);

impl Cipher for RustCrypto {
    fn new(key: &[u8; 32]) -> Self {
        Self(Aes256Gcm::new(key.into()))
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
