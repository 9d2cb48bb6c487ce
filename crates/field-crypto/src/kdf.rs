//! HKDF-SHA256 (RFC 5869).

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::context::Context;

/// A subkey of 32 bytes, bound to `context`. No salt: the input is a uniformly random key (RFC 5869, section 3.1).
#[expect(clippy::expect_used, reason = "HKDF-SHA256 gives up to 8160 bytes, and the length here is constant")]
pub(crate) fn subkey(key: &[u8; 32], context: &Context) -> Zeroizing<[u8; 32]> {
    let mut subkey = Zeroizing::new([0; 32]);
    expand(None, key, context.as_bytes(), &mut *subkey).expect("32 bytes are within the limit of HKDF");
    subkey
}

fn expand(salt: Option<&[u8]>, key: &[u8], info: &[u8], output: &mut [u8]) -> Option<()> {
    Hkdf::<Sha256>::new(salt, key).expand(info, output).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::expand;

    /// RFC 5869, appendix A, the cases with SHA-256.
    #[test]
    fn rfc_5869_hkdf_sha256() {
        let cases: Vec<Value> = serde_json::from_str(include_str!("../tests/data/rfc5869.json")).unwrap();
        assert_eq!(cases.len(), 3);
        for case in &cases {
            let bytes = |name: &str| hex::decode(case[name].as_str().unwrap()).unwrap();
            let salt = bytes("salt");
            let expected = bytes("okm");
            let mut output = vec![0; expected.len()];
            let salt = (!salt.is_empty()).then_some(&*salt);
            expand(salt, &bytes("ikm"), &bytes("info"), &mut output).unwrap();
            assert_eq!(output, expected, "{}", case["name"]);
        }
    }

    /// The invalid cases ask for more than HKDF gives.
    #[test]
    fn wycheproof_hkdf_sha256() {
        let cases: Vec<Value> =
            serde_json::from_str(include_str!("../tests/data/wycheproof_hkdf_sha256.json")).unwrap();
        assert_eq!(cases.len(), 86);
        for case in &cases {
            let bytes = |name: &str| hex::decode(case[name].as_str().unwrap()).unwrap();
            let mut output = vec![0; usize::try_from(case["size"].as_u64().unwrap()).unwrap()];
            let expanded = expand(Some(&bytes("salt")), &bytes("ikm"), &bytes("info"), &mut output);
            assert_eq!(expanded.is_some(), case["valid"], "{}", case["id"]);
            assert!(expanded.is_none() || output == bytes("okm"), "{}", case["id"]);
        }
    }
}
