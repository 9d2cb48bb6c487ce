//! The secret of a lease.

use std::fmt;

use sha2::Digest as _;
use zeroize::Zeroizing;

/// The SHA-256 of a secret, which is all that the minter sees.
pub(super) type Digest = [u8; 32];

/// 32 bytes of the operating system's random numbers, as 64 lower-case hexadecimal characters. Wiped when dropped.
pub(super) struct Secret(Zeroizing<String>);

impl Secret {
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes)?;
        Ok(Self(Zeroizing::new(hex::encode(bytes.as_slice()))))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Of the 64 characters, as the database computes it.
    pub(super) fn digest(&self) -> Digest {
        sha2::Sha256::digest(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn it_is_hexadecimal_new_each_time_and_never_shown() {
        let (one, two) = (Secret::random().unwrap(), Secret::random().unwrap());
        assert_eq!(one.as_str().len(), 64);
        assert!(one.as_str().bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
        assert_ne!(one.as_str(), two.as_str());
        assert_ne!(one.digest(), two.digest());
        assert_eq!(format!("{one:?}"), "Secret(..)");
    }
}
