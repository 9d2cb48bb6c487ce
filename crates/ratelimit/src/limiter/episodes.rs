//! The open episodes of one rule's slots.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::episode::Episode;
use crate::table::Slot;

const STRIPES: usize = 64;

/// Episodes by the number of their slot, which says that it has one.
#[derive(Debug)]
pub(super) struct Episodes {
    stripes: [Mutex<Stripe>; STRIPES],
}

type Stripe = HashMap<usize, Option<Box<Episode>>>;

impl Episodes {
    pub(super) fn none() -> Self {
        Self { stripes: std::array::from_fn(|_| Mutex::default()) }
    }

    /// Lets `change` open, count or close the episode of a slot.
    pub(super) fn change(&self, slot: &mut Slot<'_>, change: impl FnOnce(&mut Option<Box<Episode>>)) {
        let Some(stripe) = self.stripes.get(slot.index % STRIPES) else { return };
        let mut stripe = lock(stripe);
        let open = stripe.entry(slot.index).or_default();
        change(open);
        if open.is_some() {
            slot.episode_opened();
        } else {
            stripe.remove(&slot.index);
            slot.episode_closed();
        }
    }

    pub(super) fn count(&self) -> usize {
        self.stripes.iter().map(|stripe| lock(stripe).len()).sum()
    }

    /// The numbers of the slots with an episode at this moment.
    pub(super) fn slots(&self) -> Vec<usize> {
        self.stripes.iter().flat_map(|stripe| lock(stripe).keys().copied().collect::<Vec<_>>()).collect()
    }
}

fn lock(stripe: &Mutex<Stripe>) -> MutexGuard<'_, Stripe> {
    stripe.lock().unwrap_or_else(PoisonError::into_inner)
}
