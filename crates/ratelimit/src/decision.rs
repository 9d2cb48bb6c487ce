//! The answer of a limiter.

use std::time::Duration;

use crate::rule::RuleId;

/// Whether an action may go on, and what its client may be told.
///
/// Where several rules were asked, the figures are those of the rule that decides: of a refusal, the rule with the
/// longest wait; of an admission, the rule with the least room left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a decision that nobody looks at limits nothing"]
#[non_exhaustive]
pub struct Decision {
    /// Whether the action may go on. If it may not, nothing has been charged to any rule.
    pub allowed: bool,
    /// The rule that decides.
    pub rule: RuleId,
    /// That rule's limit, in units of cost; of a token bucket, its burst.
    pub limit: u32,
    /// Units left after this action, or at present if it was refused or only peeked at.
    pub remaining: u32,
    /// Zero if allowed. Otherwise the shortest time after which the same request succeeds if nobody else is charged
    /// meanwhile: one nanosecond earlier it is refused.
    pub retry_after: Duration,
    /// The time after which the rule has forgotten this key, if nothing more is charged.
    pub reset_after: Duration,
    /// What the decision rests on.
    pub source: Source,
}

/// What a [`Decision`] rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// An enforced rule and its count, in this process.
    Memory,
    /// No place was left to count a new key, so it was refused; `remaining` is zero, and the two times say when a place
    /// is free. They are too short where one request names several new keys of one rule that wait for the same place.
    TableFull,
    /// The table is full, so the key was counted together with others, which may be too high: see
    /// [`Overflow::Share`](crate::Overflow::Share).
    Shared,
    /// An enforced rule and its count in a store.
    Store,
    /// Tokens that were charged in a store ahead.
    Lease,
    /// A refusal of the store's, less than a second ago.
    DenyCache,
    /// The store is down and an enforced rule was asked in this process, with its share of the limit.
    Fallback,
    /// The store is down, and nobody is let in.
    StoreDown,
    /// The store is down, and nobody was asked.
    Unchecked,
    /// Only rules in [`Mode::Shadow`](crate::Mode::Shadow) were asked, which never refuse.
    Shadow,
    /// Only rules in [`Mode::Off`](crate::Mode::Off) were asked, which count nothing.
    Off,
}

impl Decision {
    /// `retry_after` for a `Retry-After` header: whole seconds (RFC 9110 section 10.2.3), rounded up, because a client
    /// that is told a second too few is refused once more.
    #[must_use]
    pub const fn retry_after_secs(&self) -> u64 {
        self.retry_after.as_secs().saturating_add((self.retry_after.subsec_nanos() > 0) as u64)
    }
}
