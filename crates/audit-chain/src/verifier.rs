//! Walks a chain and says what does not follow.

use std::num::NonZeroUsize;

use uuid::Uuid;

use crate::{Conclusion, Digest, Finding, Head, Link, Record, Report, TenantId, Verdict};

/// Verifies one tenant's chain, link by link, in constant memory apart from what it finds.
///
/// Needs no database: give it the stored head, then every link in ascending order with what is
/// stored for it, then ask for the report. After a bad link it goes on from what is stored, so one
/// altered row gives one verdict and not a thousand.
#[derive(Debug)]
pub struct Verifier {
    tenant: TenantId,
    head: Option<Head>,
    kept: Option<Head>,
    kept_seen: bool,
    last: Option<Last>,
    checked: u64,
    verdicts: Vec<Verdict>,
    suppressed: u64,
    worst: Conclusion,
    limit: usize,
}

/// What is stored for a link's entry.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// The entry.
    Record(&'a Record),
    /// An entry of a format that the reader does not know.
    UnknownFormat(u16),
    /// Something that is no entry.
    Unreadable,
    /// Nothing.
    Missing,
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
    pub const fn new(tenant: TenantId, head: Option<Head>) -> Self {
        Self {
            tenant,
            head,
            kept: None,
            kept_seen: false,
            last: None,
            checked: 0,
            verdicts: Vec::new(),
            suppressed: 0,
            worst: Conclusion::Intact,
            limit: 1_000,
        }
    }

    /// Demands that a head which was kept elsewhere, such as that of an earlier report, is part of
    /// this chain.
    #[must_use]
    pub const fn kept_head(mut self, kept: Head) -> Self {
        self.kept = Some(kept);
        self
    }

    /// How many verdicts to keep; more are only counted. 1000 by default.
    #[must_use]
    pub const fn limit(mut self, limit: NonZeroUsize) -> Self {
        self.limit = limit.get();
        self
    }

    /// Checks the next link and what is stored for it. Links come in ascending order.
    pub fn check(&mut self, link: &Link, content: Content<'_>) {
        self.checked += 1;
        let at = (Some(link.seq), Some(link.entry_id));
        if self.last.is_some_and(|last| link.seq <= last.seq) {
            self.note(at, Finding::Fork);
        } else {
            self.check_link(link, at);
        }
        match content {
            Content::Missing => self.note(at, Finding::EntryMissing),
            Content::Unreadable => self.note(at, Finding::ContentAltered),
            Content::UnknownFormat(format) => self.note(at, Finding::UnknownFormat { format }),
            Content::Record(record) => {
                for finding in record.findings(link) {
                    self.note(at, finding);
                }
            }
        }
    }

    /// Compares the end of the chain with the stored and the kept head.
    #[must_use]
    pub fn finish(mut self) -> Report {
        let end = self.last.map_or(0, |last| last.seq);
        match (self.head, self.last) {
            (Some(head), _) if head.seq > end => {
                self.note((Some(end.saturating_add(1)), None), Finding::LinkMissing { through: head.seq });
            }
            (Some(head), Some(last)) if head.seq == last.seq && [last.stored, last.computed].contains(&head.hash) => {}
            (Some(head), None) if head == Head::genesis(self.tenant, head.chain) => {}
            (None, None) => {}
            _ => self.note((Some(end), None), Finding::HeadMismatch),
        }
        self.check_kept(end);
        Report {
            tenant: self.tenant,
            checked: self.checked,
            unsealed: 0,
            head: self.head,
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

    #[cfg(feature = "postgres")]
    pub(crate) const fn suppress(&mut self, verdicts: u64) {
        self.suppressed += verdicts;
    }

    fn check_link(&mut self, link: &Link, at: (Option<u64>, Option<Uuid>)) {
        let expected = self.last.map_or(1, |last| last.seq.saturating_add(1));
        let genesis = self.head.map(|head| Head::genesis(self.tenant, head.chain).hash);
        let follows = match self.last {
            _ if link.seq != expected => true, // the link before is missing, which is a verdict of its own
            Some(last) => [last.stored, last.computed].contains(&link.prev),
            None => genesis.is_none_or(|genesis| genesis == link.prev),
        };
        if link.seq > expected {
            self.note((Some(expected), None), Finding::LinkMissing { through: link.seq - 1 });
        }
        let computed = link.computed_hash();
        if !follows || computed != link.hash || link.tenant != self.tenant || link.seq == 0 {
            self.note(at, Finding::LinkBroken);
        }
        if let Some(kept) = self.kept.filter(|kept| kept.seq == link.seq) {
            self.kept_seen = true;
            if kept.hash != link.hash || computed != link.hash {
                self.note(at, Finding::HistoryReplaced);
            }
        }
        self.last = Some(Last { seq: link.seq, stored: link.hash, computed });
    }

    fn check_kept(&mut self, end: u64) {
        let Some(kept) = self.kept else { return };
        let same_chain = self.head.is_some_and(|head| head.chain == kept.chain) && kept.tenant == self.tenant;
        if kept.seq > end {
            self.note((Some(end), None), Finding::Truncated { kept: kept.seq });
        } else if !same_chain || (kept.seq > 0 && !self.kept_seen) {
            self.note((Some(kept.seq), None), Finding::HistoryReplaced);
        }
    }
}
