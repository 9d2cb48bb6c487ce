//! Limits that several processes share.

use std::future::Future;

use crate::error::Error;

pub use self::failure::{OnStoreError, Share};
pub use self::gathered::Gathered;
pub use self::health::{Health, HealthObserver};
pub use self::limiter::{SharedLimiter, SharedLimiterBuilder};
pub use self::permit::SharedPermit;
pub use self::snapshot::{SharedRuleSnapshot, SharedSnapshot};
pub use self::tiered::{Leases, Tiered};

mod breaker;
mod decided;
mod episodes;
mod failure;
mod gathered;
mod health;
mod limiter;
mod permit;
mod request;
mod snapshot;
mod tiered;

/// Where counts are kept, for all processes of an application.
///
/// Exact and window rules are one in a store: a key's state is a list of costs, each in a numbered bucket of time, oldest
/// first. A cost in bucket `b` counts while the time is before `(b + span) * width`. An exact rule has buckets of one
/// microsecond; a window rule has fifteenths of its window, of which sixteen count. The state of a token bucket is the
/// microsecond at which it is full again.
pub trait Store: Send + Sync + 'static {
    /// Asks all of `asks`, which differ in their slots. If every enforced one has room for `cost`, charges each that
    /// has room, unless `intent` is to peek. All of it is one step for every other caller.
    ///
    /// # Errors
    ///
    /// [`Error::store`] with what went wrong. Something may have been charged.
    fn decide(
        &self,
        asks: &[Ask],
        cost: u32,
        intent: Intent,
    ) -> impl Future<Output = Result<Vec<Standing>, Error>> + Send;

    /// Asks several decisions, in order, each as [`decide`](Self::decide) does to charge it. A store that can asks them in one
    /// round trip.
    ///
    /// # Errors
    ///
    /// As [`decide`](Self::decide). Decisions before the one that failed may have been charged.
    fn decide_all(
        &self,
        decisions: &[(Vec<Ask>, u32)],
    ) -> impl Future<Output = Result<Vec<Vec<Standing>>, Error>> + Send {
        async move {
            let mut answers = Vec::with_capacity(decisions.len());
            for (asks, cost) in decisions {
                answers.push(self.decide(asks, *cost, Intent::Charge).await?);
            }
            Ok(answers)
        }
    }

    /// Takes `cost` back from the bucket of each ask, where it is still remembered.
    ///
    /// # Errors
    ///
    /// As [`decide`](Self::decide).
    fn release(&self, charges: &[(Ask, u64)], cost: u32) -> impl Future<Output = Result<(), Error>> + Send;

    /// Charges `cost` to each ask, or as much as its limit has room for.
    ///
    /// # Errors
    ///
    /// As [`decide`](Self::decide).
    fn surcharge(&self, asks: &[Ask], cost: u32) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Whether a decision charges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Look only.
    Peek,
    /// Charge if all have room.
    Charge,
}

/// One rule and key of a decision, as a store sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ask {
    /// A keyed hash of the rule, its kind of window and the key. Nobody can guess a key from it.
    pub slot: [u8; 16],
    /// The width of a bucket in microseconds, at least 1; of a token bucket, the time in which a unit comes back.
    pub width: u64,
    /// For how many buckets a cost counts; of a token bucket, how many units come back in its window.
    pub span: u64,
    /// Units that may count at once.
    pub limit: u32,
    /// Whether this rule can refuse.
    pub enforced: bool,
    /// What the store remembers.
    pub counting: Counting,
}

/// What a store remembers of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Counting {
    /// Costs in buckets of time, of an exact rule: its limit is at most [`Rule::EXACT_MAX`](crate::Rule::EXACT_MAX), so a
    /// cost fits into one byte.
    Log,
    /// Costs in buckets of time, of a window rule.
    Ring,
    /// When the bucket of tokens is full again.
    Tokens,
}

/// How one [`Ask`] stands. Times are in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Units that counted before this decision; of a token bucket, those missing, a part of one as a whole.
    pub used: u32,
    /// Until there is room for the cost; 0 if there was.
    pub wait: u64,
    /// Until nothing counts any more, with the cost if it was charged.
    pub reset: u64,
    /// The bucket that the cost was or would have been charged in; of a token bucket, the microsecond.
    pub bucket: u64,
}
