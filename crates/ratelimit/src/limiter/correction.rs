//! Changing a charge after the fact.

use crate::event::Event;
use crate::key::Key;
use crate::limiter::core::{Core, Entry};
use crate::limiter::finding::Finding;
use crate::rule::Algorithm;
use crate::state::{Terms, Tick};
use crate::table::{Cells, Place, Slot};

/// What a permit was charged, where and when.
#[derive(Default)]
pub(crate) struct Charges {
    /// The number of a rule and the place of a key in its table.
    places: Vec<(usize, Place)>,
    at: Tick,
}

impl Charges {
    pub(super) fn of(findings: &[Finding<'_>], at: Tick) -> Self {
        // What a source was charged for a new key stays charged: the key has taken its place.
        let charged = |finding: &&Finding<'_>| finding.charged && finding.slot.is_some() && !finding.is_of_source();
        let charged = findings.iter().filter(charged);
        Self { places: charged.map(|finding| (finding.target.index, finding.target.place)).collect(), at }
    }
}

impl Core {
    /// Takes back `cost` from every place. A place has either forgotten the charge, because it no longer counts, or
    /// still holds all of it: nothing but its own permit takes a charge back.
    pub(super) fn release(&self, charges: &Charges, cost: u32) {
        self.amend(charges, |terms, cells, now| terms.release(cells, charges.at, now, cost));
    }

    /// As [`release`](Self::release), and ends the rows of failures.
    pub(super) fn succeed(&self, charges: &Charges, cost: u32) {
        self.amend(charges, |terms, cells, now| terms.succeed(cells, charges.at, now, cost));
    }

    /// Charges `cost` more to every place, as far as there is room below the limit. A key whose slot has been given
    /// away meanwhile gets a new one; if there is none, the surcharge is lost, and the key is refused as new ones are.
    pub(super) fn surcharge(&self, charges: &Charges, cost: u32) {
        let mut events = Vec::new();
        for (index, place) in &charges.places {
            let Ok(entry) = self.entry(*index) else { continue };
            let slot = entry.table.latch(place).or_else(|| self.new_slot(entry, place, &mut events));
            if let Some(slot) = slot {
                entry.terms.surcharge(slot.cells, self.now(), cost);
            }
        }
        self.deliver(&events);
    }

    /// Forgets what was counted for `key`, and says whether that was anything.
    pub(super) fn forget(&self, entry: &Entry, key: &Key) -> bool {
        let mut events = Vec::new();
        let slot = entry.table.latch(&entry.table.place(&self.tagger, key));
        let counted = slot.is_some_and(|mut slot| {
            let counted = entry.terms.fresh_at(slot.cells) > self.now();
            slot.cells.clear();
            entry.episodes.change(&mut slot, |open| self.reporter(entry, &mut events).close(open.take()));
            counted
        });
        self.deliver(&events);
        counted
    }

    fn new_slot<'a>(&self, entry: &'a Entry, place: &Place, events: &mut Vec<Event>) -> Option<Slot<'a>> {
        let _gates: Vec<_> = entry.table.gates(place).filter_map(|gate| entry.table.close(gate)).collect();
        // Another thread may have been faster.
        if let Some(slot) = entry.table.latch(place) {
            return Some(slot);
        }
        let now = self.now();
        // What the sketch counts is not fresh, and gets no slot.
        if entry.sketch.as_ref().is_some_and(|sketch| sketch.outlook(place, &entry.terms, now, 0).used > 0) {
            return None;
        }
        let mut slot = entry.table.occupy(place, &entry.terms, now)?;
        if slot.is_reported() {
            entry.episodes.change(&mut slot, |open| self.reporter(entry, events).close(open.take()));
        }
        Some(slot)
    }

    fn amend(&self, charges: &Charges, change: impl Fn(&Terms, Cells<'_>, Tick)) {
        let mut events = Vec::new();
        for (index, place) in &charges.places {
            let Ok(entry) = self.entry(*index) else { continue };
            let Some(mut slot) = entry.table.latch(place) else { continue };
            let (terms, now) = (&entry.terms, self.now());
            change(terms, slot.cells, now);
            let lockout = slot.is_reported() && entry.rule.algorithm() == Algorithm::Lockout;
            if lockout && terms.outlook(slot.cells, now, 0).used < terms.limit {
                entry.episodes.change(&mut slot, |open| self.reporter(entry, &mut events).close(open.take()));
            }
        }
        self.deliver(&events);
    }
}
