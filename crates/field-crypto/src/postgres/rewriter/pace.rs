//! How fast a worker goes.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// How many rows a transaction changes, and how long a worker rests after each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pace {
    pub(crate) rows: NonZeroU32,
    pause: Duration,
    per_second: Option<NonZeroU32>,
}

impl Pace {
    /// Batches of so many rows, without rest. 500 to 1000 are best: more rows hold their locks longer and are not faster.
    #[must_use]
    pub const fn batches_of(rows: NonZeroU32) -> Self {
        Self { rows, pause: Duration::ZERO, per_second: None }
    }

    /// The same with a rest after each batch.
    #[must_use]
    pub const fn with_pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// The same with at most so many rows a second, on average over each batch.
    #[must_use]
    pub const fn at_most(mut self, rows_per_second: NonZeroU32) -> Self {
        self.per_second = Some(rows_per_second);
        self
    }

    /// How long to rest after a batch of so many rows that began at `started`.
    pub(crate) fn rest(&self, rows: u64, started: Instant) -> Duration {
        let due = self.per_second.map_or(Duration::ZERO, |per_second| {
            let nanos = rows.saturating_mul(1_000_000_000) / u64::from(per_second.get());
            Duration::from_nanos(nanos).saturating_sub(started.elapsed())
        });
        due.max(self.pause)
    }

    /// The longest rest.
    pub(crate) fn longest_rest(&self) -> Duration {
        let due = self.per_second.map_or(Duration::ZERO, |per_second| {
            Duration::from_secs((u64::from(self.rows.get()) / u64::from(per_second.get())).saturating_add(1))
        });
        due.max(self.pause)
    }
}

impl Default for Pace {
    /// Batches of 500 rows, without rest.
    fn default() -> Self {
        const ROWS: NonZeroU32 = NonZeroU32::new(500).unwrap();
        Self::batches_of(ROWS)
    }
}
