//! A clock that is cheap to read.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

use crate::clock::Clock;

/// The time of the operating system's last tick (`CLOCK_MONOTONIC_COARSE`), a few milliseconds old at most and several
/// times cheaper to read than [`MonotonicClock`](crate::MonotonicClock). Limiters make every window longer by that tick,
/// so that a window is never shorter than its rule says. For limits that are asked millions of times a second. Linux
/// and Android alone.
#[derive(Clone, Copy, Debug)]
pub struct CoarseClock {
    resolution: Duration,
}

impl CoarseClock {
    /// The clock of this machine.
    #[must_use]
    pub fn new() -> Self {
        Self { resolution: duration(clock_getres(ClockId::MonotonicCoarse)) }
    }
}

impl Default for CoarseClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for CoarseClock {
    fn now(&self) -> Duration {
        duration(clock_gettime(ClockId::MonotonicCoarse))
    }

    fn is_monotonic(&self) -> bool {
        true
    }

    fn resolution(&self) -> Duration {
        self.resolution
    }
}

/// Times since the machine was started, which are never negative.
fn duration(time: Timespec) -> Duration {
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
