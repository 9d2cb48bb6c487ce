//! From a key to its tag and its place.

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::key::Key;

/// A keyed hash of 128 bits: two SipHash-1-3 with seeds of their own, drawn from the operating system when the limiter
/// is built. Nobody outside the process can choose keys that collide or that crowd one bucket. Two of a billion keys
/// share a tag by chance with a probability below 2^-68; they would then share a limit, which is the strict side.
pub(crate) struct Tagger {
    seeds: [RandomState; 2],
}

impl Tagger {
    pub(crate) fn new() -> Self {
        Self { seeds: [RandomState::new(), RandomState::new()] }
    }

    pub(super) fn tag(&self, key: &Key) -> u128 {
        self.seeds.iter().fold(0, |tag, seed| {
            let mut hasher = seed.build_hasher();
            hasher.write(key.encoded());
            (tag << 64) | u128::from(hasher.finish())
        })
    }
}

/// Three numbers below the given counts, from different bits of the tag. A count of 0 gives 0.
pub(super) fn spread(tag: u128, counts: [usize; 3]) -> [usize; 3] {
    let mut bits = tag;
    counts.map(|count| {
        let number = (bits & u128::from(u32::MAX)) * count as u128;
        bits >>= 32;
        usize::try_from(number >> 32).unwrap_or_default()
    })
}
