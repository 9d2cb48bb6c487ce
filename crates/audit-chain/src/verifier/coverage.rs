//! What evidence of forgetting covers, and whether the walk has borne it out.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use crate::{Digest, ErasureEvidence, Finding, Link, PurgeEvidence, PurgedRange, TenantId};

type Place = (Option<u64>, Option<Uuid>);

/// Evidence as it was given, and what has been forgiven on its word so far. Nothing is settled before the end of the walk, because
/// the entry that erased comes after what it erased.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    claims: Vec<Claim>,
    by_entry: HashMap<Uuid, Vec<usize>>,
    values: BTreeMap<(Uuid, String), Value>,
    ranges: Vec<Range>,
    borders: BTreeMap<u64, Vec<usize>>,
    gaps: Vec<(u64, u64)>,
    /// The range of the last missing entry, where the next one most likely is too.
    last_range: usize,
}

/// An entry that says that something was forgotten.
#[derive(Debug)]
struct Claim {
    entry_id: Uuid,
    leaf: Digest,
    forgery: Finding,
    /// Whether the entry states what the evidence lists, for this tenant.
    agrees: bool,
    /// Where in the chain the entry was met; the end of all numbers for one that waits for its seal.
    sealed: Option<u64>,
}

/// A value that some claims cover.
#[derive(Debug, Default)]
struct Value {
    claims: Vec<(usize, Digest)>,
    missed: Option<(u64, Digest)>,
}

#[derive(Debug)]
struct Range {
    claim: usize,
    range: PurgedRange,
    opened: bool,
    closed: bool,
}

/// What the walk has made of the evidence.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) erased: u64,
    pub(super) purged: u64,
    pub(super) late: Vec<(Place, Finding)>,
    /// Numbers of missing entries that nothing covers in the end.
    pub(super) uncovered: Vec<(u64, u64)>,
}

impl Coverage {
    pub(crate) fn erasure(&mut self, tenant: TenantId, evidence: &ErasureEvidence) {
        let record = evidence.record();
        let agrees = record.tenant() == tenant && evidence.agrees();
        let claim = self.claim(record.entry_id(), record.leaf(), agrees, Finding::ForgedErasure);
        for value in evidence.values().iter().filter(|_| agrees) {
            let covered = self.values.entry((value.entry_id, value.path.clone())).or_default();
            covered.claims.push((claim, value.commitment));
        }
    }

    pub(crate) fn purge(&mut self, tenant: TenantId, evidence: &PurgeEvidence) {
        let record = evidence.record();
        let agrees = record.tenant() == tenant && evidence.agrees();
        let claim = self.claim(record.entry_id(), record.leaf(), agrees, Finding::ForgedPurge);
        for &range in evidence.ranges().iter().filter(|_| agrees) {
            for border in [range.first, range.last] {
                self.borders.entry(border).or_default().push(self.ranges.len());
            }
            self.ranges.push(Range { claim, range, opened: false, closed: false });
        }
    }

    /// Takes note of a link that holds, which can be a claim's own.
    pub(super) fn pass(&mut self, link: &Link) {
        for &claim in self.by_entry.get(&link.entry_id).into_iter().flatten() {
            if let Some(claim) = self.claims.get_mut(claim).filter(|claim| claim.leaf == link.leaf) {
                claim.sealed = Some(link.seq);
            }
        }
    }

    /// Takes note of a link that is there, which can be the border of a purged range.
    pub(super) fn cross(&mut self, link: &Link) {
        for &range in self.borders.get(&link.seq).into_iter().flatten() {
            if let Some(range) = self.ranges.get_mut(range) {
                range.opened |= range.range.first == link.seq && range.range.before == link.prev;
                range.closed |= range.range.last == link.seq && range.range.after == link.hash;
            }
        }
    }

    /// Whether a claim covers this missing value, if the claim holds.
    pub(super) fn misses_value(&mut self, link: &Link, path: &str, commitment: Digest) -> bool {
        if self.values.is_empty() {
            return false;
        }
        let value = self.values.get_mut(&(link.entry_id, path.to_owned()));
        let value = value.filter(|value| value.claims.iter().any(|(_, covered)| *covered == commitment));
        value.map(|value| value.missed = Some((link.seq, commitment))).is_some()
    }

    /// Whether a claim covers this missing entry, if the claim holds.
    pub(super) fn misses_entry(&mut self, seq: u64) -> bool {
        let covered = self.covers_entry(seq);
        match self.gaps.last_mut() {
            Some((_, last)) if covered && last.checked_add(1) == Some(seq) => *last = seq,
            _ if covered => self.gaps.push((seq, seq)),
            _ => {}
        }
        covered
    }

    /// Whether some claim speaks of this entry.
    pub(crate) fn covers_entry(&mut self, seq: u64) -> bool {
        let covers = |claimed: &Range| (claimed.range.first..=claimed.range.last).contains(&seq);
        if !self.ranges.get(self.last_range).is_some_and(covers) {
            self.last_range = self.ranges.iter().position(covers).unwrap_or(usize::MAX);
        }
        self.last_range != usize::MAX
    }

