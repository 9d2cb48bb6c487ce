//! What an operator may want to see.

use std::sync::atomic::Ordering;

use crate::limiter::core::{Core, Entry};
use crate::rule::{Rule, RuleId};
use crate::table::Slot;

/// A limiter's counts since it was built. Each number is exact; taken while requests run, they may be of slightly
/// different moments.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// The rules, in the order in which they were given.
    pub rules: Vec<RuleSnapshot>,
    /// Requests that were admitted.
    pub allowed: u64,
    /// Requests that were refused.
    pub refused: u64,
}

/// What one rule has counted since its limiter was built.
///
/// A request that two rules refuse is counted by both. A rule in [`Mode::Shadow`](crate::Mode::Shadow) counts what it
/// would have refused.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RuleSnapshot {
    /// The rule's handle.
    pub id: RuleId,
    /// The rule's definition.
    pub rule: Rule,
    /// Keys that have something charged in their window now.
    pub keys_tracked: usize,
    /// Keys that the table can hold at most.
    pub slots: usize,
    /// Refusals of all causes.
    pub refusals: u64,
    /// Refusals of new keys for want of a slot. Anything but zero means that the capacity is too small, or that
    /// somebody floods this rule with keys.
    pub table_full: u64,
    /// Episodes of refusal that have not been reported as closed.
    pub open_episodes: usize,
}

impl Core {
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            rules: self.entries().iter().enumerate().map(|(index, entry)| self.count(index, entry)).collect(),
            allowed: self.allowed.sum(),
            refused: self.refused.sum(),
        }
    }

    fn count(&self, index: usize, entry: &Entry) -> RuleSnapshot {
        let in_use = |slot: &Slot<'_>| entry.terms.fresh_at(slot.cells) > self.now();
        let slots = (0..entry.table.slots()).filter_map(|index| entry.table.latch_at(index));
        let keys_tracked = slots.filter(in_use).count();
        let table_full = entry.table_full.load(Ordering::Relaxed);
        let others = [&entry.exceeded, &entry.above_limit].map(|counter| counter.load(Ordering::Relaxed));
        RuleSnapshot {
            id: self.catalogue.id_at(index),
            rule: entry.rule.clone(),
            keys_tracked,
            slots: entry.table.slots(),
            refusals: others.iter().sum::<u64>() + table_full,
            table_full,
            open_episodes: entry.open_shared().saturating_add(entry.episodes.count()),
        }
    }
}
