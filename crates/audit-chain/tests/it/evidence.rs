//! Evidence of forgetting, without a database: what it covers, and every way to forge it.

use chrono::DateTime;
use proptest::{prelude::*, sample::Index};
use serde_json::json;
use stockade_audit_chain::{
    Actor, ChainId, Content, Digest, Entry, ErasedValue, ErasureEvidence, ErasureRequest, Finding, Head, Link,
    PurgeEvidence, PurgeRequest, PurgedRange, Record, Report, RequestContext, Verifier, format::tag,
};
use uuid::Uuid;

use crate::support::{findings, tenant};

/// A log of which parts can be forgotten.
#[derive(Clone)]
struct Log {
    head: Head,
    entries: Vec<(Link, Option<Record>)>,
    erasures: Vec<ErasureEvidence>,
    purges: Vec<PurgeEvidence>,
}

impl Log {
    fn of(length: u64) -> Self {
        let head = Head::genesis(tenant(1), ChainId::random().unwrap());
        let mut log = Self { head, entries: Vec::new(), erasures: Vec::new(), purges: Vec::new() };
        for number in 0..length {
            let entry = Entry::new(tenant(1), Actor::user(number % 3).named("Ana Ruiz"), "load.update")
                .after(json!({"ssn": "219-09-9999", "rate": number}))
                .personal(&["/ssn"])
                .request(RequestContext::new().ip([203, 0, 113, 9]));
            log.append(&entry);
        }
        log
    }

    fn append(&mut self, entry: &Entry) -> Record {
        let record = entry.record_at(DateTime::from_timestamp_millis(1_767_225_600_000).unwrap()).unwrap();
        let link = self.head.append(record.entry_id(), record.leaf()).unwrap();
        self.entries.push((link, Some(record.clone())));
        record
    }

    /// Takes values away, and returns what was there.
    fn blank(&mut self, places: &[(usize, usize)]) -> Vec<ErasedValue> {
        let mut values = Vec::new();
        for &(entry, value) in places {
            let Some(record) = &mut self.entries[entry].1 else { continue };
            let mut openings = record.openings().to_vec();
            if openings.get_mut(value).is_some_and(|opening| opening.take().is_some()) {
                let commitment = commitments(record)[value];
                let path = record.personal_paths()[value].to_owned();
                values.push(ErasedValue { entry_id: record.entry_id(), path, commitment });
                *record = Record::new(record.envelope().clone(), openings).unwrap();
            }
        }
        values.sort();
        values
    }

    fn erase(&mut self, places: &[(usize, usize)]) {
        let values = self.blank(places);
        let record = self.append(&request().entry(tenant(1), &values));
        self.erasures.push(ErasureEvidence::new(record, values));
    }

    /// The range of the entries from one index to another.
    fn range(&self, from: usize, to: usize) -> PurgedRange {
        let (first, last) = (&self.entries[from].0, &self.entries[to].0);
        PurgedRange { first: first.seq, last: last.seq, before: first.prev, after: last.hash }
    }

    fn purge(&mut self, from: usize, to: usize) {
        let ranges = vec![self.range(from, to)];
        let record = self.append(&order().entry(tenant(1), DateTime::UNIX_EPOCH, &ranges));
        self.entries[from..=to].iter_mut().for_each(|(_, record)| *record = None);
        self.purges.push(PurgeEvidence::new(record, ranges));
    }

    fn verify(&self) -> Report {
        let mut verifier = Verifier::new(tenant(1), Some(self.head));
        for evidence in &self.erasures {
            verifier = verifier.erasure(evidence);
        }
        for evidence in &self.purges {
            verifier = verifier.purge(evidence);
        }
        for (link, record) in &self.entries {
            verifier.check(link, record.as_ref().map_or(Content::Missing, Content::Record));
        }
        verifier.finish()
    }
}

fn request() -> ErasureRequest {
    ErasureRequest::new(Actor::system("privacy"), "R-1", "GDPR Art. 17(1)(b)").subject("u-7")
}

fn order() -> PurgeRequest {
    PurgeRequest::new(Actor::system("retention"), "P-1")
}

/// The commitments of a record, read from its bytes.
fn commitments(record: &Record) -> Vec<Digest> {
    let mut bytes = record.envelope().field(tag::COMMITMENTS).unwrap();
    let mut digests = Vec::new();
    while !bytes.is_empty() {
        let (path, rest) = bytes[2..].split_at(usize::from(bytes[0]) << 8 | usize::from(bytes[1]));
        assert!(!path.is_empty());
        digests.push(Digest::try_from(&rest[..32]).unwrap());
        bytes = &rest[32..];
    }
    digests
}

fn missing(path: &str) -> Finding {
    Finding::PersonalMissing { path: path.to_owned() }
}

