//! A log in memory, and what can be made of it.

use chrono::DateTime;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use stockade_audit_chain::{
    Actor, BundleCheckpoint, BundleHeader, BundleReport, BundleVerifier, BundleWriter, ChainId, ConsistencyProof,
    Content, Digest, Entry, ErasedValue, ErasureEvidence, ErasureRequest, Error, Frontier, Head, InclusionProof, Link,
    LocalSigner, Node, Publication, PurgeEvidence, PurgeRequest, PurgedRange, Record, RequestContext, Signer, Snapshot,
    TenantHead, TenantId, VerifierKey, format::tag,
};
use uuid::Uuid;

pub(crate) struct Log {
    pub(crate) head: Head,
    pub(crate) entries: Vec<(Link, Record)>,
}

pub(crate) fn tenant() -> TenantId {
    Uuid::from_u128(7).into()
}

impl Log {
    pub(crate) fn of(entries: u64) -> Self {
        let mut log = Self { head: Head::genesis(tenant(), ChainId::random().unwrap()), entries: Vec::new() };
        for number in 1..=entries {
            let request =
                RequestContext::new().ip(std::net::IpAddr::from([203, 0, 113, 9])).user_agent("curl/8.5 \"é\"");
            let entry = Entry::new(tenant(), Actor::user("u-1").named("Ana Ruiz"), "load.update")
                .entity("load", number)
                .before(json!({"rate": 1.5, "ssn": "078-05-1120"}))
                .after(json!({"rate": -0.0, "ssn": "219-09-9999", "note": "a\u{1}\n\u{7f}\u{2028}"}))
                .personal(&["/ssn"])
                .request(request.endpoint("POST", "/loads/{id}").status(303));
            log.append(&entry);
        }
        log
    }

    pub(crate) fn append(&mut self, entry: &Entry) -> Record {
        let record = entry.record_at(DateTime::from_timestamp_millis(1_767_225_600_123).unwrap()).unwrap();
        self.entries.push((self.head.append(record.entry_id(), record.leaf()).unwrap(), record.clone()));
        record
    }

    /// Records that the personal values of an entry were erased: what is left of it, and the evidence.
    pub(crate) fn erase(&mut self, seq: usize) -> (Record, ErasureEvidence) {
        let record = self.entries[seq - 1].1.clone();
        let paths = record.personal_paths().into_iter().zip(record.openings());
        let values: Vec<_> = paths
            .map(|(path, opening)| {
                let tag = match path {
                    "actor/name" => tag::ACTOR_NAME,
                    "request/ip" => tag::IP,
                    "request/user_agent" => tag::USER_AGENT,
                    _ if path.starts_with("before") => tag::BEFORE,
                    _ => tag::AFTER,
                };
                let commitment = opening.as_ref().unwrap().commitment(tag);
                ErasedValue { entry_id: record.entry_id(), path: path.to_owned(), commitment }
            })
            .collect();
        let request = ErasureRequest::new(Actor::user("dpo"), "r-1", "GDPR Art. 17(1)(b)");
        let stated = self.append(&request.entry(tenant(), &values));
        let left = Record::new(record.envelope().clone(), vec![None; record.openings().len()]).unwrap();
        (left, ErasureEvidence::new(stated, values))
    }

    /// Records that entries were purged: the evidence.
    pub(crate) fn purge(&mut self, first: u64, last: u64) -> PurgeEvidence {
        self.state_purge(vec![self.purged(first, last)])
    }

    pub(crate) fn purged(&self, first: u64, last: u64) -> PurgedRange {
        let link = |seq: u64| self.entries[usize::try_from(seq).unwrap() - 1].0;
        PurgedRange { first, last, before: link(first).prev, after: link(last).hash }
    }

    /// Records that these ranges were purged, true or not.
    pub(crate) fn state_purge(&mut self, ranges: Vec<PurgedRange>) -> PurgeEvidence {
        let request = PurgeRequest::new(Actor::system("retention"), "r-2");
        PurgeEvidence::new(self.append(&request.entry(tenant(), DateTime::UNIX_EPOCH, &ranges)), ranges)
    }

