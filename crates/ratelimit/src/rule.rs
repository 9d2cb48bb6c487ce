//! A named limit, and how callers refer to it.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Repr};
use crate::limiter::Catalogue;

/// A named limit: at most `limit` units of cost for each key in any window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    name: Arc<str>,
    algorithm: Algorithm,
    limit: NonZeroU32,
    window: Duration,
    mode: Mode,
}

/// How a rule counts. Both kinds hold the same promise: the cost admitted in any half-open interval `(t - window, t]`
/// is at most the limit. They differ in memory and in how soon they admit again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// Every admission is remembered until it leaves the window: 16 bytes each, at most [`Rule::EXACT_MAX`] for a key.
    /// Refuses only what would break the limit.
    ExactLog,
    /// A ring of 16 buckets, each a fifteenth of the window: 72 bytes a key at any limit. Everything in a bucket counts
    /// until the bucket as a whole has left the window, so a refusal means that more than `limit - cost` was admitted
    /// in the last 16/15 of the window (to which rounding to nanoseconds may add 16).
    SlidingWindow,
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

impl Rule {
    /// The highest limit of an [exact](Self::exact) rule.
    pub const EXACT_MAX: u32 = 128;

    /// The longest window: 366 days.
    pub const WINDOW_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

    /// A rule that remembers every admission: for sign-in, one-time codes, password reset. `limit` is at most
    /// [`EXACT_MAX`](Self::EXACT_MAX).
    #[must_use]
    pub fn exact(name: impl Into<Arc<str>>, limit: NonZeroU32, window: Duration) -> Self {
        Self { name: name.into(), algorithm: Algorithm::ExactLog, limit, window, mode: Mode::Enforce }
    }

    /// A rule that counts in a ring of buckets: for exports, downloads, webhooks.
    #[must_use]
    pub fn window(name: impl Into<Arc<str>>, limit: NonZeroU32, window: Duration) -> Self {
        Self { name: name.into(), algorithm: Algorithm::SlidingWindow, limit, window, mode: Mode::Enforce }
    }

    /// The same rule in another mode; it begins in [`Mode::Enforce`].
    #[must_use]
    pub fn in_mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
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

    /// The cost admitted for a key in any window, at most.
    #[must_use]
    pub fn limit(&self) -> NonZeroU32 {
        self.limit
    }

    /// The length of the window.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.window
    }

    /// What the rule does with its findings.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
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