#[test]
fn what_was_erased_or_purged_with_evidence_is_counted_and_not_found() {
    let mut log = Log::of(6);
    log.erase(&[(0, 0), (0, 1), (4, 2)]);
    log.purge(1, 2);
    log.purge(0, 0);
    // The entry that erased is gone itself, and goes on to prove what it said: its link is there.
    log.erase(&[(3, 1)]);
    log.purge(3, 6);
    let report = log.verify();
    assert!(report.is_intact(), "{:?}", report.verdicts());
    // What was erased of an entry that is gone altogether is no longer a value that is missing.
    assert_eq!((report.erased(), report.purged(), report.checked()), (0, 7, 11));
}

#[test]
fn what_is_missing_without_evidence_is_found() {
    let mut log = Log::of(4);
    log.erase(&[(0, 0), (1, 0)]);
    log.purge(2, 2);
    log.blank(&[(1, 1)]);
    log.entries[3].1 = None;
    let report = log.verify();
    assert_eq!(findings(&report), [(Some(2), missing("after/ssn")), (Some(4), Finding::EntryMissing)]);
    assert_eq!((report.erased(), report.purged()), (2, 1));
    // And everything, once the evidence is gone.
    (log.erasures, log.purges) = (Vec::new(), Vec::new());
    assert_eq!(log.verify().verdicts().len(), 5);
}

/// The verdicts when evidence of an erasure of two values of the first entry is replaced.
fn with_erasure(forge: impl FnOnce(&mut Log, ErasureEvidence) -> ErasureEvidence) -> Vec<(Option<u64>, Finding)> {
    let mut log = Log::of(2);
    log.erase(&[(0, 0), (0, 1)]);
    assert!(log.verify().is_intact());
    let evidence = log.erasures.pop().unwrap();
    let forged = forge(&mut log, evidence);
    log.erasures.push(forged);
    findings(&log.verify())
}

#[test]
fn forged_evidence_of_an_erasure_covers_nothing_and_is_named() {
    let both = || [(Some(1), missing("actor/name")), (Some(1), missing("after/ssn"))];
    let mut expected = both().to_vec();
    expected.push((Some(3), Finding::ForgedErasure));
    type Forge = fn(&mut Vec<ErasedValue>);
    let lists: [Forge; 8] = [
        |values| values[0].entry_id = Uuid::from_u128(1),
        |values| values[0].path.push('x'),
        |values| values[0].commitment = Digest::leaf(b"x"),
        |values| drop(values.pop()),
        |values| values.clear(),
        |values| values.push(values[1].clone()),
        |values| values.reverse(),
        |values| values.push(ErasedValue { path: "request/ip".to_owned(), ..values[1].clone() }),
    ];
    for (number, forge) in lists.into_iter().enumerate() {
        let found = with_erasure(|_, evidence| {
            let mut values = evidence.values().to_vec();
            forge(&mut values);
            ErasureEvidence::new(evidence.record().clone(), values)
        });
        assert_eq!(found, expected, "list {number}");
    }

    // Another entry of the log that states something else, or the same under another action.
    let found = with_erasure(|log, evidence| {
        let other = log.entries[1].1.clone().unwrap();
        ErasureEvidence::new(other, evidence.values().to_vec())
    });
    assert_eq!(found, [both().to_vec(), vec![(Some(2), Finding::ForgedErasure)]].concat());
    let found = with_erasure(|log, evidence| {
        let entry = PurgeRequest::new(Actor::system("x"), "x").entry(tenant(1), DateTime::UNIX_EPOCH, &[]);
        ErasureEvidence::new(log.append(&entry), evidence.values().to_vec())
    });
    assert_eq!(found, [both().to_vec(), vec![(Some(4), Finding::ForgedErasure)]].concat());

    // The right statement in an entry that is no link of the chain, or is altered, or another tenant's.
    let unplaced = |found: Vec<_>| assert_eq!(found, [both().to_vec(), vec![(None, Finding::ForgedErasure)]].concat());
    let again = |owner, values: &[ErasedValue]| request().entry(owner, values).record_at(DateTime::UNIX_EPOCH).unwrap();
    unplaced(with_erasure(|_, evidence| {
        ErasureEvidence::new(again(tenant(1), evidence.values()), evidence.values().to_vec())
    }));
    unplaced(with_erasure(|_, evidence| {
        ErasureEvidence::new(again(tenant(2), evidence.values()), evidence.values().to_vec())
    }));
    let found = with_erasure(|log, evidence| {
        log.entries[2].0.leaf = Digest::leaf(b"x");
        evidence
    });
    assert_eq!(found.iter().filter(|(_, finding)| *finding == Finding::ForgedErasure).count(), 1);
    assert_eq!(found.iter().filter(|(seq, _)| *seq == Some(1)).count(), 2);
}

#[test]
fn forged_evidence_does_not_take_away_what_right_evidence_covers() {
    let mut log = Log::of(3);
    log.erase(&[(0, 0)]);
    log.purge(1, 1);
    let forged = request().entry(tenant(1), log.erasures[0].values()).record_at(DateTime::UNIX_EPOCH).unwrap();
    log.erasures.insert(0, ErasureEvidence::new(forged, log.erasures[0].values().to_vec()));
    let ranges = vec![PurgedRange { after: Digest::leaf(b"x"), ..log.range(0, 2) }];
    let forged = order().entry(tenant(1), DateTime::UNIX_EPOCH, &ranges).record_at(DateTime::UNIX_EPOCH).unwrap();
    log.purges.insert(0, PurgeEvidence::new(forged, ranges));
    let report = log.verify();
    assert_eq!(findings(&report), [(None, Finding::ForgedErasure), (None, Finding::ForgedPurge)]);
    assert_eq!((report.erased(), report.purged()), (1, 1));
}

