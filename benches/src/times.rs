//! The times of what criterion runs.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    hint::black_box,
    time::{Duration, Instant},
};

use crate::{Report, median};

/// Keeps what criterion measures, so that it can be told beside a floor and a bar.
#[derive(Debug, Default)]
pub struct Times(RefCell<BTreeMap<&'static str, Vec<f64>>>);

impl Times {
    /// How long so many runs take; for `iter_custom`.
    pub fn of<T>(&self, name: &'static str, times: u64, mut once: impl FnMut() -> T) -> Duration {
        let began = Instant::now();
        for _ in 0..times {
            black_box(once());
        }
        let taken = began.elapsed();
        self.0.borrow_mut().entry(name).or_default().push(taken.as_nanos() as f64 / times as f64);
        taken
    }

    /// Tells the rows of a group from the medians, in nanoseconds of one run.
    pub fn tell(&self, report: &Report, group: &str) {
        let medians: Vec<_> = self.0.take().into_iter().map(|(name, times)| (name, median(times))).collect();
        report.tell(group, &medians);
    }
}
