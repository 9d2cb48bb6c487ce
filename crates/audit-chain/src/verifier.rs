//! Walks a chain and says what does not follow.

mod content;
mod coverage;
mod kept;

use std::num::NonZeroUsize;

use uuid::Uuid;

pub use self::content::Content;
pub(crate) use self::coverage::Coverage;
use self::coverage::Settled;
use self::kept::Kept;
#[cfg(feature = "checkpoint")]
use crate::ProvenHead;
use crate::{
    Conclusion, Digest, ErasureEvidence, Finding, Head, Link, Loss, PurgeEvidence, Report, TenantId, Verdict,
    record::RecordView,
};

/// Verifies one tenant's chain, link by link, in constant memory apart from what it finds.
///
/// Needs no database: give it the stored head, then every link in ascending order with what is
/// stored for it, then ask for the report. After a bad link it goes on from what is stored, so one
/// altered row gives one verdict and not a thousand.
#[derive(Debug)]
pub struct Verifier {
    tenant: TenantId,
    head: Option<Head>,
    kept: Option<Kept>,
    last: Option<Last>,
    /// Where the walk began, if not with the first link.
    start: Option<(u64, Digest)>,
    until: Option<u64>,
    checked: u64,
    verdicts: Vec<Verdict>,
    suppressed: u64,
    worst: Conclusion,
    limit: usize,
    coverage: Coverage,
}

/// The last link, with the hash it has and the hash it should have. They differ only where a
/// verdict has said so.
#[derive(Clone, Copy, Debug)]
struct Last {
    seq: u64,
    stored: Digest,
    computed: Digest,
}

impl Verifier {
    /// A verifier of the chain that ends in `head`, which is the stored head; `None` if the tenant
    /// has none.
    #[must_use]
    pub fn new(tenant: TenantId, head: Option<Head>) -> Self {
        Self {
            tenant,
            head,
            kept: None,
            last: None,
            start: None,
            until: None,
            checked: 0,
            verdicts: Vec::new(),
            suppressed: 0,
            worst: Conclusion::Intact,
            limit: 1_000,
            coverage: Coverage::default(),
        }
    }

    /// Demands that a head which was kept elsewhere, such as that of an earlier report, is part of
    /// this chain.
    #[must_use]
    pub fn kept_head(mut self, kept: Head) -> Self {
        self.kept = Some(Kept::new(kept));
        self
    }

    /// Demands that the head which a signed checkpoint commits to is part of this chain, and that the tree over the chain's
    /// leaves has the signed root at that size.
    #[cfg(feature = "checkpoint")]
    #[must_use]
    pub fn kept_checkpoint(mut self, proven: &ProvenHead) -> Self {
        self.kept = Some(Kept::with_root(proven.head().head, proven.head().root));
        self
    }

    /// Accepts that the restore of a backup lost what this says, if an entry of the chain says the same, and the kept head, which
    /// is given before, is exactly the one that was lost. Everything else is still found.
    #[must_use]
    pub fn accept_restored(mut self, loss: Loss) -> Self {
        if let Some(kept) = &mut self.kept {
            kept.accept(loss);
        }
        self
    }

    /// Begins after a link that an earlier walk has reached, and takes its hash for granted. A kept head before it is not
    /// judged, and of a kept checkpoint the head alone, because the tree's root is over all leaves.
    #[must_use]
    pub const fn after(mut self, seq: u64, hash: Digest) -> Self {
        self.last = Some(Last { seq, stored: hash, computed: hash });
        self.start = Some((seq, hash));
        self
    }

    /// Ends with this link, as if it were the head. A kept head behind it is not judged, unless the stored head ends before it.
    #[must_use]
    pub const fn until(mut self, seq: u64) -> Self {
        self.until = Some(seq);
        self
    }

    /// How many verdicts to keep; more are only counted. 1000 by default.
    #[must_use]
    pub const fn limit(mut self, limit: NonZeroUsize) -> Self {
        self.limit = limit.get();
        self
    }

    /// Takes evidence of an erasure, before the walk: a missing value that it covers counts as erased. The evidence's entry has to
    /// be a link of this chain; one that is not, or whose statement and list disagree, covers nothing and is itself found.
    #[must_use]
    pub fn erasure(mut self, evidence: &ErasureEvidence) -> Self {
        self.coverage.erasure(self.tenant, evidence);
        self
    }

