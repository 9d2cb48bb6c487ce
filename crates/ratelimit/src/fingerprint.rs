//! The stable pseudonym of a key in events.

use std::fmt;
use std::hash::{BuildHasher, RandomState};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::key::Key;

/// Stands for one key of one rule in events: the first 128 bits of HMAC-SHA256 (RFC 2104) over both.
///
/// The same rule and key give the same fingerprint for as long as the [`FingerprintKey`] is the same, so an alert rule
/// can tell a new subject from one it has already reported; without the key nobody can test a guess.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// The 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// The secret behind [`Fingerprint`]s. Give the same one to every instance of an application, and keep it, to have
/// fingerprints that agree between instances and outlive a restart. It is of no use for getting past a limit.
pub struct FingerprintKey(Zeroizing<[u8; 64]>);

impl FingerprintKey {
    /// A key of 32 secret bytes.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        let secret = Zeroizing::new(secret);
        // HMAC pads a key shorter than the block of SHA-256 with zeros (RFC 2104 section 2).
        let mut block = Zeroizing::new([0; 64]);
        block.iter_mut().zip(*secret).for_each(|(to, from)| *to = from);
        Self(block)
    }

    /// A key of this process alone, seeded by the operating system.
    pub(crate) fn of_process() -> Self {
        let seed = RandomState::new();
        let mut secret = [0; 32];
        for (part, chunk) in secret.chunks_mut(8).enumerate() {
            chunk.copy_from_slice(&seed.hash_one(part).to_le_bytes());
        }
        Self::new(secret)
    }

    /// The fingerprint of `key` under the rule, or of the rule as a whole.
    pub(crate) fn fingerprint(&self, rule: &str, key: Option<&Key>) -> Fingerprint {
        let mut mac = Hmac::<Sha256>::new((&*self.0).into());
        mac.update(&u64::try_from(rule.len()).unwrap_or(u64::MAX).to_le_bytes());
        mac.update(rule.as_bytes());
        mac.update(key.map_or(&[], Key::encoded));
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(to, from)| *to = from);
        Fingerprint(bytes)
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey(..)")
    }
}
