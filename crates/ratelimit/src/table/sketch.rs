//! Counts for the keys that have no slot.
//!
//! A count-min sketch (Cormode and Muthukrishnan 2005) of four rows: a key has a cell in each, shares it with others, and
//! counts as the least of the four, which is at least what was charged to it. Time is cut into generations of one window;
//! a cell counts this generation and the last, each apart and each raised no further than the key needs (Estan and
//! Varghese 2002). A charge counts until the generation after its own has ended, which is a window or more. So a key
//! can only be counted too high, and no window holds more than the limit.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::state::{Outlook, Terms, Tick};
use crate::table::Place;

const ROWS: usize = 4;

/// Cells in a row for each slot of the table.
const CELLS: usize = 4;

/// The most that a cell counts.
const MOST: u32 = 0xfff;

/// Odd, so that each turns a tag into an index of its own (multiply-shift, Dietzfelbinger and others 1997).
const FACTORS: [u64; ROWS] =
    [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f, 0x1656_67b1_9e37_79f9, 0xd6e8_feb8_6659_fd93];

#[derive(Debug)]
pub(crate) struct Sketch {
    rows: [Box<[AtomicU32]>; ROWS],
    /// By how much a product is shifted to be an index.
    shift: u32,
    /// A generation in nanoseconds.
    period: u64,
}

/// A generation's number in 8 bits, what was counted in it, and in the one before. A cell that nobody has touched for
/// 256 generations may be taken for a new one, which counts too high.
#[derive(Clone, Copy)]
struct Cell {
    generation: u8,
    current: u32,
    last: u32,
}

impl Sketch {
    pub(crate) fn new(slots: usize, terms: &Terms) -> Self {
        let cells = slots.saturating_mul(CELLS).max(1024).next_power_of_two();
        let row = || (0..cells).map(|_| AtomicU32::new(0)).collect();
        let refill = terms.interval.saturating_mul(u64::from(terms.limit));
        Self {
            rows: std::array::from_fn(|_| row()),
            shift: u64::BITS.saturating_sub(cells.trailing_zeros()),
            period: terms.window.max(refill).max(1),
        }
    }

    /// How `cost` would fare. The caller has closed the place's gates, here and in [`charge`](Self::charge).
    pub(crate) fn outlook(&self, place: &Place, terms: &Terms, now: Tick, cost: u32) -> Outlook {
        let [current, last] = self.counts(place, now);
        let used = current.saturating_add(last);
        let limit = terms.limit.min(MOST);
        let next = self.period.saturating_sub(now % self.period);
        let after = if current.saturating_add(cost) <= limit { next } else { next.saturating_add(self.period) };
        Outlook {
            used: used.min(terms.limit),
            wait: if used.saturating_add(cost) <= limit { 0 } else { after },
            reset: match (current, last) {
                (0, 0) => 0,
                (0, _) => next,
                _ => next.saturating_add(self.period),
            },
        }
    }

    pub(crate) fn charge(&self, place: &Place, now: Tick, cost: u32) {
        let [current, _] = self.counts(place, now);
        let count = current.saturating_add(cost).min(MOST);
        for cell in self.cells(place) {
            let raise = |word| {
                let cell = Cell::at(word, self.generation(now));
                Some(Cell { current: cell.current.max(count), ..cell }.word())
            };
            // The closure never gives `None`.
            let _ = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, raise);
        }
    }

    /// The least that any row has counted for the key, of this generation and of the last.
    fn counts(&self, place: &Place, now: Tick) -> [u32; 2] {
        let cells = self.cells(place).map(|cell| Cell::at(cell.load(Ordering::Relaxed), self.generation(now)));
        cells.fold([MOST; 2], |[current, last], cell| [current.min(cell.current), last.min(cell.last)])
    }

    fn cells(&self, place: &Place) -> impl Iterator<Item = &AtomicU32> {
        let index = |factor: u64| usize::try_from(place.tag.wrapping_mul(factor) >> self.shift).unwrap_or_default();
        self.rows.iter().zip(FACTORS).filter_map(move |(row, factor)| row.get(index(factor)))
    }

    fn generation(&self, now: Tick) -> u8 {
        let [generation, ..] = (now / self.period).to_le_bytes();
        generation
    }
}

impl Cell {
    /// The cell in that generation.
    fn at(word: u32, generation: u8) -> Self {
        let [low, ..] = (word >> 24).to_le_bytes();
        let (current, last) = ((word >> 12) & MOST, word & MOST);
        match generation.wrapping_sub(low) {
            0 => Self { generation, current, last },
            1 => Self { generation, current: 0, last: current },
            // Another thread has read a later time.
            u8::MAX => Self { generation: low, current, last },
            _ => Self { generation, current: 0, last: 0 },
        }
    }

    fn word(self) -> u32 {
        (u32::from(self.generation) << 24) | (self.current << 12) | self.last
    }
}