    /// Takes evidence of a purge, before the walk: a missing entry that it covers counts as purged. Beyond what an erasure's has
    /// to hold, the hashes at the borders of its ranges have to be those of the links, and the ranges older than its own entry.
    #[must_use]
    pub fn purge(mut self, evidence: &PurgeEvidence) -> Self {
        self.coverage.purge(self.tenant, evidence);
        self
    }

    /// Checks the next link and what is stored for it. Links come in ascending order.
    pub fn check(&mut self, link: &Link, content: Content<'_>) {
        self.checked += 1;
        let at = (Some(link.seq), Some(link.entry_id));
        if self.last.is_some_and(|last| link.seq <= last.seq) {
            self.note(at, Finding::Fork);
        } else {
            self.coverage.cross(link);
            if self.check_link(link, at) {
                self.coverage.pass(link);
            }
        }
        self.check_content(link, content);
    }

    fn check_content(&mut self, link: &Link, content: Content<'_>) {
        let at = (Some(link.seq), Some(link.entry_id));
        match content {
            Content::Missing if self.coverage.misses_entry(link.seq) => {}
            Content::Missing => self.note(at, Finding::EntryMissing),
            Content::Unreadable => self.note(at, Finding::ContentAltered),
            Content::UnknownFormat(format) => self.note(at, Finding::UnknownFormat { format }),
            Content::Record(record) => self.check_record(link, &record.view()),
            Content::Bytes { envelope, openings } => match RecordView::read(envelope, openings) {
                Ok(record) => self.check_record(link, &record),
                Err(error) => {
                    let unknown = error.unknown_format().map(|format| Finding::UnknownFormat { format });
                    self.note(at, unknown.unwrap_or(Finding::ContentAltered));
                }
            },
        }
    }

    fn check_record(&mut self, link: &Link, record: &RecordView<'_>) {
        let findings = record.findings(link);
        if let Some(kept) = self.kept.as_mut().filter(|_| findings.is_empty()) {
            kept.read(link, record);
        }
        for finding in findings {
            if !self.is_forgiven(link, record, &finding) {
                self.note((Some(link.seq), Some(link.entry_id)), finding);
            }
        }
    }

    /// Compares the end of the chain with the stored and the kept head.
    #[must_use]
    pub fn finish(mut self) -> Report {
        let end = self.last.map_or(0, |last| last.seq);
        match (self.head, self.last) {
            // The end of a part is no head: only that it was reached can be said of it.
            (Some(head), _) if self.until.is_some_and(|until| until < head.seq) => {
                if let Some(through) = self.until.filter(|until| *until > end) {
                    self.note((Some(end.saturating_add(1)), None), Finding::LinkMissing { through });
                }
            }
            (Some(head), _) if head.seq > end => {
                self.note((Some(end.saturating_add(1)), None), Finding::LinkMissing { through: head.seq });
            }
            (Some(head), Some(last)) if head.seq == last.seq && [last.stored, last.computed].contains(&head.hash) => {}
            (Some(head), None) if head == Head::genesis(self.tenant, head.chain) => {}
            (None, None) => {}
            _ => self.note((Some(end), None), Finding::HeadMismatch),
        }
        let lost = self.check_kept(end);
        Report { lost, ..self.report() }
    }

    /// Checks a link whose neighbours are not known.
    #[cfg(feature = "bundle")]
    pub(crate) fn check_alone(&mut self, link: &Link, content: Content<'_>) {
        self.checked += 1;
        let at = (Some(link.seq), Some(link.entry_id));
        if self.last.is_some_and(|last| link.seq <= last.seq) {
            self.note(at, Finding::Fork);
        }
        let computed = link.computed_hash();
        if computed != link.hash || link.seq == 0 {
            self.note(at, Finding::LinkBroken);
        } else {
            self.coverage.pass(link);
        }
        self.coverage.cross(link);
        self.last = Some(Last { seq: link.seq, stored: link.hash, computed });
        self.check_content(link, content);
    }

