//! How long a rotation waits.

use std::time::Duration;

/// How long each step of a rotation waits for processes that have older keys in their caches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RotationPolicy {
    pub(crate) settled: Duration,
    pub(crate) quiet: Duration,
    pub(crate) quarantine: Duration,
}

const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl RotationPolicy {
    /// For processes of which none keeps keys longer than `lifetime`
    /// ([`CachePolicy`](crate::CachePolicy)), nor a [`TenantKeys`](crate::TenantKeys) longer than that: a new key
    /// seals one lifetime after it was added, when all know it; the key before it can be retired two lifetimes after that, when
    /// none seals under it and what was sealed is written; and destroyed a week later.
    #[must_use]
    pub const fn for_caches_of(lifetime: Duration) -> Self {
        Self { settled: lifetime, quiet: lifetime.saturating_mul(2), quarantine: WEEK }
    }

    /// The same with another time between retirement and destruction, in which the key opens what was written late after all.
    #[must_use]
    pub const fn with_quarantine(mut self, quarantine: Duration) -> Self {
        self.quarantine = quarantine;
        self
    }

    /// No waiting at all, for tests and demonstrations: whoever has older keys in memory cannot open what is sealed under
    /// the new one, or writes a value whose key is destroyed.
    #[must_use]
    pub const fn without_waiting() -> Self {
        Self { settled: Duration::ZERO, quiet: Duration::ZERO, quarantine: Duration::ZERO }
    }
}

impl Default for RotationPolicy {
    /// For caches of the default lifetime, five minutes.
    fn default() -> Self {
        Self::for_caches_of(Duration::from_secs(300))
    }
}
