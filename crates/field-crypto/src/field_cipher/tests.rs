//! The same vectors and attacks for every implementation.

use serde_json::Value;

#[cfg(feature = "aws-lc")]
use super::aws_lc::AwsLc;
use super::rust_crypto::RustCrypto;
use super::{Cipher, FieldCipher};

/// Runs a check on each implementation that is compiled.
macro_rules! on_each {
    ($check:ident) => {
        $check::<RustCrypto>();
        #[cfg(feature = "aws-lc")]
        $check::<AwsLc>();
    };
}

fn vectors(json: &str) -> Vec<Value> {
    serde_json::from_str(json).unwrap()
}

fn bytes(vector: &Value, name: &str) -> Vec<u8> {
    hex::decode(vector[name].as_str().unwrap()).unwrap()
}

#[test]
fn nist_cavp_aes_256_gcm() {
    fn check<C: Cipher>() {
        let vectors = vectors(include_str!("../../tests/data/nist_cavp_aes_256_gcm.json"));
        assert_eq!(vectors.len(), 48);
        for vector in &vectors {
            let [key, nonce, aad, plain, ciphertext, tag] =
                ["key", "nonce", "aad", "plaintext", "ciphertext", "tag"].map(|name| bytes(vector, name));
            let cipher = C::new(&key.try_into().unwrap());
            let nonce = nonce.try_into().unwrap();
            let tag: [u8; 16] = tag.try_into().unwrap();

            let mut buffer = plain.clone();
            assert_eq!(cipher.encrypt(&nonce, &aad, &mut buffer), Some(tag));
            assert_eq!(buffer, ciphertext);
            assert_eq!(cipher.decrypt(&nonce, &aad, &mut buffer, &tag), Some(()));
            assert_eq!(buffer, plain);
        }
    }
    on_each!(check);
}

#[test]
fn wycheproof_aes_256_gcm() {
    fn check<C: Cipher>() {
        let vectors = vectors(include_str!("../../tests/data/wycheproof_aes_256_gcm.json"));
        assert_eq!(vectors.len(), 66);
        for vector in &vectors {
            let [key, nonce, aad, plain, ciphertext, tag] =
                ["key", "iv", "aad", "msg", "ct", "tag"].map(|name| bytes(vector, name));
            let cipher = C::new(&key.try_into().unwrap());
            let nonce = nonce.try_into().unwrap();
            let tag: [u8; 16] = tag.try_into().unwrap();

            let mut buffer = ciphertext.clone();
            let opened = cipher.decrypt(&nonce, &aad, &mut buffer, &tag).is_some();
            assert_eq!(opened, vector["valid"], "{}", vector["id"]);
            if opened {
                assert_eq!(buffer, plain);
                assert_eq!(cipher.encrypt(&nonce, &aad, &mut buffer), Some(tag));
                assert_eq!(buffer, ciphertext);
            } else {
                assert!(plain.is_empty() || buffer != plain, "{}", vector["id"]);
            }
        }
    }
    on_each!(check);
}

/// The bits of nonce, ciphertext, tag, additional data and key, one at a time.
#[test]
fn every_single_bit_flip_is_noticed() {
    fn check<C: Cipher>() {
        let plain = *b"078-05-1120";
        let (key, nonce, aad) = ([7; 32], [1; 12], [9; 22]);
        let mut buffer = plain;
        let tag = C::new(&key).encrypt(&nonce, &aad, &mut buffer).unwrap();
        let whole = [&key[..], &nonce, &aad, &buffer, &tag].concat();
        let open = |bytes: &[u8]| {
            let (key, rest) = bytes.split_first_chunk::<32>().unwrap();
            let (nonce, rest) = rest.split_first_chunk::<12>().unwrap();
            let (aad, rest) = rest.split_first_chunk::<22>().unwrap();
            let (ciphertext, tag) = rest.split_last_chunk::<16>().unwrap();
            let mut buffer = ciphertext.to_vec();
            let opened = C::new(key).decrypt(nonce, aad, &mut buffer, tag);
            (opened.is_some(), buffer)
        };
        assert_eq!(open(&whole), (true, plain.to_vec()));
        for bit in 0..8 * whole.len() {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let (opened, buffer) = open(&flipped);
            assert!(!opened, "bit {bit}");
            assert_ne!(buffer, plain, "bit {bit}");
        }
    }
    on_each!(check);
}

/// What one implementation has sealed, the others open, over all lengths around the blocks of GCM.
#[test]
fn implementations_read_each_other() {
    fn check<C: Cipher>() {
        for length in (0..70).chain([255, 256, 1023, 1024, 4097]) {
            let plain: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
            let mut buffer = plain.clone();
            let tag = C::new(&[3; 32]).encrypt(&[5; 12], b"row", &mut buffer).unwrap();
            let mut again = plain.clone();
            assert_eq!(FieldCipher::new(&[3; 32]).encrypt(&[5; 12], b"row", &mut again), Some(tag));
            assert_eq!(again, buffer);
            assert_eq!(FieldCipher::new(&[3; 32]).decrypt(&[5; 12], b"row", &mut buffer, &tag), Some(()));
            assert_eq!(buffer, plain);
        }
    }
    on_each!(check);
}
