//! A decision on its way to the caller.

use std::sync::atomic::Ordering;

use crate::decision::Decision;
use crate::key::Key;
use crate::store::episodes::Refused;
use crate::store::limiter::Core;
use crate::store::permit::Charged;
use crate::store::request::Target;

/// A decision, what was charged for it, and the rules that had no room.
pub(super) struct Decided {
    pub(super) decision: Decision,
    pub(super) charged: Charged,
    pub(super) exceeded: Vec<Target>,
}

impl Decided {
    /// Nothing was charged, and no rule was at its limit.
    pub(super) const fn of(decision: Decision) -> Self {
        Self { decision, charged: Charged::Nowhere, exceeded: Vec::new() }
    }
}

impl<S> Core<S> {
    /// Counts a decision on `keys` and reports what it refused.
    pub(super) fn count<R>(&self, decided: Decided, keys: &[(R, Key)]) -> (Decision, Charged) {
        let Decided { decision, charged, exceeded } = decided;
        let counter = if decision.allowed { &self.allowed } else { &self.refused };
        counter.fetch_add(1, Ordering::Relaxed);
        if !exceeded.is_empty() {
            let refused = exceeded.iter().filter_map(|target| {
                let (entry, (_, key)) = (self.entries.get(target.index)?, keys.get(target.key)?);
                entry.refusals.fetch_add(1, Ordering::Relaxed);
                let fingerprint = self.fingerprints.fingerprint(entry.rule.name(), Some(key));
                Some(Refused { index: target.index, slot: target.ask.slot, fingerprint })
            });
            let refused: Vec<_> = refused.collect();
            self.episodes.refused(&self.entries, &self.fingerprints, self.clock.now(), &refused);
        }
        (decision, charged)
    }
}
