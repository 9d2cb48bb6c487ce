//! A named limit, and how callers refer to it.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Repr};
use crate::limiter::Catalogue;
use crate::lockout::Lockout;

/// A named limit: at most `limit` units of cost for each key in any window, but see [`gcra`](Rule::gcra).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    name: Arc<str>,
    algorithm: Algorithm,
    limit: NonZeroU32,
    burst: NonZeroU32,
    window: Duration,
    mode: Mode,
    lockout: Option<Lockout>,
    overflow: Overflow,
    counts: Counts,
}

/// What a rule counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Counts {
    /// The cost of every request.
    #[default]
    Requests,
    /// One for each request that brings another rule a key which is not counted there at present.
    NewKeys,
}

/// How a rule counts. All kinds but [`Gcra`](Self::Gcra) hold the same promise: the cost admitted in any half-open
/// interval `(t - window, t]` is at most the limit. They differ in memory and in how soon they admit again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// Every admission is remembered until it leaves the window, at most [`Rule::EXACT_MAX`] for a key: 80 bytes a key at a
    /// limit of 12. Refuses only what would break the limit. In windows above two seconds times are rounded up to a
    /// power of two of nanoseconds, less than 2^-30 of the window.
    ExactLog,
    /// A ring of 16 buckets, each a fifteenth of the window: 60 bytes a key, 100 at limits above 65,535. Everything in a bucket counts
    /// until the bucket as a whole has left the window, so a refusal means that more than `limit - cost` was admitted
    /// in the last 16/15 of the window (to which rounding to nanoseconds may add 16).
    SlidingWindow,
    /// A token bucket (the generic cell rate algorithm of ITU-T I.371): room for `limit` units, of which one comes back
    /// every `window / limit`, in 20 bytes a key. **A window may see up to twice the limit less one**: all of the burst,
    /// and then every unit as it comes back. For smoothing traffic, not for guarding a secret.
    Gcra,
    /// A token bucket with room for `burst` units, of which one comes back every `window / (limit - burst)`. What a
    /// window can see, the burst and what comes back in a window, is at most the limit.
    GcraStrict,
    /// Failures in a row, and locks that grow: see [`Lockout`]. 50 bytes a key.
    Lockout,
}

/// What a rule does with its findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// Counts and refuses.
    #[default]
    Enforce,
    /// Counts as if it were enforced and reports what it would have refused, but refuses nothing: to try a limit on
    /// real traffic.
    Shadow,
    /// Neither counts nor refuses.
    Off,
}

/// What becomes of a new key when the table is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// It is refused until there is a place.
    #[default]
    Refuse,
    /// It is counted in a sketch, together with others: never too low, so the limit holds, and too high for a few when
    /// there are many. What is counted there counts for one to two windows, up to 4,095 units, and cannot be refunded.
    /// Takes 64 to 128 bytes more for each slot of the table.
    Share,
}

impl Rule {
    /// The highest limit of an [exact](Self::exact) rule.
    pub const EXACT_MAX: u32 = 128;

    /// The longest window: 366 days.
    pub const WINDOW_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

    /// A rule that remembers every admission: for sign-in, one-time codes, password reset. `limit` is at most
    /// [`EXACT_MAX`](Self::EXACT_MAX).
    #[must_use]
    pub fn exact(name: impl Into<Arc<str>>, limit: NonZeroU32, window: Duration) -> Self {
        Self::new(name.into(), Algorithm::ExactLog, limit, window)
    }

    /// A rule that counts in a ring of buckets: for exports, downloads, webhooks.
    #[must_use]
    pub fn window(name: impl Into<Arc<str>>, limit: NonZeroU32, window: Duration) -> Self {
        Self::new(name.into(), Algorithm::SlidingWindow, limit, window)
    }

    /// A token bucket for smoothing traffic: `burst` units at once, and `burst` more spread evenly over every `period`,
    /// so at most `2 * burst - 1` in any period. The time in which one unit comes back, `period / burst`, is rounded up
    /// to a nanosecond.
    #[must_use]
    pub fn gcra(name: impl Into<Arc<str>>, burst: NonZeroU32, period: Duration) -> Self {
        Self::new(name.into(), Algorithm::Gcra, burst, period)
    }