#[test]
fn forged_evidence_of_a_purge_covers_nothing_and_is_named() {
    type Forge = fn(&mut PurgedRange);
    let forgeries: [Forge; 6] = [
        |range| range.first += 1,
        |range| range.first -= 1,
        |range| range.last += 1,
        |range| range.before = Digest::leaf(b"x"),
        |range| range.after = Digest::leaf(b"x"),
        |range| std::mem::swap(&mut range.first, &mut range.last),
    ];
    for (number, forge) in forgeries.into_iter().enumerate() {
        // In the list alone, and in the list and the entry both, as a superuser with the purger's role could.
        for stated in [false, true] {
            let mut log = Log::of(5);
            let mut range = log.range(1, 2);
            let honest = log.append(&order().entry(tenant(1), DateTime::UNIX_EPOCH, &[range]));
            log.entries[1].1 = None;
            log.entries[2].1 = None;
            forge(&mut range);
            let record =
                if stated { log.append(&order().entry(tenant(1), DateTime::UNIX_EPOCH, &[range])) } else { honest };
            log.purges.push(PurgeEvidence::new(record, vec![range]));
            let found = findings(&log.verify());
            let expected = [
                (Some(2), Finding::EntryMissing),
                (Some(3), Finding::EntryMissing),
                (Some(6 + u64::from(stated)), Finding::ForgedPurge),
            ];
            assert_eq!(found, expected, "forgery {number}, stated: {stated}");
        }
    }
}

#[test]
fn a_purge_covers_neither_itself_nor_what_came_later() {
    let mut log = Log::of(3);
    // Only whoever makes the whole chain anew can know the hash of a link that is not there yet.
    let ranges = vec![log.range(1, 2)];
    let record = log.append(&order().entry(tenant(1), DateTime::UNIX_EPOCH, &ranges));
    let evidence = PurgeEvidence::new(record, ranges);
    let moved: Vec<_> = [0, 3, 1, 2].map(|place: usize| log.entries[place].1.clone().unwrap()).into();
    let (mut head, mut verifier) = (Head::genesis(tenant(1), log.head.chain), None);
    let links: Vec<_> = moved.iter().map(|record| head.append(record.entry_id(), record.leaf()).unwrap()).collect();
    for (link, record) in links.iter().zip(&moved) {
        let verifier = verifier.get_or_insert_with(|| Verifier::new(tenant(1), Some(head)).purge(&evidence));
        verifier.check(link, if link.seq > 2 { Content::Missing } else { Content::Record(record) });
    }
    let report = verifier.unwrap().finish();
    assert_eq!(report.verdicts()[0].finding, Finding::ForgedPurge);
    assert_eq!(report.purged(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Erasures and purges in any order leave a log that verifies, restored rows included; one flipped bit of the evidence's
    /// entry, one entry or one value more, and it does not.
    #[test]
    fn forgetting_in_any_order_verifies_and_hides_nothing(
        steps in prop::collection::vec((0..3_u8, any::<Index>(), any::<Index>(), 0..3_usize), 1..8),
        victim in any::<Index>(),
        flip in any::<Index>(),
    ) {
        let mut log = Log::of(5);
        let whole = log.entries.clone();
        for (kind, one, other, value) in steps {
            let (one, other) = (one.index(log.entries.len()), other.index(log.entries.len()));
            match kind {
                0 => log.erase(&[(one, value), (other, value), (other, 0)]),
                1 => log.purge(one.min(other), one.max(other)),
                _ => if let Some(before) = whole.get(one) { log.entries[one] = before.clone() },
            }
            prop_assert!(log.verify().is_intact(), "{:?}", log.verify().verdicts());
        }

        let present: Vec<_> = (0..log.entries.len()).filter(|at| log.entries[*at].1.is_some()).collect();
        let victim = present[victim.index(present.len())];
        let mut hidden = log.clone();
        hidden.entries[victim].1 = None;
        let covered = log.purges.iter().flat_map(PurgeEvidence::ranges).any(|range| {
            (range.first..=range.last).contains(&log.entries[victim].0.seq)
        });
        prop_assert_eq!(hidden.verify().is_intact(), covered);

        let mut forged = log.clone();
        if let Some(evidence) = forged.erasures.pop() {
            let mut bytes = evidence.record().envelope().encode().to_vec();
            let bit = flip.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(record) = stockade_audit_chain::Envelope::decode(&bytes)
                .and_then(|envelope| Record::new(envelope, Vec::new()))
            {
                forged.erasures.push(ErasureEvidence::new(record, evidence.values().to_vec()));
                prop_assert!(forged.verify().verdicts().iter().any(|verdict| verdict.finding == Finding::ForgedErasure));
            }
        }
    }
}
