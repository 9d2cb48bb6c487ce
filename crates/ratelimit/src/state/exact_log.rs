//! Every admission until it leaves the window.
//!
//! The log of one key holds a stamp of 32 bits for every unit of the limit: the number of the quantum at whose end the
//! unit counts as charged, less all but its lower bits. A quantum is the smallest power of two of nanoseconds of which a
//! window has less than 2^31: one nanosecond up to a window of 2 seconds, half a microsecond for a quarter of an hour.
//! So a unit counts for a window from when it was charged, and less than a quantum more.
//!
//! The full number of the quantum of the last charge says what the stamps mean: a stamp is at most a window before it.
//! Whatever is not, is no stamp.

use crate::state::{Charge, Terms, Tick};
use crate::table::{Cells, low};

/// Stamps in a window, at most.
const RANGE: u64 = 1 << 31;

/// The log of one key: its first word is one more than the last charge's quantum, 0 if there was none; then stamps, two
/// in a word, oldest first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExactLog<'a> {
    cells: Cells<'a>,
    limit: usize,
    /// A quantum is 2 to this power of nanoseconds.
    shift: u32,
    /// In nanoseconds.
    window: u64,
}

impl<'a> ExactLog<'a> {
    pub(super) fn words(terms: &Terms) -> usize {
        capacity(terms).div_ceil(2).saturating_add(1)
    }

    pub(super) fn new(terms: &Terms, cells: Cells<'a>) -> Self {
        let shift = (terms.window / (RANGE - 2)).checked_ilog2().map_or(0, |log| log.saturating_add(1));
        Self { cells, limit: capacity(terms), shift, window: terms.window }
    }

    pub(super) fn charges(self) -> impl Iterator<Item = Charge> + Clone {
        self.quanta().map(move |quantum| Charge { until: self.until(quantum), cost: 1 })
    }

    /// Says until when the charge counts.
    pub(super) fn charge(self, now: Tick, cost: u32) -> Tick {
        let quantum = self.quantum(now);
        let cost = usize::try_from(cost).unwrap_or(usize::MAX);
        let live = |quantum: &u64| self.until(*quantum) > now;
        self.write(quantum, self.quanta().filter(live).chain(std::iter::repeat_n(quantum, cost)));
        self.until(quantum)
    }

    pub(super) fn release(self, at: Tick, cost: u32) {
        let Some(last) = self.last() else { return };
        let at = self.quantum(at);
        let mut left = cost;
        let kept = self.quanta().filter(|quantum| {
            let taken = *quantum == at && left > 0;
            left = left.saturating_sub(u32::from(taken));
            !taken
        });
        self.write(last, kept);
    }

    /// The number of whole quanta from the clock's origin to `tick` or just after it.
    fn quantum(self, tick: Tick) -> u64 {
        tick.div_ceil(1 << self.shift)
    }

    fn until(self, quantum: u64) -> Tick {
        (quantum << self.shift).saturating_add(self.window)
    }

    fn last(self) -> Option<u64> {
        self.cells.at(0).checked_sub(1)
    }

    /// The quanta of the stamps, oldest first.
    fn quanta(self) -> impl Iterator<Item = u64> + Clone {
        self.last().into_iter().flat_map(move |last| {
            let ages = (0..self.limit).map(move |index| low(last).wrapping_sub(self.cells.half(2 + index)));
            ages.take_while(|age| u64::from(*age) < RANGE).map(move |age| last.saturating_sub(u64::from(age)))
        })
    }

    /// Writes the stamps of `quanta`, none of which is before one that was there at the same place.
    fn write(self, last: u64, quanta: impl Iterator<Item = u64>) {
        self.cells.put(0, last.saturating_add(1));
        // Not before the last, and so no stamp.
        let none = last.wrapping_add(1);
        quanta.chain(std::iter::repeat(none)).take(self.limit).enumerate().for_each(|(index, quantum)| {
            self.cells.put_half(2 + index, low(quantum));
        });
    }
}

fn capacity(terms: &Terms) -> usize {
    usize::try_from(terms.limit).unwrap_or(usize::MAX)
}
