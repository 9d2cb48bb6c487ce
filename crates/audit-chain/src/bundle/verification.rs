//! Verifying a bundle.

use std::{io::BufRead, mem};

use uuid::Uuid;

use super::{
    BundleCheckpoint, BundleHeader, BundleReport,
    checkpoint::is_included,
    forgetting::{Evidence, Forgotten},
    line::{Absence, Line},
    reader::Reader,
};
use crate::{
    ConsistencyProof, Content, Digest, Error, Finding, Frontier, Head, Link, SignedCheckpoint, TenantHead, Verifier,
    VerifierKey,
};

/// Verifies bundles, against what the verifier kept or trusts. Needs no database and no network, and memory for one line.
#[derive(Clone, Debug, Default)]
pub struct BundleVerifier {
    kept: Vec<Head>,
    keys: Vec<VerifierKey>,
}

impl BundleVerifier {
    /// A verifier that trusts nothing yet: no bundle is more than [`Unverifiable`](crate::Conclusion::Unverifiable) to it,
    /// because whoever made the file can have made all of it up.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts a head that was kept outside the file, such as that of an earlier report. It vouches for every entry up to
    /// it.
    #[must_use]
    pub fn kept_head(mut self, head: Head) -> Self {
        self.kept.push(head);
        self
    }

    /// Trusts checkpoints that this key signed.
    #[must_use]
    pub fn key(mut self, key: VerifierKey) -> Self {
        self.keys.push(key);
        self
    }

    /// Reads a bundle to its end and says what it is worth.
    ///
    /// # Errors
    /// [`Malformed`](crate::ErrorKind::Malformed) if a line is not what a writer would have written, the end is missing or
    /// something follows it, with the number of the line; [`UnknownFormat`](crate::ErrorKind::UnknownFormat) for a version
    /// of the bundle that this crate does not know; and [`Io`](crate::ErrorKind::Io) if it cannot be read. What is wrong
    /// with the log is not an error but a verdict.
    pub fn verify(&self, input: impl BufRead) -> Result<BundleReport, Error> {
        let mut reader = Reader::new(input);
        let header = reader.header()?;
        let mut walk = Walk::new(&header, &self.kept);
        let mut line = reader.next(header.head())?;
        if let Line::Checkpoint(checkpoint) = line {
            walk.trust(*checkpoint, &self.keys);
            line = reader.next(header.head())?;
        }
        let start = header.start();
        walk.meet(start.seq, start.hash);
        let mut entries = 0_u64;
        let footer = loop {
            match line {
                Line::Forgotten(forgotten) => walk.forget(&forgotten),
                Line::Checkpoint(_) => return Err(reader.problem("is not in its place")),
                Line::Entry(link, record, proof) => {
                    entries += 1;
                    walk.check(&link, Content::Record(&record), proof.as_deref());
                }
                Line::Absent(link, absence) => {
                    entries += 1;
                    walk.check(&link, absence.content(), None);
                }
                Line::Footer(footer) => break footer,
            }
            line = reader.next(header.head())?;
        };
        reader.end()?;
        if footer.entries != entries || footer.sha256 != reader.digest() {
            walk.verifier.note((None, None), Finding::FileAltered);
        }
        Ok(walk.finish())
    }
}

impl Absence {
    const fn content(self) -> Content<'static> {
        match self {
            Self::Missing => Content::Missing,
            Self::Unreadable => Content::Unreadable,
            Self::Unknown(format) => Content::UnknownFormat(format),
        }
    }
}

/// The state of a verification on its way through the entries.
struct Walk<'a> {
    verifier: Verifier,
    header: &'a BundleHeader,
    kept: Vec<Head>,
    /// The head that a signed checkpoint commits to.
    signed: Option<TenantHead>,
    /// The tree up to here, where a proof at its end needs it.
    tree: Option<(Frontier, ConsistencyProof)>,
    /// The entries of the evidence so far.
    evidence: Vec<(Uuid, Digest)>,
    vouched: Option<u64>,
}

impl<'a> Walk<'a> {
    fn new(header: &'a BundleHeader, kept: &[Head]) -> Self {
        let (start, verifier) = (header.start(), Verifier::new(header.head().tenant, Some(*header.head())));
        let verifier = if start.seq == 0 { verifier } else { verifier.after(start.seq, start.hash) };
        let verifier = verifier.until(header.head().seq);
        let kept = kept.to_vec();
        Self { verifier, header, kept, signed: None, tree: None, evidence: Vec::new(), vouched: None }
    }

