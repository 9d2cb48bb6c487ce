//! A ring of buckets that count as a whole.
//!
//! The window W is cut into B = 15 parts of w = W/B, rounded up to a nanosecond, and time into buckets of w. A cost is
//! admitted in bucket k if it fits beside everything in the buckets k - B to k. Then no window holds more than the
//! limit N: let e be the last admission of a window (t - W, t], in bucket k. Whatever else was admitted in that window
//! lies in a bucket from floor((e - W)/w) >= k - B on, so it was part of the sum when e was admitted. And a refusal
//! means that more than N - cost was admitted since (k - B)w, which is less than (B + 1)w ago.

use crate::state::{Charge, Terms, Tick};

const PARTS: u64 = 15;

/// One bucket more than the parts of a window, because a window seldom begins where a bucket does.
const BUCKETS: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct SlidingWindow {
    /// The newest bucket, counted from the clock's origin.
    head: u64,
    /// The cost of bucket `k` at `k` modulo 16, for the buckets from `head - 15` to `head`.
    costs: [u32; BUCKETS],
}

impl SlidingWindow {
    pub(super) fn charges(&self, terms: &Terms) -> impl Iterator<Item = Charge> + Clone {
        let width = width(terms);
        (self.head.saturating_sub(PARTS)..=self.head)
            .map(move |bucket| Charge {
                until: bucket.saturating_add(PARTS + 1).saturating_mul(width),
                cost: self.costs.get(slot(bucket)).copied().unwrap_or_default(),
            })
            .filter(|charge| charge.cost > 0)
    }

    pub(super) fn charge(&mut self, terms: &Terms, now: Tick, cost: u32) {
        let bucket = now / width(terms);
        let passed = bucket.saturating_sub(self.head).min(PARTS + 1);
        for step in 0..passed {
            self.alter(bucket.saturating_sub(step), |_| 0);
        }
        self.head = self.head.max(bucket);
        self.alter(bucket, |sum| sum.saturating_add(cost));
    }

    pub(super) fn release(&mut self, terms: &Terms, at: Tick, cost: u32) {
        let bucket = at / width(terms);
        if bucket.saturating_add(PARTS) >= self.head {
            self.alter(bucket, |sum| sum.saturating_sub(cost));
        }
    }

    fn alter(&mut self, bucket: u64, change: impl FnOnce(u32) -> u32) {
        if let Some(cost) = self.costs.get_mut(slot(bucket)) {
            *cost = change(*cost);
        }
    }
}

fn width(terms: &Terms) -> u64 {
    terms.window.div_ceil(PARTS).max(1)
}

fn slot(bucket: u64) -> usize {
    usize::try_from(bucket % (PARTS + 1)).unwrap_or_default()
}