    /// The head as it was after this many entries.
    pub(crate) fn head_at(&self, seq: usize) -> Head {
        match seq.checked_sub(1) {
            None => Head::genesis(tenant(), self.head.chain),
            Some(index) => Head { seq: seq as u64, hash: self.entries[index].0.hash, ..self.head },
        }
    }

    pub(crate) fn frontier(&self, leaves: usize) -> Frontier {
        let mut frontier = Frontier::new();
        for (link, _) in &self.entries[..leaves] {
            frontier.push(link.leaf).unwrap();
        }
        frontier
    }

    pub(crate) fn node(&self, node: Node) -> Result<Digest, Error> {
        let first = usize::try_from(node.index).unwrap() << node.level;
        let mut frontier = Frontier::new();
        for (link, _) in &self.entries[first..first + (1 << node.level)] {
            frontier.push(link.leaf)?;
        }
        Ok(frontier.root())
    }

    pub(crate) fn whole(&self) -> BundleHeader {
        BundleHeader::new(self.head, DateTime::UNIX_EPOCH)
    }

    /// The header of the entries after `start` up to `end`.
    pub(crate) fn range(&self, start: usize, end: usize) -> BundleHeader {
        let header = BundleHeader::new(self.head_at(end), DateTime::UNIX_EPOCH);
        if start == 0 { header } else { header.after(self.head_at(start).hash, self.frontier(start)) }
    }

    /// A checkpoint over this log as it was after `seq` entries, among other tenants and after other checkpoints.
    pub(crate) async fn checkpoint(&self, seq: usize) -> BundleCheckpoint {
        let own = TenantHead { head: self.head_at(seq), root: self.frontier(seq).root() };
        let other = |number| {
            let head = Head::genesis(Uuid::from_u128(number).into(), ChainId::random().unwrap());
            TenantHead { head, root: Frontier::new().root() }
        };
        let first = Publication::sign(None, Snapshot::new([own]).unwrap(), &signer()).await.unwrap();
        let heads = Snapshot::new([own, other(1), other(9)]).unwrap();
        let publication = Publication::sign(Some(&first), heads, &signer()).await.unwrap();
        BundleCheckpoint::new(publication.note().clone(), publication.prove_head(tenant()).unwrap().unwrap())
    }

    pub(crate) fn extension(&self, old: usize, new: usize) -> ConsistencyProof {
        ConsistencyProof::new(old as u64, new as u64, |node| self.node(node)).unwrap()
    }

    pub(crate) fn inclusion(&self, seq: u64, size: usize) -> InclusionProof {
        InclusionProof::new(seq - 1, size as u64, |node| self.node(node)).unwrap()
    }

    pub(crate) fn bundle(&self, header: &BundleHeader, checkpoint: Option<&BundleCheckpoint>) -> Vec<u8> {
        let mut bundle = BundleWriter::new(Vec::new(), header).unwrap();
        if let Some(checkpoint) = checkpoint {
            bundle.checkpoint(checkpoint).unwrap();
        }
        for (link, record) in &self.entries {
            if (header.first()..=header.head().seq).contains(&link.seq) {
                bundle.entry(link, Content::Record(record), None).unwrap();
            }
        }
        bundle.finish().unwrap()
    }
}

pub(crate) fn signer() -> LocalSigner {
    LocalSigner::from_seed("example.com/audit", &[7; 32]).unwrap()
}

pub(crate) fn key() -> VerifierKey {
    signer().key().clone()
}

pub(crate) fn verify(bundle: &[u8]) -> Result<BundleReport, Error> {
    BundleVerifier::new().key(key()).verify(bundle)
}

/// The bundle with a footer that is right again: what a forger does last.
pub(crate) fn with_footer(lines: &[String]) -> Vec<u8> {
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let entries =
        lines.iter().filter(|line| line.contains("\"type\":\"entry\"") || line.contains("\"type\":\"absent\""));
    let sha256 = hex::encode(Sha256::digest(&body));
    format!("{body}{{\"entries\":{},\"sha256\":\"{sha256}\",\"type\":\"footer\"}}\n", entries.count()).into_bytes()
}

/// The lines before the footer.
pub(crate) fn body(bundle: &[u8]) -> Vec<String> {
    let mut lines: Vec<String> = std::str::from_utf8(bundle).unwrap().lines().map(str::to_owned).collect();
    lines.pop();
    lines
}
