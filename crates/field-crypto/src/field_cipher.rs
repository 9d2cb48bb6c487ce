//! AES-256-GCM (NIST SP 800-38D) under the subkey of one column.

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::{AeadInOut as _, Aes256Gcm, KeyInit as _};

use crate::wire::{NONCE, TAG};

/// The expanded key. Its state is overwritten on release by the libraries below.
pub(crate) struct FieldCipher(Aes256Gcm);

impl FieldCipher {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(Aes256Gcm::new(key.into()))
    }

    /// Encrypts in place and returns the tag. `None` if the input is longer than the 64 GiB that GCM allows.
    pub(crate) fn encrypt(&self, nonce: &[u8; NONCE], aad: &[u8], buffer: &mut [u8]) -> Option<[u8; TAG]> {
        let tag = self.0.encrypt_inout_detached(nonce.into(), aad, InOutBuf::from(buffer)).ok()?;
        Some(tag.into())
    }

    /// Decrypts in place. `None` if the tag does not match; the buffer is then still encrypted.
    pub(crate) fn decrypt(&self, nonce: &[u8; NONCE], aad: &[u8], buffer: &mut [u8], tag: &[u8; TAG]) -> Option<()> {
        self.0.decrypt_inout_detached(nonce.into(), aad, InOutBuf::from(buffer), tag.into()).ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::FieldCipher;

    fn vectors() -> Vec<Value> {
        serde_json::from_str(include_str!("../tests/data/nist_cavp_aes_256_gcm.json")).unwrap()
    }

    fn bytes(vector: &Value, name: &str) -> Vec<u8> {
        hex::decode(vector[name].as_str().unwrap()).unwrap()
    }

    #[test]
    fn nist_cavp_aes_256_gcm() {
        let vectors = vectors();
        assert_eq!(vectors.len(), 48);
        for vector in &vectors {
            let [key, nonce, aad, plain, ciphertext, tag] =
                ["key", "nonce", "aad", "plaintext", "ciphertext", "tag"].map(|name| bytes(vector, name));
            let cipher = FieldCipher::new(&key.try_into().unwrap());
            let nonce = nonce.try_into().unwrap();
            let tag: [u8; 16] = tag.try_into().unwrap();

            let mut buffer = plain.clone();
            assert_eq!(cipher.encrypt(&nonce, &aad, &mut buffer), Some(tag));
            assert_eq!(buffer, ciphertext);
            assert_eq!(cipher.decrypt(&nonce, &aad, &mut buffer, &tag), Some(()));
            assert_eq!(buffer, plain);
        }
    }

    #[test]
    fn a_wrong_tag_leaves_the_buffer_encrypted() {
        let cipher = FieldCipher::new(&[7; 32]);
        let mut buffer = b"078-05-1120".to_vec();
        let mut tag = cipher.encrypt(&[1; 12], b"", &mut buffer).unwrap();
        let encrypted = buffer.clone();
        tag[15] ^= 1;
        assert_eq!(cipher.decrypt(&[1; 12], b"", &mut buffer, &tag), None);
        assert_eq!(buffer, encrypted);
    }
}
