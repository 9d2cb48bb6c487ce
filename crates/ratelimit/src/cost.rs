//! What one action weighs.

use std::num::NonZeroU32;

/// The weight of one action, in the unit of the rule's limit: 1 for a request, 1 per KiB for a download.
///
/// Zero cannot be built: an action that costs nothing would pass every limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cost(NonZeroU32);

impl Cost {
    /// One unit: a plain request.
    pub const ONE: Self = Self(NonZeroU32::MIN);

    /// A weight of `units`.
    #[must_use]
    pub const fn new(units: NonZeroU32) -> Self {
        Self(units)
    }

    /// The weight in units, at least 1.
    #[must_use]
    pub const fn units(self) -> u32 {
        self.0.get()
    }
}

impl From<NonZeroU32> for Cost {
    fn from(units: NonZeroU32) -> Self {
        Self(units)
    }
}
