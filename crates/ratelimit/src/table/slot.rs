//! A slot and its latch.
//!
//! A slot's tag word holds the tag of its key in its upper bits, and two flags below. Who sets the latch flag, with a
//! compare-and-swap against the word that he expects, owns the slot's state until he writes the word back. Because the
//! tag is part of what is compared, nobody can latch a slot for a key that has just lost it. A latch is held for the few
//! instructions of a count and never while waiting for a lock of a caller.

use std::fmt;
use std::sync::atomic::Ordering;

use crate::table::cells::Cells;
use crate::table::sync::{AtomicU64, spin_loop, yield_now};

pub(super) const LATCHED: u64 = 1;
const REPORTED: u64 = 2;

/// The lower bits, which belong to no tag.
pub(super) const FLAGS: u64 = LATCHED | REPORTED;

/// Tries before the processor is left to others: the owner of the latch may be waiting for it.
const SPINS: u32 = 64;

/// The slot of one key, latched until it is dropped.
pub(crate) struct Slot<'a> {
    word: &'a AtomicU64,
    /// What the word will be when the latch is released.
    after: u64,
    /// The number of the slot in its table.
    pub(crate) index: usize,
    pub(crate) cells: Cells<'a>,
}

impl<'a> Slot<'a> {
    /// Latches the slot if it is `tag`'s, waiting while another thread has it.
    #[inline]
    pub(super) fn latch(word: &'a AtomicU64, tag: u64, index: usize, cells: Cells<'a>) -> Option<Self> {
        let mut seen = word.load(Ordering::Relaxed);
        let mut tries = 0_u32;
        while seen & !FLAGS == tag {
            if seen & LATCHED == 0 {
                match word.compare_exchange_weak(seen, seen | LATCHED, Ordering::Acquire, Ordering::Relaxed) {
                    Ok(_) => return Some(Self { word, after: seen, index, cells }),
                    Err(now) => seen = now,
                }
                continue;
            }
            tries = tries.wrapping_add(1);
            if tries.is_multiple_of(SPINS) || cfg!(all(test, stockade_model)) {
                yield_now();
            } else {
                spin_loop();
            }
            seen = word.load(Ordering::Relaxed);
        }
        None
    }

    /// Latches the slot whosever it is, unless another thread has it.
    pub(super) fn try_latch(word: &'a AtomicU64, index: usize, cells: Cells<'a>) -> Option<Self> {
        let seen = word.load(Ordering::Relaxed);
        let free = seen & LATCHED == 0;
        let taken = free && word.compare_exchange(seen, seen | LATCHED, Ordering::Acquire, Ordering::Relaxed).is_ok();
        // Made only if it is taken: dropping a slot writes its word.
        taken.then(|| Self { word, after: seen, index, cells })
    }

    /// Gives the slot to another key, whose state is fresh. An open episode is left for the caller to close.
    pub(super) fn give_to(&mut self, tag: u64) {
        self.after = tag | (self.after & REPORTED);
        self.cells.clear();
    }

    /// Whether there is an open episode for this slot.
    pub(crate) fn is_reported(&self) -> bool {
        self.after & REPORTED != 0
    }

    /// Notes that there is an open episode for this slot.
    pub(crate) fn episode_opened(&mut self) {
        self.after |= REPORTED;
    }

    /// Notes that there is none any more.
    pub(crate) fn episode_closed(&mut self) {
        self.after &= !REPORTED;
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.word.store(self.after, Ordering::Release);
    }
}

impl fmt::Debug for Slot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("index", &self.index).finish_non_exhaustive()
    }
}
