//! From a key to its tag and its place.

use std::hash::{BuildHasher, RandomState};

use siphasher::sip128::SipHasher13;

use crate::key::Key;

/// A keyed hash of 128 bits: SipHash-1-3-128 of the key, with a seed drawn from the operating system when the limiter is built. Nobody outside the process can choose keys that collide or that crowd
/// one bucket. The first half is the tag, less two bits for flags; the second chooses the buckets. Two of a million keys
/// share tag and bucket by chance with a probability of 2^-39; they would then share a limit, which is the strict side.
pub(crate) struct Tagger {
    hasher: SipHasher13,
}

impl Tagger {
    pub(crate) fn new() -> Self {
        let seed = RandomState::new();
        Self { hasher: SipHasher13::new_with_keys(seed.hash_one(0_u8), seed.hash_one(1_u8)) }
    }

    /// The tag and the number that spreads the keys.
    pub(super) fn tag(&self, key: &Key) -> [u64; 2] {
        let (tag, spread) = self.hasher.hash(key.encoded()).as_u64();
        [tag, spread]
    }
}

/// A number below `count`, from the lower 32 bits. A count of 0 gives 0.
pub(super) fn reduce(bits: u64, count: usize) -> usize {
    let number = u128::from(bits & u64::from(u32::MAX)) * (count as u128);
    usize::try_from(number >> 32).unwrap_or_default()
}
