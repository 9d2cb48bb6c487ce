//! What each rule of a request says.

use std::sync::MutexGuard;

use crate::episode::Reporter;
use crate::event::Cause;
use crate::limiter::core::Entry;
use crate::limiter::request::Target;
use crate::rule::Mode;
use crate::state::{Outlook, Tick};
use crate::table::Shard;

/// A locked shard and what the request wants of it.
pub(super) struct Group<'a> {
    pub(super) shard: MutexGuard<'a, Shard>,
    pub(super) findings: Vec<Finding<'a>>,
}

/// What one rule says of one key.
pub(super) struct Finding<'a> {
    pub(super) target: Target<'a>,
    pub(super) outlook: Outlook,
    /// Why the cost is not admitted, if it is not.
    pub(super) refusal: Option<Cause>,
    pub(super) charged: bool,
}

impl<'a> Group<'a> {
    pub(super) fn lock(targets: &[Target<'a>]) -> Option<Self> {
        let first = targets.first()?;
        let findings = targets.iter().map(|target| Finding::new(*target)).collect();
        Some(Self { shard: first.entry.table.lock(first.place.shard), findings })
    }

    pub(super) fn inspect(&mut self, now: Tick, cost: u32) {
        for finding in &mut self.findings {
            finding.inspect(&self.shard, now, cost);
        }
    }
}

impl<'a> Finding<'a> {
    fn new(target: Target<'a>) -> Self {
        Self { target, outlook: Outlook::default(), refusal: None, charged: false }
    }

    pub(super) fn is_enforced(&self) -> bool {
        self.target.entry.rule.mode() == Mode::Enforce
    }

    pub(super) fn inspect(&mut self, shard: &Shard, now: Tick, cost: u32) {
        let Target { entry, place, .. } = self.target;
        match shard.find(&place) {
            Some(slot) => {
                self.outlook = slot.state.outlook(&entry.terms, now, cost);
                let fits = self.outlook.used.saturating_add(cost) <= entry.terms.limit;
                self.refusal = (!fits).then_some(Cause::LimitExceeded);
            }
            // A key without a slot is fresh; all that can refuse it is that there is no slot for it.
            None if shard.room_at(&place, &entry.terms) > now => self.refuse_for_room(shard, now),
            None => {}
        }
        if cost > entry.terms.limit {
            self.refusal = Some(Cause::CostAboveLimit);
        }
    }

    /// Charges the cost, unless it turns out that there is no slot for it.
    pub(super) fn charge(&mut self, shard: &mut Shard, now: Tick, cost: u32, reporter: &mut Reporter<'_>) {
        let Target { entry: Entry { terms, .. }, place, .. } = self.target;
        if shard.find(&place).is_none()
            && let Some(former) = shard.occupy(&place, terms, now)
        {
            reporter.close(former);
        }
        let Some(slot) = shard.find_mut(&place) else { return self.refuse_for_room(shard, now) };
        reporter.close_quiet(&mut slot.episode, now);
        slot.state.charge(terms, now, cost);
        self.outlook = slot.state.outlook(terms, now, 0);
        self.charged = true;
    }

    pub(super) fn undo(&mut self, shard: &mut Shard, now: Tick, cost: u32) {
        let Target { entry, place, .. } = self.target;
        if let Some(slot) = shard.find_mut(&place) {
            slot.state.release(&entry.terms, now, cost);
            self.outlook = slot.state.outlook(&entry.terms, now, 0);
        }
        self.charged = false;
    }

    fn refuse_for_room(&mut self, shard: &Shard, now: Tick) {
        let wait = shard.room_at(&self.target.place, &self.target.entry.terms).saturating_sub(now);
        self.outlook = Outlook { used: 0, wait, reset: wait };
        self.refusal = Some(Cause::TableFull);
    }
}
