//! The crate aws-lc-rs: the cryptographic library of AWS, in C and assembler.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::Cipher;
use crate::wire::{NONCE, TAG};

pub(crate) struct AwsLc(LessSafeKey);

impl Cipher for AwsLc {
    #[expect(clippy::expect_used, reason = "a key of 32 bytes is what AES-256 takes, and the length here is constant")]
    fn new(key: &[u8; 32]) -> Self {
        Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("a key of 32 bytes")))
    }

    #[inline]
    fn encrypt(&self, nonce: &[u8; NONCE], aad: &[u8], buffer: &mut [u8]) -> Option<[u8; TAG]> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(aad), buffer).ok()?;
        tag.as_ref().try_into().ok()
    }

    #[inline]
    fn decrypt(&self, nonce: &[u8; NONCE], aad: &[u8], buffer: &mut [u8], tag: &[u8; TAG]) -> Option<()> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        self.0.open_in_place_separate_tag(nonce, Aad::from(aad), tag, buffer).ok().map(|_| ())
    }
}
