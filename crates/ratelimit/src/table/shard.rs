//! The slots behind one lock.

use crate::episode::Episode;
use crate::state::{State, Terms, Tick};
use crate::table::{Place, SLOTS};

#[derive(Debug)]
pub(crate) struct Shard {
    buckets: Box<[Bucket]>,
}

/// One key that the table has a place for.
#[derive(Debug)]
pub(crate) struct Slot {
    tag: u128,
    pub(crate) state: State,
    pub(crate) episode: Option<Box<Episode>>,
}

type Bucket = [Option<Slot>; SLOTS];

impl Shard {
    pub(super) fn new(buckets: usize) -> Self {
        Self { buckets: (0..buckets).map(|_| Bucket::default()).collect() }
    }

    pub(crate) fn find(&self, place: &Place) -> Option<&Slot> {
        place
            .buckets()
            .filter_map(|bucket| self.buckets.get(bucket))
            .flatten()
            .flatten()
            .find(|slot| slot.tag == place.tag)
    }

    pub(crate) fn find_mut(&mut self, place: &Place) -> Option<&mut Slot> {
        let holds = |bucket: &Bucket| bucket.iter().flatten().any(|slot| slot.tag == place.tag);
        let bucket = place.buckets().find(|bucket| self.buckets.get(*bucket).is_some_and(holds))?;
        self.buckets.get_mut(bucket)?.iter_mut().flatten().find(|slot| slot.tag == place.tag)
    }

    /// The earliest tick at which a new key can have a slot here; in the past if it can have one now.
    pub(crate) fn room_at(&self, place: &Place, terms: &Terms) -> Tick {
        let slots = place.buckets().filter_map(|bucket| self.buckets.get(bucket)).flatten();
        slots.map(|slot| free_at(slot, terms)).min().unwrap_or(Tick::MAX)
    }

    /// Gives a new key a fresh slot, and returns the episode of the key whose slot it was; nothing if all are in use.
    pub(crate) fn occupy(&mut self, place: &Place, terms: &Terms, now: Tick) -> Option<Option<Box<Episode>>> {
        let free = |bucket: &usize| {
            let slots = self.buckets.get(*bucket).into_iter().flatten();
            slots.filter(|slot| free_at(slot, terms) <= now).count()
        };
        // The emptier of the two, so that both fill evenly.
        let bucket = place.buckets().max_by_key(free)?;
        let slots = self.buckets.get_mut(bucket)?.iter_mut();
        let slot = slots.filter(|slot| free_at(slot, terms) <= now).min_by_key(|slot| free_at(slot, terms))?;
        let former = slot.replace(Slot { tag: place.tag, state: terms.fresh(), episode: None });
        Some(former.and_then(|former| former.episode))
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.buckets.iter().flatten().flatten()
    }

    /// Every slot, to be changed or emptied.
    pub(crate) fn slots_mut(&mut self) -> impl Iterator<Item = &mut Option<Slot>> {
        self.buckets.iter_mut().flatten()
    }
}

fn free_at(slot: &Option<Slot>, terms: &Terms) -> Tick {
    slot.as_ref().map_or(0, |slot| slot.state.fresh_at(terms))
}

#[cfg(test)]
mod tests {
    use super::Slot;

    #[test]
    fn a_slot_has_the_size_that_the_documentation_of_capacity_gives() {
        assert_eq!(size_of::<Option<Slot>>() * 3 / 2, 72);
    }
}