    /// A token bucket that never admits more than `limit` in any window: `burst` units at once, and the rest of the
    /// limit spread evenly over every window. `burst` is less than `limit`; the smaller it is, the sooner a client that
    /// has used it up is admitted again.
    #[must_use]
    pub fn gcra_strict(name: impl Into<Arc<str>>, limit: NonZeroU32, window: Duration, burst: NonZeroU32) -> Self {
        Self { burst, ..Self::new(name.into(), Algorithm::GcraStrict, limit, window) }
    }

    /// A rule that locks a key out for a time after so many failures in a row. Reserve before the credential is
    /// verified, and call [`Permit::succeed`](crate::Permit::succeed) when it was right: everything else is a failure.
    #[must_use]
    pub fn lockout(name: impl Into<Arc<str>>, lockout: Lockout) -> Self {
        let first = lockout.lock(NonZeroU32::MIN).unwrap_or(Self::WINDOW_MAX);
        let rule = Self::new(name.into(), Algorithm::Lockout, lockout.failures(), first);
        Self { lockout: Some(lockout), ..rule }
    }

    fn new(name: Arc<str>, algorithm: Algorithm, limit: NonZeroU32, window: Duration) -> Self {
        Self {
            name,
            algorithm,
            limit,
            burst: limit,
            window,
            mode: Mode::Enforce,
            lockout: None,
            overflow: Overflow::Refuse,
            counts: Counts::Requests,
        }
    }

    /// The same rule in another mode; it begins in [`Mode::Enforce`].
    #[must_use]
    pub fn in_mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// The same rule with another answer to a full table than [`Overflow::Refuse`]. Not for a lockout.
    #[must_use]
    pub fn on_overflow(self, overflow: Overflow) -> Self {
        Self { overflow, ..self }
    }

    /// The same rule as a budget of new keys for each source: it is asked beside the rules of a request, with the source as its
    /// key, and counts one if the request brings any of them a key that takes a place in its table. One source then fills at most
    /// `limit` places in a window, whatever names it invents, and its known keys go on as before. What is refunded stays
    /// counted, since the place was taken. In a request of its own it counts as if there were a new key.
    ///
    /// Only for a [`Limiter`](crate::Limiter): a store has no table that could fill.
    #[must_use]
    pub fn for_new_keys(self) -> Self {
        Self { counts: Counts::NewKeys, ..self }
    }

    /// What the rule counts.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What becomes of a new key when the table is full.
    #[must_use]
    pub fn overflow(&self) -> Overflow {
        self.overflow
    }

    /// The name: 1 to 64 characters from `a-z`, `0-9`, `.`, `_` and `-`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the rule counts.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The cost admitted for a key in any window, at most; of a [`gcra`](Self::gcra) rule, the burst; of a
    /// [`lockout`](Self::lockout) rule, the failures in a row that lock it.
    #[must_use]
    pub fn limit(&self) -> NonZeroU32 {
        self.limit
    }

    /// The highest cost admitted at once: the limit, unless the rule is a [strict](Self::gcra_strict) token bucket.
    #[must_use]
    pub fn burst(&self) -> NonZeroU32 {
        self.burst
    }

