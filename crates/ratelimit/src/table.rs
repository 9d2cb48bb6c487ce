//! The keys of one rule, in a table that never grows.
//!
//! A key may lie in one of two buckets of eight slots, which its hash chooses. A new key takes a vacant slot, or the slot
//! of a key whose state cannot be told from a fresh one; if all sixteen are in use it gets none. So no traffic on other
//! keys can make the table forget a charge that still counts.
//!
//! A key that has a slot is found and latched without a lock. Locks, one for every few buckets, are for those who may
//! give a slot to another key, and for requests that hold several slots at a time; who needs them takes them before his
//! first latch. So who waits for a lock holds no latch, and who waits for a latch waits for somebody who waits for
//! nothing but a later latch.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use crate::key::Key;
use crate::state::{Terms, Tick};

use self::cells::{Line, WORDS};
use self::slot::{FLAGS, LATCHED};
use self::sync::{Mutex, MutexGuard};

pub(crate) use self::cells::{Cells, low};
pub(crate) use self::hash::Tagger;
pub(crate) use self::sketch::Sketch;
pub(crate) use self::slot::Slot;

mod cells;
mod hash;
mod sketch;
mod slot;
mod sync;

#[cfg(all(test, stockade_model))]
mod model;
#[cfg(all(test, not(stockade_model)))]
mod tests;

const MAX_GATES: usize = 1024;

#[derive(Debug)]
pub(crate) struct Table {
    /// Of every group of slots the tags, which begin a line, and then the states.
    lines: Box<[Line]>,
    buckets: usize,
    /// Words of state for a key.
    words: usize,
    /// Slots in a group: as many as fit into one line with their states, so that a key is found and charged in one line; or
    /// all slots of a bucket, if the state of a key is more than a word.
    group: usize,
    gates: Box<[Mutex<()>]>,
}

/// Where a key may lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    tag: u64,
    first: usize,
    second: usize,
}

/// The right to give the slots of a place to other keys.
pub(crate) type Gate<'a> = MutexGuard<'a, ()>;

/// A tag of these bits: without flags, and never the word of a vacant slot.
const fn tag_of(bits: u64) -> u64 {
    let tag = bits & !FLAGS;
    if tag == 0 { FLAGS + 1 } else { tag }
}

impl Table {
    /// A table for `capacity` keys of `words` words at a load of four fifths, at which two choices of eight slots
    /// overflow for one key in five thousand.
    pub(crate) fn new(capacity: usize, words: usize) -> Self {
        let slots = capacity.saturating_add(capacity.div_ceil(4));
        let buckets = slots.div_ceil(WORDS).max(1);
        let lines = buckets.saturating_mul(words.saturating_add(1));
        Self {
            lines: (0..lines).map(|_| Line::empty()).collect(),
            buckets,
            words,
            group: if words == 1 { WORDS / 2 } else { WORDS },
            gates: (0..buckets.min(MAX_GATES)).map(|_| Mutex::new(())).collect(),
        }
    }

    pub(crate) fn place(&self, tagger: &Tagger, key: &Key) -> Place {
        let [tag, spread] = tagger.tag(key);
        let first = hash::reduce(spread, self.buckets);
        let offset = hash::reduce(spread.rotate_left(32), self.buckets.saturating_sub(1));
        // Two different buckets, wherever there are two.
        let second = first.saturating_add(1).saturating_add(offset) % self.buckets;
        Place { tag: tag_of(tag), first, second }
    }

