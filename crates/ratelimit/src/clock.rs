//! Where the limiter reads the time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

#[cfg(any(target_os = "android", target_os = "linux"))]
pub use self::coarse::CoarseClock;

#[cfg(any(target_os = "android", target_os = "linux"))]
mod coarse;

/// A source of time. The limiter's unit (a tick) is one nanosecond.
///
/// A reading that is lower than an earlier one is not believed: the limiter goes on with the highest reading it has
/// seen, so a clock that jumps back can only make limits stricter. A clock that jumps forward ends windows early, which
/// is why the default is monotonic and not the time of day.
///
/// `now` is called while the limiter holds its locks, so it must not block and must not use the same limiter.
pub trait Clock: Send + Sync {
    /// The time since a fixed origin of the clock's own choice.
    fn now(&self) -> Duration;

    /// Whether no reading is ever lower than another that was taken before it, on whatever thread. Then the limiter
    /// need not remember the highest. `false` unless a clock says otherwise.
    fn is_monotonic(&self) -> bool {
        false
    }

    /// How far behind the time a reading may be, at most: zero unless a clock says otherwise. Windows and locks are
    /// made longer by it, so that in true time they are not shorter than their rule says.
    fn resolution(&self) -> Duration {
        Duration::ZERO
    }
}

/// The default clock: [`Instant`], which the operating system never sets back.
#[derive(Clone, Copy, Debug)]
pub struct MonotonicClock {
    origin: Instant,
}

impl MonotonicClock {
    /// A clock whose origin is now.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Default for MonotonicClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for MonotonicClock {
    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    fn is_monotonic(&self) -> bool {
        true
    }
}

/// A clock that moves only when it is told to. Clones share the same time.
#[derive(Clone, Default)]
pub struct ManualClock {
    nanoseconds: Arc<AtomicU64>,
}

impl ManualClock {
    /// A clock that stands at its origin.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the clock forward, to at most 584 years after its origin.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        // The closure never gives `None`, so there is no failure to report.
        let _ = self.nanoseconds.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| Some(now.saturating_add(by)));
    }

    /// Moves the clock back, to no earlier than its origin: the fault that a system clock can have.
    pub fn rewind(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        let _ = self.nanoseconds.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| Some(now.saturating_sub(by)));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::SeqCst))
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock").field(&self.now()).finish()
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Duration {
        (**self).now()
    }

    fn is_monotonic(&self) -> bool {
        (**self).is_monotonic()
    }

    fn resolution(&self) -> Duration {
        (**self).resolution()
    }
}
