//! What a bundle is worth.

use crate::{BundleHeader, Conclusion, Report};

/// The result of the verification of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleReport {
    pub(super) header: BundleHeader,
    pub(super) report: Report,
    pub(super) vouched: Option<u64>,
}

impl BundleReport {
    /// The result in one word. A bundle in which nothing is wrong is
    /// [`Unverifiable`](Conclusion::Unverifiable) as long as nothing from outside the file vouches for all of it.
    #[must_use]
    pub fn conclusion(&self) -> Conclusion {
        let vouched = self.vouched.is_some_and(|seq| seq >= self.header.head().seq);
        self.report.conclusion().max(if vouched { Conclusion::Intact } else { Conclusion::Unverifiable })
    }

    /// Whether nothing is wrong and something from outside the file vouches for all of it.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.conclusion() == Conclusion::Intact
    }

    /// Whether it is proven that no entry between the bundle's first and last was left out. Never of a filtered bundle.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_intact() && self.header.filter().is_none()
    }

    /// What the bundle says that it is about.
    #[must_use]
    pub const fn header(&self) -> &BundleHeader {
        &self.header
    }

    /// What was found in it.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// The last entry that something from outside the file vouches for, and with it every entry before.
    #[must_use]
    pub const fn vouched_through(&self) -> Option<u64> {
        self.vouched
    }
}
