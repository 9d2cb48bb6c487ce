//! Failures in a row, and the locks they lead to.

use crate::lockout::Lockout;
use crate::state::{LAST_TICK, Outlook, Terms, Tick, nanoseconds};
use crate::table::Cells;

/// What no time forgets is forgotten after the last tick.
const NEVER: Tick = LAST_TICK + 1;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Failures {
    /// In this row; as many as the limit while locked.
    count: u32,
    /// In a row.
    locks: u32,
    /// The first and the last failure of this row.
    first: Tick,
    last: Tick,
    /// The end of the latest lock, put off by the time for which locks have been forgotten since.
    until: Tick,
}

impl Failures {
    pub(super) const WORDS: usize = 4;

    pub(super) fn load(cells: Cells<'_>) -> Self {
        Self { count: cells.half(0), locks: cells.half(1), first: cells.at(1), last: cells.at(2), until: cells.at(3) }
    }

    pub(super) fn store(self, cells: Cells<'_>) {
        cells.put_half(0, self.count);
        cells.put_half(1, self.locks);
        cells.put(1, self.first);
        cells.put(2, self.last);
        cells.put(3, self.until);
    }

    pub(super) fn outlook(self, terms: &Terms, now: Tick, cost: u32) -> Outlook {
        let current = self.at(terms, now);
        let fits = current.count.saturating_add(cost) <= terms.limit;
        let room_at = if current.count >= terms.limit { current.until } else { current.row_ends(terms) };
        Outlook {
            used: current.count,
            wait: if fits { 0 } else { room_at.saturating_sub(now) },
            reset: current.forgotten_at(terms).saturating_sub(now),
        }
    }

    pub(super) fn forgotten_at(self, terms: &Terms) -> Tick {
        let row = if self.count == 0 || self.count >= terms.limit { 0 } else { self.row_ends(terms) };
        let locks = match memory(terms) {
            _ if self.locks == 0 => 0,
            Some(memory) => self.until.saturating_add(memory.saturating_mul(u64::from(self.locks))),
            None => NEVER,
        };
        row.max(locks)
    }

    pub(super) fn charge(mut self, terms: &Terms, now: Tick, cost: u32) -> Self {
        self = self.at(terms, now);
        if self.count == 0 {
            self.first = now;
        }
        self.count = self.count.saturating_add(cost);
        self.last = now;
        if self.count >= terms.limit
            && let Some(lockout) = &terms.lockout
        {
            self.locks = self.locks.saturating_add(1).min(lockout.steps());
            self.until = lock(lockout, self.locks)
                .map_or(NEVER, |length| now.saturating_add(length).saturating_add(terms.slack));
        }
        self
    }

    /// A charge that belongs to the present row, or to the lock that this row led to, is taken back; with it the lock.
    pub(super) fn release(mut self, terms: &Terms, at: Tick, now: Tick, cost: u32) -> Self {
        self = self.at(terms, now);
        if at < self.first || self.count == 0 {
            return self;
        }
        // A row never counts more than the limit, so whatever is taken back from a lock lifts it.
        if self.count >= terms.limit {
            self.locks = self.locks.saturating_sub(1);
            self.until = now;
        }
        self.count = self.count.saturating_sub(cost);
        self
    }

    /// Ends the row, unless it began after the attempt that succeeds.
    pub(super) fn succeed(self, at: Tick) -> Self {
        if at >= self.first { Self::default() } else { self }
    }

    /// The same at a later time: without what has ended since.
    fn at(mut self, terms: &Terms, now: Tick) -> Self {
        let over = if self.count >= terms.limit { self.until } else { self.row_ends(terms) };
        if now >= over {
            self.count = 0;
        }
        if let Some(memory) = memory(terms) {
            let gone = now.saturating_sub(self.until) / memory;
            self.locks = self.locks.saturating_sub(u32::try_from(gone).unwrap_or(u32::MAX));
            self.until = self.until.saturating_add(gone.saturating_mul(memory));
        }
        self
    }

    fn row_ends(self, terms: &Terms) -> Tick {
        memory(terms).map_or(NEVER, |memory| self.last.saturating_add(memory))
    }
}

fn memory(terms: &Terms) -> Option<u64> {
    terms.lockout.and_then(|lockout| lockout.memory()).map(|time| nanoseconds(time).max(1))
}

fn lock(lockout: &Lockout, number: u32) -> Option<u64> {
    lockout.lock(std::num::NonZeroU32::new(number)?).map(nanoseconds)
}
