//! "Queries today".

use super::{Counters, Snapshot};

/// What was counted since the day began.
///
/// Nothing runs by itself at midnight, which is midnight of whatever time zone the caller counts days in: the first reading of a new
/// day starts it. What happened between midnight and that reading counts to the day before, so read at least every few minutes, or from
/// a task at midnight.
///
/// ```
/// use stockade_tenant_guard::{Counters, Today};
///
/// let counters = Counters::default();
/// let mut today = Today::new("2026-11-22");
/// assert_eq!(today.snapshot("2026-11-22", &counters).total().queries, 0);
/// ```
#[derive(Clone, Debug)]
pub struct Today<D> {
    day: D,
    midnight: Snapshot,
}

impl<D: PartialEq> Today<D> {
    /// Starts with everything that the counters hold, on the day the process started.
    pub fn new(day: D) -> Self {
        Self { day, midnight: Snapshot::default() }
    }

    /// What was added on `day`, which is today: a date of the application's time zone.
    pub fn snapshot(&mut self, day: D, counters: &Counters) -> Snapshot {
        let now = counters.snapshot();
        if self.day != day {
            self.midnight = now.clone();
            self.day = day;
        }
        now.since(&self.midnight)
    }
}
