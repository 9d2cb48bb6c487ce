//! Reports of a store that fails.

use std::sync::Arc;
use std::time::Duration;

/// The store's state changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// The store failed several times in a row. From now on [`OnStoreError`](super::OnStoreError) decides.
    Degraded,
    /// The store answered a trial: it decides again.
    Recovered {
        /// Since the first failure.
        lasted: Duration,
        /// Decisions that were made without it.
        decided: u64,
    },
}

/// Receives the two events of an outage, one of each, on the thread of the request that noticed. It must not block.
pub trait HealthObserver: Send + Sync {
    /// Takes note of `health`.
    fn observe(&self, health: &Health);
}

impl<O: HealthObserver + ?Sized> HealthObserver for Arc<O> {
    fn observe(&self, health: &Health) {
        (**self).observe(health);
    }
}

pub(super) struct Unobserved;

impl HealthObserver for Unobserved {
    fn observe(&self, _: &Health) {}
}