    /// The claims whose entry the walk has not met.
    #[cfg(any(feature = "postgres", feature = "bundle"))]
    pub(crate) fn unmet(&self) -> impl Iterator<Item = Uuid> {
        self.claims.iter().filter(|claim| claim.agrees && claim.sealed.is_none()).map(|claim| claim.entry_id)
    }

    /// Accepts the entry of a claim that stands behind the end of the walk.
    #[cfg(any(feature = "postgres", feature = "bundle"))]
    pub(crate) fn await_seal(&mut self, entry_id: Uuid, leaf: Digest) {
        for claim in self.claims.iter_mut().filter(|claim| claim.entry_id == entry_id && claim.leaf == leaf) {
            claim.sealed.get_or_insert(u64::MAX);
        }
    }

    /// Decides, at the end of a walk from the link after `start` up to number `end`, what holds.
    pub(super) fn settle(mut self, start: u64, end: u64) -> Settled {
        let mut settled = Settled::default();
        for range in &self.ranges {
            // A purge covers what was there before it, between links that are still there.
            let earlier = |claim: &Claim| claim.sealed.is_none_or(|seq| range.range.last < seq);
            // A border that the walk did not come by is not for it to judge; the entry states it, and the whole walk compares it.
            let opened = range.opened || range.range.first <= start;
            let closed = range.closed || range.range.last > end;
            if let Some(claim) = self.claims.get_mut(range.claim) {
                claim.agrees &= opened && closed && earlier(claim);
            }
        }
        let holds = |claim: usize| self.claims.get(claim).is_some_and(|claim| claim.agrees && claim.sealed.is_some());
        for claim in self.claims.iter().filter(|claim| !claim.agrees || claim.sealed.is_none()) {
            settled.late.push(((claim.sealed, Some(claim.entry_id)), claim.forgery.clone()));
        }
        for ((entry_id, path), value) in self.values {
            let Some((seq, commitment)) = value.missed else { continue };
            if value.claims.iter().any(|(claim, covered)| *covered == commitment && holds(*claim)) {
                settled.erased += 1;
            } else {
                settled.late.push(((Some(seq), Some(entry_id)), Finding::PersonalMissing { path }));
            }
        }
        let mut standing: Vec<_> =
            self.ranges.iter().filter(|range| holds(range.claim)).map(|range| range.range).collect();
        standing.sort_unstable_by_key(|range| range.first);
        for gap in self.gaps {
            let (purged, uncovered) = subtract(gap, &standing);
            settled.purged += purged;
            settled.uncovered.extend(uncovered);
        }
        settled
    }

    fn claim(&mut self, entry_id: Uuid, leaf: Digest, agrees: bool, forgery: Finding) -> usize {
        let claim = self.claims.len();
        self.by_entry.entry(entry_id).or_default().push(claim);
        self.claims.push(Claim { entry_id, leaf, forgery, agrees, sealed: None });
        claim
    }
}

/// How many numbers of a gap these ranges cover, ascending by their first, and which numbers they leave.
fn subtract((mut from, to): (u64, u64), ranges: &[PurgedRange]) -> (u64, Vec<(u64, u64)>) {
    let (mut covered, mut left) = (0, Vec::new());
    for range in ranges.iter().filter(|range| range.first <= to) {
        if range.last < from {
            continue;
        }
        if from < range.first {
            left.push((from, range.first - 1));
            from = range.first;
        }
        let last = range.last.min(to);
        covered += last - from + 1;
        match last.checked_add(1).filter(|next| *next <= to) {
            Some(next) => from = next,
            None => return (covered, left),
        }
    }
    left.push((from, to));
    (covered, left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(any(feature = "postgres", feature = "bundle"))]
    #[test]
    fn only_the_entry_itself_is_awaited() {
        let (entry, leaf, other) = (Uuid::from_u128(1), Digest::from([1; 32]), Digest::from([2; 32]));
        let mut coverage = Coverage::default();
        for (entry, leaf) in [(entry, leaf), (entry, other), (Uuid::from_u128(2), leaf)] {
            coverage.claim(entry, leaf, true, Finding::ForgedErasure);
        }
        coverage.await_seal(entry, leaf);
        assert_eq!(coverage.unmet().collect::<Vec<_>>(), [entry, Uuid::from_u128(2)]);
    }

    #[test]
    fn what_ranges_leave_of_a_gap() {
        let range = |first, last| {
            let hash = Digest::from([0; 32]);
            PurgedRange { first, last, before: hash, after: hash }
        };
        assert_eq!(subtract((3, 9), &[]), (0, vec![(3, 9)]));
        assert_eq!(subtract((3, 9), &[range(1, 9)]), (7, vec![]));
        assert_eq!(subtract((3, 9), &[range(1, 2), range(4, 5), range(5, 6), range(9, 12)]), (4, vec![(3, 3), (7, 8)]));
        assert_eq!(subtract((1, 2), &[range(3, 4)]), (0, vec![(1, 2)]));
        assert_eq!(subtract((1, u64::MAX), &[range(1, u64::MAX)]).1, vec![]);
    }
}
