//! How a limiter is put together.

use std::fmt;

use crate::clock::{Clock, MonotonicClock};
use crate::error::{Error, Repr};
use crate::event::{Observer, Unobserved};
use crate::fingerprint::FingerprintKey;
use crate::limiter::core::Core;
use crate::limiter::{Catalogue, Limiter};
use crate::rule::Rule;

const DEFAULT_CAPACITY: usize = 65_536;
const MAX_CAPACITY: usize = 1 << 28;

/// Builds a [`Limiter`].
#[must_use = "a builder limits nothing until it is built"]
pub struct LimiterBuilder {
    rules: Vec<Rule>,
    capacity: usize,
    clock: Box<dyn Clock>,
    observer: Box<dyn Observer>,
    fingerprints: FingerprintKey,
}

impl LimiterBuilder {
    pub(super) fn new() -> Self {
        Self {
            rules: Vec::new(),
            capacity: DEFAULT_CAPACITY,
            clock: Box::new(MonotonicClock::new()),
            observer: Box::new(Unobserved),
            fingerprints: FingerprintKey::of_process(),
        }
    }

    /// Adds a rule. Every name may be used once.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// How many keys each rule has room for at the same time: 65,536 unless said otherwise, at most 2^28.
    /// Of so many keys that count at once, about one in five thousand finds its slots taken.
    ///
    /// The tables are allocated when the limiter is built, and never grow: for a key of the capacity 20 bytes of a token
    /// bucket, 20 and 5 for each unit of the limit of an exact rule, 60 bytes of a window rule (100 if its limit is
    /// above 65,535), 50 bytes of a lockout. A key takes about 150 bytes more while it is being refused. Keys of one rule
    /// take no room from another.
    pub fn capacity(self, keys: usize) -> Self {
        Self { capacity: keys, ..self }
    }

    /// Where the time is read, instead of [`MonotonicClock`].
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        Self { clock: Box::new(clock), ..self }
    }

    /// Who is told of episodes of refusal.
    pub fn observer(self, observer: impl Observer + 'static) -> Self {
        Self { observer: Box::new(observer), ..self }
    }

    /// The secret behind the fingerprints in events, instead of one that is drawn anew by every limiter.
    pub fn fingerprint_key(self, key: FingerprintKey) -> Self {
        Self { fingerprints: key, ..self }
    }

    /// The limiter, with its tables allocated.
    ///
    /// # Errors
    ///
    /// [`NoRules`](crate::ErrorKind::NoRules) without a rule, and
    /// [`InvalidConfiguration`](crate::ErrorKind::InvalidConfiguration) if a rule cannot be used, two have the same
    /// name, or the capacity is zero or above 2^28.
    pub fn build(self) -> Result<Limiter, Error> {
        if self.rules.is_empty() {
            return Err(Repr::EmptyLimiter.into());
        }
        if !(1..=MAX_CAPACITY).contains(&self.capacity) {
            return Err(Repr::InvalidCapacity.into());
        }
        self.rules.iter().try_for_each(Rule::validate)?;
        let catalogue = Catalogue::new(&self.rules)?;
        let core = Core::new(catalogue, self.rules, self.capacity, self.clock, self.observer, self.fingerprints);
        Ok(Limiter { core: core.into() })
    }
}

impl fmt::Debug for LimiterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimiterBuilder")
            .field("rules", &self.rules)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