    /// The report, without a look at the end of the chain.
    pub(crate) fn report(mut self) -> Report {
        let settled = std::mem::take(&mut self.coverage)
            .settle(self.start.map_or(0, |(seq, _)| seq), self.until.unwrap_or(u64::MAX));
        self.note_settled(&settled);
        self.verdicts.sort_by_key(|verdict| (verdict.seq.is_none(), verdict.seq));
        Report {
            tenant: self.tenant,
            checked: self.checked,
            unsealed: 0,
            head: self.head,
            erased: settled.erased,
            purged: settled.purged,
            lost: 0,
            verdicts: self.verdicts,
            suppressed: self.suppressed,
            conclusion: self.worst,
        }
    }

    pub(crate) fn note(&mut self, (seq, entry_id): (Option<u64>, Option<Uuid>), finding: Finding) {
        self.worst = self.worst.max(finding.conclusion());
        if self.verdicts.len() < self.limit {
            self.verdicts.push(Verdict { tenant: self.tenant, seq, entry_id, finding });
        } else {
            self.suppressed += 1;
        }
    }

    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(crate) const fn suppress(&mut self, verdicts: u64) {
        self.suppressed += verdicts;
    }

    /// Where the walk is, with the hash that is stored there.
    #[cfg(feature = "postgres")]
    pub(crate) fn end(&self) -> Option<(u64, Digest)> {
        self.last.map(|last| (last.seq, last.stored))
    }

    /// The evidence, for a walk that takes it when it meets what it covers.
    #[cfg(any(feature = "postgres", feature = "bundle"))]
    pub(crate) const fn coverage(&mut self) -> &mut Coverage {
        &mut self.coverage
    }

    fn is_forgiven(&mut self, link: &Link, record: &RecordView<'_>, finding: &Finding) -> bool {
        let Finding::PersonalMissing { path } = finding else { return false };
        record.commitment(path).is_some_and(|commitment| self.coverage.misses_value(link, path, commitment))
    }

    /// Says what the evidence turned out not to cover.
    fn note_settled(&mut self, settled: &Settled) {
        for (at, finding) in &settled.late {
            self.note(*at, finding.clone());
        }
        for seq in settled.uncovered.iter().flat_map(|(from, to)| *from..=*to) {
            self.note((Some(seq), None), Finding::EntryMissing);
        }
    }

    /// Checks a link against the one before, and says whether it holds.
    fn check_link(&mut self, link: &Link, at: (Option<u64>, Option<Uuid>)) -> bool {
        let expected = self.last.map_or(1, |last| last.seq.saturating_add(1));
        let follows = match self.last {
            _ if link.seq != expected => true, // the link before is missing, which is a verdict of its own
            Some(last) => [last.stored, last.computed].contains(&link.prev),
            None => self.head.is_none_or(|head| Head::genesis(self.tenant, head.chain).hash == link.prev),
        };
        if link.seq > expected {
            self.note((Some(expected), None), Finding::LinkMissing { through: link.seq - 1 });
        }
        let computed = link.computed_hash();
        let holds = follows && computed == link.hash && link.tenant == self.tenant && link.seq != 0;
        if !holds {
            self.note(at, Finding::LinkBroken);
        }
        if let Some(finding) = self.kept.as_mut().and_then(|kept| kept.cross(link, &computed)) {
            // An altered leaf has had its own verdict.
            if self.worst != Conclusion::Tampered {
                self.note(at, finding);
            }
        }
        self.last = Some(Last { seq: link.seq, stored: link.hash, computed });
        holds
    }

    /// Compares the kept head with what was seen, and says how many entries were lost and are accounted for.
    fn check_kept(&mut self, end: u64) -> u64 {
        let Some(mut kept) = self.kept.take() else { return 0 };
        let number = kept.head.seq;
        if self.until.is_some_and(|until| until < number) && self.head.is_some_and(|head| head.seq >= number) {
            return 0;
        }
        if let Some((seq, hash)) = self.start
            && let Some(finding) = kept.begin(seq, &hash)
        {
            self.note((Some(seq), None), finding);
            return 0;
        }
        kept.settle(end, self.head).unwrap_or_else(|(at, finding)| {
            self.note(at, finding);
            0
        })
    }
}
