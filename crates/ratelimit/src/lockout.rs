//! When failures lock a key out, and for how long.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::rule::Rule;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The terms of a [lockout rule](crate::Rule::lockout): so many failures in a row, and the key is refused for a time
/// that doubles with every further lock and shrinks back when the key is left alone.
///
/// A failure is an attempt that was reserved and did not [succeed](crate::Permit::succeed), so attempts that run at the
/// same time cannot exceed the count. A row of failures ends with a success, with a lock, or when no failure was added
/// for a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lockout {
    failures: NonZeroU32,
    first: Duration,
    longest: Duration,
    memory: Duration,
    last_chance: Option<NonZeroU32>,
}

impl Lockout {
    /// After `failures` in a row, a lock of `lock`, and of the same length every time.
    #[must_use]
    pub const fn new(failures: NonZeroU32, lock: Duration) -> Self {
        Self { failures, first: lock, longest: lock, memory: DAY, last_chance: None }
    }

    /// PCI DSS 4.0 requirement 8.3.4: a lock of at least 30 minutes after not more than 10 attempts. Every further lock
    /// within a day is twice as long, up to a day.
    #[must_use]
    pub const fn pci_dss() -> Self {
        Self::new(TEN, MINUTE.saturating_mul(30)).doubling_up_to(DAY)
    }

    /// NIST SP 800-63B-4 section 3.2.2: not more than 100 consecutive failures, with a wait that grows from 30 seconds to
    /// an hour on the way. Here five failures are followed by the wait; after the twentieth time, which is the
    /// hundredth failure, only [`Limiter::forget`](crate::Limiter::forget) admits the account again. The standard wants
    /// that to outlast a restart, which a count in memory does not.
    #[must_use]
    pub const fn nist() -> Self {
        Self::new(FIVE, Duration::from_secs(30)).doubling_up_to(MINUTE.saturating_mul(60)).for_good_at(TWENTY)
    }

    /// The same with locks that double each time, up to `longest`. For every [day](Self::forgetting_after) that
    /// passes after a lock, the next one is half as long.
    #[must_use]
    pub const fn doubling_up_to(self, longest: Duration) -> Self {
        Self { longest, ..self }
    }

    /// The same with another time than a day after which an unfinished row of failures is forgotten, and after which
    /// one earlier lock no longer makes the next one longer.
    #[must_use]
    pub const fn forgetting_after(self, quiet: Duration) -> Self {
        Self { memory: quiet, ..self }
    }

    /// The same, but the lock number `locks` in a row ends only with [`Limiter::forget`](crate::Limiter::forget), and
    /// time forgets neither failures nor locks: nobody gets more than `locks` times the count of failures by being
    /// patient. A key with one failure then keeps its place in the table until it succeeds, so use such a rule for
    /// accounts that exist and not for names that a client can invent.
    #[must_use]
    pub const fn for_good_at(self, locks: NonZeroU32) -> Self {
        Self { last_chance: Some(locks), ..self }
    }

    /// The failures in a row that lock a key.
    #[must_use]
    pub const fn failures(&self) -> NonZeroU32 {
        self.failures
    }

    /// The length of the lock number `number` in a row, counted from 1; `None` if it does not end by itself.
    #[must_use]
    pub fn lock(&self, number: NonZeroU32) -> Option<Duration> {
        if self.last_chance.is_some_and(|last| number >= last) {
            return None;
        }
        Some(doubled(self.first, number.get()).min(self.longest))
    }

    /// The first lock, and what locks double up to.
    #[cfg(feature = "postgres")]
    pub(crate) fn lengths(&self) -> (Duration, Duration) {
        (self.first, self.longest)
    }

    /// The number of the lock that does not end by itself.
    #[cfg(feature = "postgres")]
    pub(crate) fn last_chance(&self) -> Option<NonZeroU32> {
        self.last_chance
    }

    /// How long failures are remembered, and locks make the next one longer; for ever if there is a last chance.
    pub(crate) fn memory(&self) -> Option<Duration> {
        self.last_chance.is_none().then_some(self.memory)
    }

    /// Locks beyond this number are like the one of this number.
    pub(crate) fn steps(&self) -> u32 {
        let longest = |number: &u32| doubled(self.first, *number) >= self.longest;
        self.last_chance.map_or_else(|| (1..u64::BITS).find(longest).unwrap_or(u64::BITS), NonZeroU32::get)
    }

    pub(crate) fn problem(&self) -> Option<&'static str> {
        let usable = |time: Duration| !time.is_zero() && time <= Rule::WINDOW_MAX;
        if !usable(self.first) || !usable(self.longest) || self.longest < self.first {
            Some("its lock is zero or longer than 366 days, or the longest lock is shorter than the first")
        } else if !usable(self.memory) {
            Some("what it is to forget is forgotten at once or after more than 366 days")
        } else {
            None
        }
    }
}

fn doubled(first: Duration, number: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(number.saturating_sub(1)))
}

const FIVE: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);
const TEN: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
const TWENTY: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);
