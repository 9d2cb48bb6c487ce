//! From what a caller asks to what is looked up.

use crate::cost::Cost;
use crate::error::{Error, Repr};
use crate::key::Key;
use crate::limiter::core::{Core, Entry};
use crate::limiter::finding::Finding;
use crate::rule::{Counts, Mode, RuleRef};
use crate::table::{Gate, Place};

/// One rule and one key of a request.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) index: usize,
    pub(super) entry: &'a Entry,
    pub(super) key: &'a Key,
    pub(super) place: Place,
}

/// The targets of a request with all that keeps others from them.
pub(super) struct Hold<'a> {
    /// Those of sources last.
    pub(super) findings: Vec<Finding<'a>>,
    _gates: Vec<Gate<'a>>,
}

impl Core {
    /// The rules that a request really asks, each pair once.
    pub(super) fn targets<'a, R: RuleRef>(
        &'a self,
        keys: &'a [(R, Key)],
        cost: Cost,
    ) -> Result<Vec<Target<'a>>, Error> {
        let mut targets = Vec::with_capacity(keys.len());
        for (rule, key) in keys {
            targets.extend(self.target(*rule, key, cost)?);
        }
        targets.sort_unstable_by_key(|target| (target.index, target.place));
        targets.dedup_by_key(|target| (target.index, target.place));
        Ok(targets)
    }

    /// A rule and its key; nothing if the rule is off.
    pub(super) fn target<'a>(
        &'a self,
        rule: impl RuleRef,
        key: &'a Key,
        cost: Cost,
    ) -> Result<Option<Target<'a>>, Error> {
        let index = self.catalogue.resolve(rule)?;
        let entry = self.entry(index)?;
        let limit = entry.terms.limit;
        match entry.rule.mode() {
            Mode::Enforce if entry.rule.counts() == Counts::Requests && cost.units() > limit => {
                let rule = entry.rule.name().to_owned();
                Err(Repr::CostAboveLimit { rule, cost: cost.units(), limit }.into())
            }
            Mode::Enforce | Mode::Shadow => {
                Ok(Some(Target { index, entry, key, place: entry.table.place(&self.tagger, key) }))
            }
            Mode::Off => Ok(None),
        }
    }
}

impl<'a> Hold<'a> {
    /// Closes the gates of all places and then latches all slots, both in the one order in which all threads do. In
    /// between no slot can be given away, so what was found is still there.
    pub(super) fn take(targets: &[Target<'a>]) -> Self {
        let gates = |target: &Target<'a>| {
            let (index, entry) = (target.index, target.entry);
            entry.table.gates(&target.place).map(move |gate| (index, gate))
        };
        let mut order: Vec<(usize, usize)> = targets.iter().flat_map(gates).collect();
        order.sort_unstable();
        order.dedup();
        let table = |index| targets.iter().find(|target| target.index == index).map(|target| &target.entry.table);
        let gates = order.into_iter().filter_map(|(index, gate)| table(index)?.close(gate)).collect();

        let find = |target: &Target<'a>| (target.index, target.entry.table.find(&target.place), *target);
        let mut found: Vec<_> = targets.iter().map(find).collect();
        found.sort_unstable_by_key(|(index, slot, _)| (*index, *slot));
        let latch = |(_, slot, target): (usize, Option<usize>, Target<'a>)| {
            Finding::new(target, slot.and_then(|slot| target.entry.table.latch_at(slot)))
        };
        let mut findings: Vec<Finding<'_>> = found.into_iter().map(latch).collect();
        findings.sort_by_key(Finding::is_of_source);
        Self { findings, _gates: gates }
    }
}
