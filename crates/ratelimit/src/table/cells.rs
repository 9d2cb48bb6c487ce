//! The memory of the table: lines of eight words, and the words of one key among them.

use std::sync::atomic::Ordering;

use crate::table::sync::AtomicU64;

/// The words of a cache line.
pub(super) const WORDS: usize = 8;

/// One cache line of words, so that the tags of a group are in one.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Line(pub(super) [AtomicU64; WORDS]);

impl Line {
    pub(super) fn empty() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

/// The words of state of one key. They are read and written in relaxed order: whoever holds them has latched their slot,
/// and the latch orders them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cells<'a> {
    lines: &'a [Line],
    base: usize,
    count: usize,
}

impl<'a> Cells<'a> {
    /// `count` words from number `base` of `lines` on.
    pub(super) fn new(lines: &'a [Line], base: usize, count: usize) -> Self {
        Self { lines, base, count }
    }

    /// Word `index`; 0 beyond the last.
    pub(crate) fn at(self, index: usize) -> u64 {
        self.word(index).map_or(0, |word| word.load(Ordering::Relaxed))
    }

    /// Writes word `index`, unless it is beyond the last.
    pub(crate) fn put(self, index: usize, value: u64) {
        if let Some(word) = self.word(index) {
            word.store(value, Ordering::Relaxed);
        }
    }

    pub(crate) fn clear(self) {
        (0..self.count).for_each(|index| self.put(index, 0));
    }

    /// Half `half` of a word, counted over all words; 0 beyond the last.
    pub(crate) fn half(self, half: usize) -> u32 {
        low(self.at(half / 2) >> (half % 2 * 32))
    }

    /// Writes half `half` of a word.
    pub(crate) fn put_half(self, half: usize, value: u32) {
        let shift = half % 2 * 32;
        let other = self.at(half / 2) & !(u64::from(u32::MAX) << shift);
        self.put(half / 2, other | (u64::from(value) << shift));
    }

    fn word(self, index: usize) -> Option<&'a AtomicU64> {
        let at = self.base.wrapping_add(index);
        self.lines.get(at / WORDS)?.0.get(at % WORDS)
    }
}

/// The lower half.
#[expect(clippy::cast_possible_truncation, reason = "what is lost is what is not asked for")]
pub(crate) const fn low(word: u64) -> u32 {
    word as u32
}