    /// The key's slot, if it has one, latched. Wait-free but for threads that hold the very slot.
    #[inline]
    pub(crate) fn latch(&self, place: &Place) -> Option<Slot<'_>> {
        self.latch_in(place.first, place.tag).or_else(|| self.latch_in(place.second, place.tag))
    }

    /// The number of the key's slot, if it has one. It stays true as long as the place's gates are held.
    pub(crate) fn find(&self, place: &Place) -> Option<usize> {
        let own = |word: &sync::AtomicU64| word.load(Ordering::Relaxed) & !FLAGS == place.tag;
        self.near(place).find(|(word, ..)| own(word)).map(|(_, index, _)| index)
    }

    /// The slot of that number, latched, whosever it is; `None` if it is vacant or there is none.
    pub(crate) fn latch_at(&self, index: usize) -> Option<Slot<'_>> {
        let (word, index, cells) = self.slot(index / WORDS, index % WORDS)?;
        loop {
            let tag = word.load(Ordering::Relaxed) & !FLAGS;
            if tag == 0 {
                return None;
            }
            if let Some(slot) = Slot::latch(word, tag, index, cells) {
                return Some(slot);
            }
        }
    }

    /// The numbers of the gates of a place, in order.
    pub(crate) fn gates(&self, place: &Place) -> impl Iterator<Item = usize> + use<> {
        let count = self.gates.len().max(1);
        let (one, other) = (place.first % count, place.second % count);
        let second = (one != other).then_some(one.max(other));
        [Some(one.min(other)), second].into_iter().flatten()
    }

    /// Closes a gate to others. A thread that panicked left nothing unfinished behind it.
    pub(crate) fn close(&self, gate: usize) -> Option<Gate<'_>> {
        self.gates.get(gate).map(|gate| gate.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives a slot to a key that has none, fresh and latched; nothing if all are in use. The caller has closed the
    /// place's gates, and closes the former key's episode if the slot is still marked with one.
    pub(crate) fn occupy(&self, place: &Place, terms: &Terms, now: Tick) -> Option<Slot<'_>> {
        // The emptier bucket first, so that both fill evenly; in it the vacant slots, so that no key is found anew each time
        // only because its state is fresh.
        let vacant = |bucket: usize| self.bucket(bucket).filter(is_vacant);
        let free = |bucket: usize| self.bucket(bucket).filter(|at| free_at(at, terms) <= now);
        let room = |bucket: usize| (free(bucket).count(), vacant(bucket).count());
        let (mut one, mut other) = (place.first, place.second);
        if room(other) > room(one) {
            (one, other) = (other, one);
        }
        let slots = [one, other].into_iter().flat_map(|bucket| vacant(bucket).chain(free(bucket)));
        slots.filter_map(|(word, index, cells)| Slot::try_latch(word, index, cells)).find_map(|mut slot| {
            // What was read without the latch may have changed. The state of a vacant slot is fresh.
            (terms.fresh_at(slot.cells) <= now).then(|| {
                slot.give_to(place.tag);
                slot
            })
        })
    }

    /// Whether a new key can have a slot here now.
    pub(crate) fn has_room(&self, place: &Place, terms: &Terms, now: Tick) -> bool {
        self.near(place).any(|at| free_at(&at, terms) <= now)
    }

    /// The earliest tick at which a new key can have a slot here.
    pub(crate) fn room_at(&self, place: &Place, terms: &Terms) -> Tick {
        self.near(place).map(|at| free_at(&at, terms)).min().unwrap_or(Tick::MAX)
    }

    pub(crate) fn slots(&self) -> usize {
        self.buckets.saturating_mul(WORDS)
    }

    #[inline]
    fn latch_in(&self, bucket: usize, tag: u64) -> Option<Slot<'_>> {
        let own = |word: &sync::AtomicU64| word.load(Ordering::Relaxed) & !FLAGS == tag;
        let found = |group| self.tags(bucket, group).iter().position(own).map(|slot| (group, slot));
        let (group, slot) = found(0).or_else(|| if self.group < WORDS { found(1) } else { None })?;
        let (word, index, cells) = self.at(bucket, group, slot)?;
        Slot::latch(word, tag, index, cells)
    }

    fn near(&self, place: &Place) -> impl Iterator<Item = At<'_>> {
        let second = (place.second != place.first).then_some(place.second);
        self.bucket(place.first).chain(second.into_iter().flat_map(|second| self.bucket(second)))
    }

    fn bucket(&self, bucket: usize) -> impl Iterator<Item = At<'_>> {
        (0..WORDS).filter_map(move |slot| self.slot(bucket, slot))
    }

    fn slot(&self, bucket: usize, slot: usize) -> Option<At<'_>> {
        self.at(bucket, slot / self.group, slot % self.group)
    }

    #[inline]
    fn at(&self, bucket: usize, group: usize, slot: usize) -> Option<At<'_>> {
        let word = self.tags(bucket, group).get(slot)?;
        let states = self.lines.get(self.line(bucket, group)..)?;
        let cells = Cells::new(states, self.group.wrapping_add(slot.wrapping_mul(self.words)), self.words);
        let before = bucket.wrapping_mul(WORDS).wrapping_add(group.wrapping_mul(self.group));
        Some((word, before.wrapping_add(slot), cells))
    }

    /// The tags of a group, which a bucket has one or two of; none beyond the last bucket.
    #[inline]
    fn tags(&self, bucket: usize, group: usize) -> &[sync::AtomicU64] {
        let line = self.lines.get(self.line(bucket, group));
        line.and_then(|line| line.0.get(..self.group)).unwrap_or_default()
    }

    /// The number of the line with which a group begins.
    fn line(&self, bucket: usize, group: usize) -> usize {
        let of_bucket = self.words.wrapping_add(1);
        // Half a bucket is a line; a whole one has no second group.
        bucket.wrapping_mul(of_bucket).wrapping_add(group)
    }
}

/// A slot: its word, its number, its state.
type At<'a> = (&'a sync::AtomicU64, usize, Cells<'a>);

fn is_vacant((word, ..): &At<'_>) -> bool {
    word.load(Ordering::Relaxed) == 0
}

/// From when the slot is free, as far as that can be told without its latch: never while another thread has it.
fn free_at((word, _, cells): &At<'_>, terms: &Terms) -> Tick {
    match word.load(Ordering::Relaxed) {
        0 => 0,
        word if word & LATCHED != 0 => Tick::MAX,
        _ => terms.fresh_at(*cells),
    }
}
