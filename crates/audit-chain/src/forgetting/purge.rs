//! Purging what the law no longer wants kept, and the evidence that it was done.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use super::evidence;
use crate::{Actor, Digest, Entry, Record, TenantId, format};

/// Why entries are purged. Everything here is stored in the log and stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeRequest {
    actor: Actor,
    request: String,
}

/// Entries that are gone and that followed each other: their numbers, and the hashes where the kept links begin and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PurgedRange {
    /// The number of the first.
    pub first: u64,
    /// The number of the last.
    pub last: u64,
    /// The hash that the first link continues.
    pub before: Digest,
    /// The hash of the last link.
    pub after: Digest,
}

/// An entry of the log that says what was purged, with the list of the ranges that it covers.
///
/// A missing entry that it covers is not a gap: see [`Verifier::purge`](crate::Verifier::purge).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeEvidence {
    record: Record,
    ranges: Vec<PurgedRange>,
}

impl PurgeRequest {
    /// A purge by this actor, under the order or job with this id.
    #[must_use]
    pub fn new(actor: Actor, request: impl fmt::Display) -> Self {
        Self { actor, request: request.to_string() }
    }

    /// The entry that says that a tenant's entries of these ranges, all recorded before `before`, were purged.
    #[must_use]
    pub fn entry(&self, tenant: TenantId, before: DateTime<Utc>, ranges: &[PurgedRange]) -> Entry {
        let statement = json!({
            "request": self.request,
            "before": before.to_rfc3339_opts(SecondsFormat::Millis, true),
            "entries": ranges.iter().fold(0, |sum: u64, range| sum.saturating_add(range.count())),
            "count": ranges.len(),
            "root": PurgeEvidence::root(ranges).to_string(),
        });
        Entry::new(tenant, self.actor.clone().unnamed(), PurgeEvidence::ACTION).after(statement)
    }
}

impl PurgedRange {
    /// How many entries.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }

    /// The leaf of this range in the tree of a purge, as the page [`format`](mod@crate::format) lays it out.
    #[must_use]
    pub fn leaf(&self) -> Digest {
        let bytes = [
            format::PURGED_DOMAIN,
            &self.first.to_be_bytes(),
            &self.last.to_be_bytes(),
            self.before.as_bytes(),
            self.after.as_bytes(),
        ];
        Digest::leaf(&bytes.concat())
    }
}

impl PurgeEvidence {
    /// The action of an entry that says what was purged.
    pub const ACTION: &str = "audit.purged";

    /// Evidence: the entry, and the ranges that it covers, ascending and apart. Whether they agree is the verifier's matter.
    #[must_use]
    pub const fn new(record: Record, ranges: Vec<PurgedRange>) -> Self {
        Self { record, ranges }
    }

    /// The entry.
    #[must_use]
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// What it covers.
    #[must_use]
    pub fn ranges(&self) -> &[PurgedRange] {
        &self.ranges
    }

    /// The root over a list of ranges: what a purge's entry states.
    #[must_use]
    pub fn root(ranges: &[PurgedRange]) -> Digest {
        evidence::root(ranges.iter().map(PurgedRange::leaf))
    }

    /// Whether the entry states this list.
    pub(crate) fn agrees(&self) -> bool {
        self.ranges.iter().all(|range| 0 < range.first && range.first <= range.last)
            && self.ranges.is_sorted_by(|left, right| left.last < right.first)
            && evidence::states(&self.record, Self::ACTION, self.ranges.len() as u64, Self::root(&self.ranges))
    }
}