    /// The length of the window; of a [`lockout`](Self::lockout) rule, the length of the first lock.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.window
    }

    /// What the rule does with its findings.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    #[cfg(feature = "toml")]
    pub(crate) fn named(self, name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), ..self }
    }

    #[cfg(feature = "store")]
    pub(crate) fn longer_by(self, time: Duration) -> Self {
        Self { window: self.window.saturating_add(time), ..self }
    }

    /// One part of the rule among so many, rounded down. No part is less than one unit; of a strict token bucket, one at
    /// once and one that comes back.
    #[cfg(feature = "store")]
    pub(crate) fn divided_by(self, parts: NonZeroU32) -> Self {
        let part = |units: NonZeroU32| NonZeroU32::new(units.get() / parts).unwrap_or(NonZeroU32::MIN);
        match self.algorithm {
            Algorithm::GcraStrict => {
                let burst = part(self.burst);
                Self { limit: part(self.limit).max(burst.saturating_add(1)), burst, ..self }
            }
            _ => Self { limit: part(self.limit), burst: part(self.limit), ..self },
        }
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// The terms of a [`lockout`](Self::lockout) rule.
    #[must_use]
    pub fn lockout_terms(&self) -> Option<&Lockout> {
        self.lockout.as_ref()
    }

    /// The nanoseconds in which a token bucket of that window gets one unit back, at least 1; 0 if the rule is of another kind or
    /// gets none back.
    pub(crate) fn interval(&self, window: Duration) -> u128 {
        NonZeroU32::new(self.returning()).map_or(0, |units| window.as_nanos().div_ceil(u128::from(units.get())))
    }

    /// The units that a token bucket gets back in a window.
    pub(crate) fn returning(&self) -> u32 {
        match self.algorithm {
            Algorithm::ExactLog | Algorithm::SlidingWindow | Algorithm::Lockout => 0,
            Algorithm::Gcra => self.limit.get(),
            Algorithm::GcraStrict => self.limit.get().saturating_sub(self.burst.get()),
        }
    }

    pub(crate) fn validate(&self) -> Result<(), Error> {
        let bad = |problem| Err(Error::from(Repr::InvalidRule { rule: self.name.escape_debug().collect(), problem }));
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'_' | b'-');
        if !(1..=64).contains(&self.name.len()) || !self.name.bytes().all(plain) {
            return bad("its name is not 1 to 64 characters from a-z, 0-9, `.`, `_` and `-`");
        }
        if self.window.is_zero() || self.window > Self::WINDOW_MAX {
            return bad("its window is zero or longer than 366 days");
        }
        if self.algorithm == Algorithm::ExactLog && self.limit.get() > Self::EXACT_MAX {
            return bad("an exact rule has a limit of at most 128");
        }
        if let Some(problem) = self.lockout.as_ref().and_then(Lockout::problem) {
            return bad(problem);
        }
        if self.algorithm == Algorithm::Lockout && self.overflow == Overflow::Share {
            return bad("a lock cannot be counted together with others");
        }
        if self.algorithm == Algorithm::Lockout && self.counts == Counts::NewKeys {
            return bad("a lockout counts failures, not new keys");
        }
        if self.algorithm == Algorithm::GcraStrict && self.burst >= self.limit {
            return bad("its burst is not below its limit");
        }
        if self.interval(self.window).saturating_mul(u128::from(self.burst.get())) > Self::WINDOW_MAX.as_nanos() {
            return bad("its burst takes longer than 366 days to come back");
        }
        Ok(())
    }
}

/// A handle on a rule of one limiter, from [`Limiter::rule`](crate::Limiter::rule). Looked up once at start, it cannot
/// be misspelt later; another limiter does not accept it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleId {
    pub(crate) limiter: u64,
    pub(crate) index: usize,
}

impl fmt::Debug for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RuleId({}/{})", self.limiter, self.index)
    }
}

/// What names a rule in a request: a [`RuleId`], or the rule's name as `&str`. Sealed.
pub trait RuleRef: sealed::Sealed + Copy {}

impl RuleRef for RuleId {}
impl RuleRef for &str {}

pub(crate) mod sealed {
    use super::{Catalogue, Error, Repr, RuleId};

    pub trait Sealed {
        #[doc(hidden)]
        fn resolve(self, catalogue: &Catalogue) -> Result<usize, Error>;
    }

    impl Sealed for RuleId {
        fn resolve(self, catalogue: &Catalogue) -> Result<usize, Error> {
            if catalogue.limiter() == self.limiter { Ok(self.index) } else { Err(Repr::ForeignRule.into()) }
        }
    }

    impl Sealed for &str {
        fn resolve(self, catalogue: &Catalogue) -> Result<usize, Error> {
            catalogue
                .index(self)
                .ok_or_else(|| Repr::UnknownRule { rule: self.escape_debug().take(64).collect() }.into())
        }
    }
}
