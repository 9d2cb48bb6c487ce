//! A ring of buckets that count as a whole.
//!
//! The window W is cut into B = 15 parts of w = W/B, rounded up to a nanosecond, and time into buckets of w. A cost is
//! admitted in bucket k if it fits beside everything in the buckets k - B to k. Then no window holds more than the
//! limit N: let e be the last admission of a window (t - W, t], in bucket k. Whatever else was admitted in that window
//! lies in a bucket from floor((e - W)/w) >= k - B on, so it was part of the sum when e was admitted. And a refusal
//! means that more than N - cost was admitted since (k - B)w, which is less than (B + 1)w ago.

use crate::state::{Charge, Terms, Tick};
use crate::table::{Cells, low};

const PARTS: u64 = 15;

/// One bucket more than the parts of a window, because a window seldom begins where a bucket does.
const BUCKETS: usize = 16;

/// The ring of one key: its first word is the newest bucket, counted from the clock's origin; then the costs of the
/// buckets from `head - 15` to `head`, that of bucket `k` at `k` modulo 16, four in a word where the limit allows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlidingWindow<'a> {
    cells: Cells<'a>,
    width: u64,
    /// The bits of a cost.
    bits: usize,
}

impl<'a> SlidingWindow<'a> {
    pub(super) fn words(terms: &Terms) -> usize {
        BUCKETS * bits(terms) / 64 + 1
    }

    pub(super) fn new(terms: &Terms, cells: Cells<'a>) -> Self {
        Self { cells, width: terms.window.div_ceil(PARTS).max(1), bits: bits(terms) }
    }

    pub(super) fn charges(self) -> impl Iterator<Item = Charge> + Clone {
        let head = self.head();
        (head.saturating_sub(PARTS)..=head)
            .map(move |bucket| Charge { until: self.until(bucket), cost: self.cost(bucket) })
            .filter(|charge| charge.cost > 0)
    }

    /// Says until when the charge counts.
    pub(super) fn charge(self, now: Tick, cost: u32) -> Tick {
        let (bucket, head) = (now / self.width, self.head());
        let passed = bucket.saturating_sub(head).min(PARTS + 1);
        for step in 0..passed {
            self.put(bucket.saturating_sub(step), 0);
        }
        self.cells.put(0, head.max(bucket));
        self.put(bucket, self.cost(bucket).saturating_add(cost));
        self.until(bucket)
    }

    pub(super) fn release(self, at: Tick, cost: u32) {
        let bucket = at / self.width;
        if bucket.saturating_add(PARTS) >= self.head() {
            self.put(bucket, self.cost(bucket).saturating_sub(cost));
        }
    }

    fn until(self, bucket: u64) -> Tick {
        bucket.saturating_add(PARTS + 1).saturating_mul(self.width)
    }

    fn head(self) -> u64 {
        self.cells.at(0)
    }

    fn cost(self, bucket: u64) -> u32 {
        let (word, shift) = self.locate(bucket);
        low((self.cells.at(word) >> shift) & self.mask())
    }

    /// A sum within the limit, which the bits can hold.
    fn put(self, bucket: u64, cost: u32) {
        let (word, shift) = self.locate(bucket);
        let others = self.cells.at(word) & !(self.mask() << shift);
        self.cells.put(word, others | ((u64::from(cost) & self.mask()) << shift));
    }

    fn locate(self, bucket: u64) -> (usize, usize) {
        let bit = usize::try_from(bucket % (PARTS + 1)).unwrap_or_default() * self.bits;
        (1 + bit / 64, bit % 64)
    }

    fn mask(self) -> u64 {
        (1 << self.bits) - 1
    }
}

fn bits(terms: &Terms) -> usize {
    if terms.limit <= u32::from(u16::MAX) { 16 } else { 32 }
}
