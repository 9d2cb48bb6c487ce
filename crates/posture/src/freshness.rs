//! How old the evidence is, as a whole.

use crate::status::Age;

/// Observations and attestations by age, each beside the longest age of its control.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Freshness {
    /// Not older than the longest age; attestations that are valid.
    pub fresh: u64,
    /// Older than that, up to twice as old.
    pub stale: u64,
    /// Older still, dated in the future, or an attestation that is not valid: as good as none.
    pub outdated: u64,
}

impl Freshness {
    /// How many there are.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.fresh.saturating_add(self.stale).saturating_add(self.outdated)
    }

    pub(crate) const fn count(&mut self, age: Age) {
        let counter = match age {
            Age::Fresh => &mut self.fresh,
            Age::Stale => &mut self.stale,
            Age::Unusable => &mut self.outdated,
        };
        *counter = counter.saturating_add(1);
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self {
            fresh: self.fresh.saturating_add(other.fresh),
            stale: self.stale.saturating_add(other.stale),
            outdated: self.outdated.saturating_add(other.outdated),
        }
    }
}
