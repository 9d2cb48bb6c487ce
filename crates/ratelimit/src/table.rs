//! The keys of one rule, in a table that never grows.
//!
//! A key may lie in one of two buckets of eight slots, which its hash chooses. A new key takes a free slot, or the slot
//! of a key whose state cannot be told from a fresh one; if all sixteen are in use it gets none. So no traffic on other
//! keys can make the table forget a charge that still counts. The table is cut into shards, each behind its own lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::key::Key;

pub(crate) use self::hash::Tagger;
pub(crate) use self::shard::{Shard, Slot};

mod hash;
mod shard;

const SLOTS: usize = 8;

/// Shards of fewer slots than this would fill unevenly.
const SHARD_SLOTS: usize = 1024;
const MAX_SHARDS: usize = 64;

#[derive(Debug)]
pub(crate) struct Table {
    shards: Box<[Mutex<Shard>]>,
    buckets: usize,
}

/// Where a key may lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) shard: usize,
    tag: u128,
    first: usize,
    second: usize,
}

impl Table {
    /// A table for `capacity` keys at a load of two thirds, at which two choices of eight slots hardly ever overflow.
    pub(crate) fn new(capacity: usize) -> Self {
        let slots = capacity.saturating_add(capacity.div_ceil(2));
        let shards = (slots / SHARD_SLOTS).clamp(1, MAX_SHARDS);
        let buckets = slots.div_ceil(shards * SLOTS);
        Self { shards: (0..shards).map(|_| Mutex::new(Shard::new(buckets))).collect(), buckets }
    }

    pub(crate) fn place(&self, tagger: &Tagger, key: &Key) -> Place {
        let tag = tagger.tag(key);
        let [shard, first, offset] =
            hash::spread(tag, [self.shards.len(), self.buckets, self.buckets.saturating_sub(1)]);
        // Two different buckets, wherever there are two.
        let second = first.saturating_add(1).saturating_add(offset) % self.buckets.max(1);
        Place { shard, tag, first, second }
    }

    /// The shard of a place of this table. The lock of a thread that panicked is taken all the same: nothing in this
    /// crate can panic between the first and the last change of a state.
    #[expect(clippy::indexing_slicing, reason = "`place` reduces the number to the count of shards, which is not 0")]
    pub(crate) fn lock(&self, shard: usize) -> MutexGuard<'_, Shard> {
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every shard, locked one at a time.
    pub(crate) fn shards(&self) -> impl Iterator<Item = MutexGuard<'_, Shard>> {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn slots(&self) -> usize {
        self.shards.len().saturating_mul(self.buckets).saturating_mul(SLOTS)
    }
}

impl Place {
    fn buckets(&self) -> impl Iterator<Item = usize> + use<> {
        let second = (self.second != self.first).then_some(self.second);
        [Some(self.first), second].into_iter().flatten()
    }
}
