//! A bucket of tokens, as the tick at which it is full again.
//!
//! Every charge of c units puts that tick off by c intervals, from now if the bucket is full. A cost is admitted if the
//! bucket is then full again within as many intervals as it has room for units, b. So over any span d, measured from a
//! charge to a charge, at most b + d / interval units are admitted: the work of b intervals may be outstanding at the
//! end, and d of it has been done.

use crate::state::{Outlook, Terms, Tick};
use crate::table::Cells;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gcra {
    full_at: Tick,
}

impl Gcra {
    pub(super) const WORDS: usize = 1;

    pub(super) fn load(cells: Cells<'_>) -> Self {
        Self { full_at: cells.at(0) }
    }

    pub(super) fn store(self, cells: Cells<'_>) {
        cells.put(0, self.full_at);
    }

    pub(super) fn outlook(self, terms: &Terms, now: Tick, cost: u32) -> Outlook {
        let reset = self.full_at.saturating_sub(now);
        let used = reset.div_ceil(terms.interval.max(1)).min(u64::from(terms.limit));
        let wanted = reset.saturating_add(span(terms, cost));
        Outlook {
            used: u32::try_from(used).unwrap_or(terms.limit),
            wait: wanted.saturating_sub(span(terms, terms.limit)),
            reset,
        }
    }

    pub(super) fn full_at(self) -> Tick {
        self.full_at
    }

    pub(super) fn charge(self, terms: &Terms, now: Tick, cost: u32) -> Self {
        Self { full_at: self.full_at.max(now).saturating_add(span(terms, cost)) }
    }

    /// A bucket does not know whose tokens have come back. Without the charge it would now be fuller by the whole charge
    /// less, at most, the time since: that much of the charge may have come back already, and a token that came back
    /// must not come back twice.
    pub(super) fn release(self, terms: &Terms, at: Tick, now: Tick, cost: u32) -> Self {
        let left = span(terms, cost).saturating_sub(now.saturating_sub(at));
        Self { full_at: self.full_at.saturating_sub(left) }
    }
}

/// The nanoseconds in which `cost` comes back.
fn span(terms: &Terms, cost: u32) -> u64 {
    terms.interval.saturating_mul(u64::from(cost))
}
