//! Changing a charge after the fact.

use crate::limiter::core::Core;
use crate::state::Tick;
use crate::table::Place;

/// What a permit was charged, where and when.
#[derive(Default)]
pub(crate) struct Charges {
    /// The number of a rule and the place of a key in its table.
    pub(super) places: Vec<(usize, Place)>,
    pub(super) at: Tick,
}

impl Core {
    /// Takes back `cost` from every place. A place has either forgotten the charge, because it no longer counts, or
    /// still holds all of it: nothing but its own permit takes a charge back.
    pub(super) fn release(&self, charges: &Charges, cost: u32) {
        for (index, place) in &charges.places {
            let Ok(entry) = self.entry(*index) else { continue };
            if let Some(slot) = entry.table.lock(place.shard).find_mut(place) {
                slot.state.release(&entry.terms, charges.at, cost);
            }
        }
    }

    /// Charges `cost` more to every place, as far as there is room below the limit. A key whose slot has been given
    /// away meanwhile gets a new one; if there is none, the surcharge is lost, and the key is refused as new ones are.
    pub(super) fn surcharge(&self, charges: &Charges, cost: u32) {
        let mut events = Vec::new();
        for (index, place) in &charges.places {
            let Ok(entry) = self.entry(*index) else { continue };
            let mut shard = entry.table.lock(place.shard);
            let now = self.now();
            if shard.find(place).is_none()
                && let Some(former) = shard.occupy(place, &entry.terms, now)
            {
                self.reporter(entry, &mut events).close(former);
            }
            if let Some(slot) = shard.find_mut(place) {
                slot.state.charge(&entry.terms, now, cost);
            }
        }
        self.deliver(&events);
    }
}
