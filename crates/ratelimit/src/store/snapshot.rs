//! What an operator may want to see of a shared limiter.

use std::sync::atomic::Ordering;

use crate::rule::{Rule, RuleId};
use crate::store::limiter::Core;

/// What this process has asked of a [`SharedLimiter`](super::SharedLimiter) since it was built. The counts of the limits
/// themselves are in the store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SharedSnapshot {
    /// The rules, in the order in which they were given.
    pub rules: Vec<SharedRuleSnapshot>,
    /// Requests that were admitted, by the store or without it.
    pub allowed: u64,
    /// Requests that were refused, by the store or without it.
    pub refused: u64,
    /// Whether the store is left alone at the moment, because it failed.
    pub degraded: bool,
}

/// What one rule refused.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SharedRuleSnapshot {
    /// The rule's handle.
    pub id: RuleId,
    /// The rule's definition.
    pub rule: Rule,
    /// Refusals of this process, or what a rule in [`Mode::Shadow`](crate::Mode::Shadow) would have refused.
    pub refusals: u64,
    /// Episodes of refusal that have not been reported as closed.
    pub open_episodes: usize,
}

impl<S> Core<S> {
    pub(super) fn snapshot(&self) -> SharedSnapshot {
        let rules = self.entries.iter().enumerate().map(|(index, entry)| SharedRuleSnapshot {
            id: self.catalogue.id_at(index),
            rule: entry.rule.clone(),
            refusals: entry.refusals.load(Ordering::Relaxed),
            open_episodes: self.episodes.count(index),
        });
        SharedSnapshot {
            rules: rules.collect(),
            allowed: self.allowed.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            degraded: self.breaker.is_open(),
        }
    }
}
