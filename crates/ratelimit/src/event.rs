//! What a limiter reports: episodes of refusal, not single refusals.

use std::sync::Arc;
use std::time::Duration;

use crate::fingerprint::Fingerprint;
use crate::rule::Mode;

/// The beginning or the end of an episode of refusals.
///
/// An episode begins with the first refusal of a key and ends when the key has not been refused for one window. However
/// many requests are refused in between, there are two events. The `refusals` of all `Closed` events of a rule sum to
/// its refusals, except for the episodes that are still open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The rule's name.
    pub rule: Arc<str>,
    /// The rule's mode: under [`Mode::Shadow`] the requests were let through.
    pub mode: Mode,
    /// Why requests were refused.
    pub cause: Cause,
    /// The refused key under this rule; the rule as a whole where `cause` is not [`Cause::LimitExceeded`]. The same
    /// in every episode.
    pub fingerprint: Fingerprint,
    /// The same number in `Opened` and `Closed` of one episode, and in no other of this limiter. Threads may deliver
    /// the end of an episode after the beginning of the next.
    pub episode: u64,
    /// Whether the episode begins or ends.
    pub kind: EventKind,
}

/// The two events of an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// The first refusal.
    Opened,
    /// No refusal for one window, or the key was forgotten. Noticed at the next request of the key, when its place is
    /// given away, or by [`Limiter::sweep`](crate::Limiter::sweep).
    Closed {
        /// All refusals of the episode, the first among them.
        refusals: u64,
        /// From the first refusal to the last.
        lasted: Duration,
    },
}

/// Why requests were refused, or would have been by a rule in [`Mode::Shadow`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The key has used up its limit.
    LimitExceeded,
    /// The key was locked out after too many failures. The episode begins with the lock, before any refusal (after a
    /// [penalty](crate::Permit::penalize), with the first refusal), and ends with the first attempt after it or when nothing was refused for as long as the rule's first lock.
    LockedOut,
    /// New keys could not be counted, because too many others are, or were counted together (then the episode begins
    /// before any refusal): somebody may be flooding the rule with keys.
    TableFull,
    /// The cost was above the limit of a rule in [`Mode::Shadow`]. An enforced rule reports this as an error.
    CostAboveLimit,
}

/// Receives a limiter's events.
///
/// Called on the thread of the request, after the limiter has released its locks. It must not block: hand the event to
/// a queue. An observer that drops events when its queue is full should count what it drops. If it panics, so does the
/// request, after its decision was made and counted, and the request's other events are lost.
pub trait Observer: Send + Sync {
    /// Takes note of `event`.
    fn observe(&self, event: &Event);
}

impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn observe(&self, event: &Event) {
        (**self).observe(event);
    }
}

/// The observer of a limiter that was given none.
pub(crate) struct Unobserved;

impl Observer for Unobserved {
    fn observe(&self, _: &Event) {}
}
