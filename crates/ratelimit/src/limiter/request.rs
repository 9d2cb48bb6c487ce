//! From what a caller asks to what is looked up.

use crate::cost::Cost;
use crate::error::{Error, Repr};
use crate::key::Key;
use crate::limiter::core::{Core, Entry};
use crate::rule::{Mode, RuleRef};
use crate::table::Place;

/// One rule and one key of a request.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) index: usize,
    pub(super) entry: &'a Entry,
    pub(super) key: &'a Key,
    pub(super) place: Place,
}

impl Target<'_> {
    pub(super) fn same_shard(&self, other: &Self) -> bool {
        self.index == other.index && self.place.shard == other.place.shard
    }

    fn order(&self) -> (usize, Place) {
        (self.index, self.place)
    }
}

impl Core {
    /// The rules that a request really asks, each pair once, in the one order in which all threads lock.
    pub(super) fn targets<'a, R: RuleRef>(
        &'a self,
        keys: &'a [(R, Key)],
        cost: Cost,
    ) -> Result<Vec<Target<'a>>, Error> {
        if keys.is_empty() {
            return Err(Repr::EmptyRequest.into());
        }
        let mut targets = Vec::with_capacity(keys.len());
        for (rule, key) in keys {
            let index = self.catalogue.resolve(*rule)?;
            let entry = self.entry(index)?;
            let limit = entry.terms.limit;
            match entry.rule.mode() {
                Mode::Enforce if cost.units() > limit => {
                    let rule = entry.rule.name().to_owned();
                    return Err(Repr::CostAboveLimit { rule, cost: cost.units(), limit }.into());
                }
                Mode::Enforce | Mode::Shadow => {
                    targets.push(Target { index, entry, key, place: entry.table.place(&self.tagger, key) });
                }
                Mode::Off => {}
            }
        }
        targets.sort_unstable_by_key(Target::order);
        targets.dedup_by_key(|target| target.order());
        Ok(targets)
    }
}