    /// Takes the bundle's checkpoint for what it is worth to these keys.
    fn trust(&mut self, checkpoint: BundleCheckpoint, keys: &[VerifierKey]) {
        let Some(signed) = keys.iter().find_map(|key| SignedCheckpoint::open(&checkpoint.note, key)) else { return };
        match checkpoint.proof.verify(&signed) {
            Some(proven) => {
                self.kept.push(proven.head().head);
                self.signed = Some(*proven.head());
                self.tree = checkpoint.extension.map(|proof| (self.header.frontier(), proof));
            }
            None => self.verifier.note((Some(checkpoint.proof.head().head.seq), None), Finding::NotIncluded),
        }
    }

    fn check(&mut self, link: &Link, content: Content<'_>, proof: Option<&[Digest]>) {
        if self.header.filter().is_some() {
            self.verifier.check_alone(link, content);
            let excluded = |head| !is_included(head, link.seq, proof.unwrap_or_default(), &link.leaf);
            if self.signed.as_ref().is_some_and(excluded) {
                self.verifier.note((Some(link.seq), Some(link.entry_id)), Finding::NotIncluded);
            }
            return;
        }
        self.verifier.check(link, content);
        self.meet(link.seq, link.hash);
        if let Some((tree, _)) = self.tree.as_mut().filter(|(tree, _)| tree.size().checked_add(1) == Some(link.seq)) {
            // A tree is full after 2^63 leaves, and no link has a number beyond.
            let _ = tree.push(link.leaf);
        }
    }

    /// Takes evidence of forgetting, for the entries that follow.
    fn forget(&mut self, Forgotten { evidence, place }: &Forgotten) {
        let (tenant, record) = (self.header.head().tenant, evidence.record());
        match evidence {
            Evidence::Erasure(evidence) => self.verifier.coverage().erasure(tenant, evidence),
            Evidence::Purge(evidence) => self.verifier.coverage().purge(tenant, evidence),
        }
        self.evidence.push((record.entry_id(), record.leaf()));
        if let (Some((seq, path)), Some(signed)) = (place, &self.signed) {
            if is_included(signed, *seq, path, &record.leaf()) {
                self.verifier.coverage().await_seal(record.entry_id(), record.leaf());
            } else {
                self.verifier.note((Some(*seq), Some(record.entry_id())), Finding::NotIncluded);
            }
        }
    }

    /// Evidence whose entry is nowhere contradicts nothing, and nothing vouches for it.
    fn name_unmet_evidence(&mut self) {
        let unmet: Vec<_> = self.verifier.coverage().unmet().collect();
        for (entry_id, leaf) in mem::take(&mut self.evidence) {
            if unmet.contains(&entry_id) {
                self.verifier.note((None, Some(entry_id)), Finding::EvidenceMissing);
                self.verifier.coverage().await_seal(entry_id, leaf);
            }
        }
    }

    /// Compares a link with what was kept.
    fn meet(&mut self, seq: u64, hash: Digest) {
        let head = Head { seq, hash, ..*self.header.head() };
        for kept in self.kept.iter().filter(|kept| kept.tenant == head.tenant && kept.seq == seq) {
            if *kept == head {
                self.vouched = self.vouched.max(Some(seq));
            } else {
                self.verifier.note((Some(seq), None), Finding::HistoryReplaced);
            }
        }
    }

    fn finish(mut self) -> BundleReport {
        let (header, head) = (self.header, *self.header.head());
        self.name_unmet_evidence();
        if header.filter().is_some() {
            // Each entry has been proven by itself, so what vouches for the head vouches for all of them.
            self.meet(head.seq, head.hash);
            let signed = self.signed.map(|signed| signed.head);
            self.vouched = self.vouched.filter(|_| signed == Some(head));
            return BundleReport { vouched: self.vouched, report: self.verifier.report(), header: header.clone() };
        }
        if let (Some((tree, proof)), Some(signed)) = (&self.tree, self.signed) {
            if tree.size() == head.seq && proof.verify(&tree.root(), &signed.root) {
                self.vouched = self.vouched.max(Some(head.seq));
            } else {
                self.verifier.note((Some(head.seq), None), Finding::NotIncluded);
            }
        }
        BundleReport { vouched: self.vouched, report: self.verifier.finish(), header: header.clone() }
    }
}
