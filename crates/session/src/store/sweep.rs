//! The removal of what has ended.

use std::future::Future;

use chrono::{DateTime, Utc};

use crate::{error::Result, sweep::Swept};

/// Up to when things are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepBounds {
    /// Sign-ins, resets, changes of identifier, sessions, impersonations and connections that ended before this.
    pub ended_before: DateTime<Utc>,
    /// Attempts of buckets whose last attempt was before this and that are not locked then.
    pub attempts_before: DateTime<Utc>,
    /// Networks that were last used before this.
    pub networks_before: DateTime<Utc>,
}

/// Housekeeping.
pub trait SweepStore: Send + Sync + 'static {
    /// Removes at most `batch` rows of each kind and says how many. What is alive at `ended_before` is never removed: a session has ended
    /// when it was revoked, or at its own idle or absolute limit; an impersonation or a connection when its end was noted. A store may
    /// forget a connection when it ends.
    fn sweep(&self, bounds: &SweepBounds, batch: u32) -> impl Future<Output = Result<Swept>> + Send;
}
