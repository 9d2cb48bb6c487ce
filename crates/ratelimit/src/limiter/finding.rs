//! What each rule of a request says.

use crate::episode::Reporter;
use crate::event::Cause;
use crate::fingerprint::FingerprintKey;
use crate::limiter::core::Entry;
use crate::limiter::request::Target;
use crate::rule::{Algorithm, Counts, Mode};
use crate::state::{Outlook, Tick};
use crate::table::{Sketch, Slot};

/// What one rule says of one key.
pub(super) struct Finding<'a> {
    pub(super) target: Target<'a>,
    /// The key's slot, latched, if it has one. If it has none, its place's gates are closed to others.
    pub(super) slot: Option<Slot<'a>>,
    pub(super) outlook: Outlook,
    /// Why the cost is not admitted, if it is not.
    pub(super) refusal: Option<Cause>,
    pub(super) charged: bool,
    /// The sketch that counts the key, if it has no slot.
    pub(super) sketch: Option<&'a Sketch>,
}

impl<'a> Finding<'a> {
    pub(super) fn new(target: Target<'a>, slot: Option<Slot<'a>>) -> Self {
        Self { target, slot, outlook: Outlook::default(), refusal: None, charged: false, sketch: None }
    }

    pub(super) fn is_enforced(&self) -> bool {
        self.target.entry.rule.mode() == Mode::Enforce
    }

    /// Whether its rule counts new keys.
    pub(super) fn is_of_source(&self) -> bool {
        self.target.entry.rule.counts() == Counts::NewKeys
    }

    /// Whether the key is counted already. Ask it of a finding that was inspected and not yet charged.
    pub(super) fn is_known(&self) -> bool {
        self.slot.is_some() || (self.sketch.is_some() && self.outlook.used > 0)
    }

    fn own(&self, cost: u32) -> u32 {
        if self.is_of_source() { 1 } else { cost }
    }

    pub(super) fn inspect(&mut self, now: Tick, cost: u32) {
        let (terms, cost) = (&self.target.entry.terms, self.own(cost));
        match &self.slot {
            Some(slot) => {
                self.outlook = terms.outlook(slot.cells, now, cost);
                let fits = self.outlook.used.saturating_add(cost) <= terms.limit;
                self.refusal = (!fits).then_some(self.target.entry.breach());
            }
            None => self.inspect_new(now, cost),
        }
        if cost > terms.limit {
            self.refusal = Some(Cause::CostAboveLimit);
        }
    }

    /// A key without a slot is fresh, unless it is counted in the sketch; it stays there until it is fresh there too.
    fn inspect_new(&mut self, now: Tick, cost: u32) {
        let Target { entry: Entry { terms, table, sketch, .. }, place, .. } = self.target;
        let full = !table.has_room(&place, terms, now);
        match sketch {
            None if full => self.refuse_for_room(now),
            None => {}
            Some(sketch) => {
                let outlook = sketch.outlook(&place, terms, now, cost);
                if full || outlook.used > 0 {
                    self.outlook = outlook;
                    self.sketch = Some(sketch);
                    self.refusal = (outlook.wait > 0).then_some(Cause::TableFull);
                }
            }
        }
    }

    /// Charges the cost, unless it turns out that there is no slot for it.
    pub(super) fn charge(&mut self, now: Tick, cost: u32, reporter: &mut Reporter<'_>) {
        let cost = self.own(cost);
        let Target { entry: Entry { terms, table, episodes, .. }, place, .. } = self.target;
        if self.slot.is_none() && self.sketch.is_none() {
            self.slot = table.occupy(&place, terms, now);
            if let Some(slot) = self.slot.as_mut().filter(|slot| slot.is_reported()) {
                episodes.change(slot, |open| reporter.close(open.take()));
            }
        }
        if let Some(sketch) = self.sketch {
            sketch.charge(&place, now, cost);
            self.outlook = sketch.outlook(&place, terms, now, 0);
            self.charged = true;
            return;
        }
        let Some(slot) = &self.slot else { return self.refuse_for_room(now) };
        let reset = terms.charge(slot.cells, now, cost).saturating_sub(now);
        self.outlook = Outlook { used: self.outlook.used.saturating_add(cost), wait: 0, reset };
        self.charged = true;
    }

    /// Reports what the charge ends or begins.
    pub(super) fn report(&mut self, now: Tick, reporter: &mut Reporter<'_>, key: &FingerprintKey) {
        let Target { entry: Entry { rule, terms, episodes, .. }, key: subject, .. } = self.target;
        let Some(slot) = &mut self.slot else {
            return self.target.entry.report_overflow(reporter, now, key);
        };
        let is_lockout = rule.algorithm() == Algorithm::Lockout;
        if is_lockout && self.outlook.used >= terms.limit {
            let fingerprint = || key.fingerprint(rule.name(), Some(subject));
            episodes.change(slot, |open| reporter.open(open, now, Cause::LockedOut, fingerprint));
        } else if slot.is_reported() {
            episodes.change(slot, |open| match is_lockout {
                // There is no lock, so the one that was reported has ended.
                true => reporter.close(open.take()),
                false => reporter.close_quiet(open, now),
            });
        }
    }

    pub(super) fn undo(&mut self, now: Tick, cost: u32) {
        let (terms, cost) = (&self.target.entry.terms, self.own(cost));
        if let Some(slot) = &self.slot {
            terms.release(slot.cells, now, now, cost);
            self.outlook = terms.outlook(slot.cells, now, 0);
        }
        self.charged = false;
    }

    fn refuse_for_room(&mut self, now: Tick) {
        let Target { entry: Entry { terms, table, .. }, place, .. } = self.target;
        let wait = table.room_at(&place, terms).saturating_sub(now);
        self.outlook = Outlook { used: 0, wait, reset: wait };
        self.refusal = Some(Cause::TableFull);
    }
}
