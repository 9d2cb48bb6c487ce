//! The format and the verifier, without a database.

use chrono::DateTime;
use proptest::{prelude::*, sample::Index};
use serde_json::json;
use stockade_audit_chain::{
    Actor, ChainId, Conclusion, Content, Digest, Entry, Envelope, ErrorKind, Finding, Head, Link, Opening, Record,
    Report, RequestContext, Salt, TenantId, Verifier, format::tag,
};
use uuid::Uuid;

use crate::support::tenant;

struct Log {
    head: Head,
    entries: Vec<(Link, Record)>,
}

fn log(tenant: TenantId, length: u64) -> Log {
    let mut head = Head::genesis(tenant, ChainId::random().unwrap());
    let entries = (0..length).map(|number| {
        let entry = Entry::new(tenant, Actor::user(number).named("Ana Ruiz"), "load.update")
            .entity("load", number)
            .before(json!({"ssn": "078-05-1120", "rate": number}))
            .after(json!({"ssn": "219-09-9999", "rate": 7}))
            .personal(&["/ssn"])
            .request(RequestContext::new().ip([203, 0, 113, 9]).user_agent("curl/8.5").status(200));
        let record = entry.record_at(DateTime::from_timestamp_millis(1_767_225_600_000).unwrap()).unwrap();
        (head.append(record.entry_id(), record.leaf()).unwrap(), record)
    });
    let entries = entries.collect();
    Log { head, entries }
}

fn verify<'a>(head: Head, entries: impl IntoIterator<Item = (&'a Link, Content<'a>)>) -> Report {
    let mut verifier = Verifier::new(head.tenant, Some(head));
    entries.into_iter().for_each(|(link, content)| verifier.check(link, content));
    verifier.finish()
}

impl Log {
    fn verify(&self) -> Report {
        verify(self.head, self.entries.iter().map(|(link, record)| (link, Content::Record(record))))
    }

    /// Verifies with other content in the second place.
    fn verify_with(&self, content: Content<'_>) -> Report {
        let entries = self.entries.iter().enumerate();
        verify(
            self.head,
            entries.map(|(index, (link, record))| (link, if index == 1 { content } else { Content::Record(record) })),
        )
    }
}

/// Every value that differs from these bytes in one bit.
fn flips(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

fn digests(digest: Digest) -> impl Iterator<Item = Digest> {
    flips(digest.as_bytes()).map(|bytes| Digest::try_from(bytes.as_slice()).unwrap()).collect::<Vec<_>>().into_iter()
}

fn places(report: &Report) -> Vec<u64> {
    assert_ne!(report.conclusion(), Conclusion::Intact);
    let mut places: Vec<_> = report.verdicts().iter().map(|verdict| verdict.seq.unwrap()).collect();
    places.dedup();
    places
}

#[test]
fn any_flipped_bit_is_found() {
    let log = log(tenant(1), 3);
    assert!(log.verify().is_intact());
    let (link, record) = &log.entries[1];
    for bytes in flips(record.envelope().encode()) {
        let flipped = Envelope::decode(&bytes).and_then(|envelope| Record::new(envelope, record.openings().to_vec()));
        let report = match &flipped {
            Ok(record) => log.verify_with(Content::Record(record)),
            Err(error) if error.kind() == ErrorKind::UnknownFormat => {
                log.verify_with(Content::UnknownFormat(u16::from_be_bytes([bytes[21], bytes[22]])))
            }
            Err(_) => log.verify_with(Content::Unreadable),
        };
        assert_eq!(places(&report), [2]);
        let stored = Content::Bytes { envelope: &bytes, openings: record.openings() };
        assert_eq!(
            log.verify_with(stored),
            report,
            "the bytes as they are stored are judged as the entry read from them"
        );
    }
    let paths = record.personal_paths();
    for (index, opening) in record.openings().iter().enumerate() {
        let Opening { value, salt } = opening.clone().unwrap();
        let values = flips(&value).map(|value| Opening { value, salt });
        let salts = flips(salt.as_bytes())
            .map(|salt| Opening { value: value.clone(), salt: Salt::from(<[u8; 32]>::try_from(salt).unwrap()) });
        for flipped in values.chain(salts) {
            let mut openings = record.openings().to_vec();
            openings[index] = Some(flipped);
            let altered = Record::new(record.envelope().clone(), openings.clone()).unwrap();
            let report = log.verify_with(Content::Record(&altered));
            assert_eq!(report.verdicts().len(), 1);
            assert_eq!(report.verdicts()[0].finding, Finding::PersonalAltered { path: paths[index].to_owned() });
            assert_eq!(places(&report), [2]);
            let stored = Content::Bytes { envelope: record.envelope().encode(), openings: &openings };
            assert_eq!(log.verify_with(stored), report);
        }
    }
    let entry_ids =
        flips(link.entry_id.as_bytes()).map(|id| Link { entry_id: Uuid::from_slice(&id).unwrap(), ..*link });
    let digests = (digests(link.prev).map(|prev| Link { prev, ..*link }))
        .chain(digests(link.leaf).map(|leaf| Link { leaf, ..*link }))
        .chain(digests(link.hash).map(|hash| Link { hash, ..*link }));
    for flipped in digests.chain(entry_ids) {
        let mut links: Vec<_> = log.entries.iter().map(|(link, record)| (link, Content::Record(record))).collect();
        links[1].0 = &flipped;
        assert_eq!(places(&verify(log.head, links)), [2]);
    }
    for bit in 0..64 {
        let flipped = Link { seq: link.seq ^ 1 << bit, ..*link };
        let mut links: Vec<_> = log.entries.iter().map(|(link, record)| (link, Content::Record(record))).collect();
        links[1].0 = &flipped;
        assert_eq!(verify(log.head, links).conclusion(), Conclusion::Tampered);
    }
    for hash in self::digests(log.head.hash) {
        let log = Log { head: Head { hash, ..log.head }, entries: log.entries.clone() };
        assert_eq!(places(&log.verify()), [3]);
    }
}

#[test]
fn an_entry_forged_with_its_own_hashes_is_found_at_the_next_link() {
    let log = log(tenant(1), 4);
    for place in 0..4 {
        // The forger writes another entry, its leaf and its link, and leaves the later links alone.
        let mut entries = log.entries.clone();
        let at = Link { hash: entries[place].0.prev, ..entries[place].0 };
        let mut head = Head { seq: at.seq - 1, hash: at.hash, ..log.head };
        let forged = Entry::new(tenant(1), Actor::user(9), "load.create").record_at(DateTime::UNIX_EPOCH).unwrap();
        entries[place] = (head.append(forged.entry_id(), forged.leaf()).unwrap(), forged);
        let report = Log { head: log.head, entries }.verify();
        let (seq, finding) = if place < 3 { (at.seq + 1, Finding::LinkBroken) } else { (4, Finding::HeadMismatch) };
        assert_eq!(report.verdicts().len(), 1);
        assert_eq!((report.verdicts()[0].seq, &report.verdicts()[0].finding), (Some(seq), &finding));
    }
}

#[test]
fn a_replay_into_another_tenant_is_found() {
    let (own, other) = (log(tenant(1), 1), log(tenant(2), 1));
    let (_, stolen) = &other.entries[0];
    // The forger computes every hash anew, which a superuser can.
    let mut head = own.head;
    let link = head.append(stolen.entry_id(), stolen.leaf()).unwrap();
    let report =
        verify(head, [(&own.entries[0].0, Content::Record(&own.entries[0].1)), (&link, Content::Record(stolen))]);
    assert_eq!(report.verdicts()[0].finding, Finding::ForeignEntry);
    // Or takes the link as it is.
    let report = verify(own.head, [(&other.entries[0].0, Content::Record(stolen))]);
    assert_eq!(report.verdicts()[0].finding, Finding::LinkBroken);
}

#[test]
fn a_history_written_anew_contradicts_a_kept_head() {
    let (old, new) = (log(tenant(1), 3), log(tenant(1), 5));
    let with = |kept| {
        let mut verifier = Verifier::new(tenant(1), Some(new.head)).kept_head(kept);
        for (link, record) in &new.entries {
            verifier.check(link, Content::Record(record));
        }
        verifier.finish()
    };
    assert!(new.verify().is_intact());
    assert!(with(new.head).is_intact());
    assert!(with(Head::genesis(tenant(1), new.head.chain)).is_intact());
    for kept in [old.head, Head::genesis(tenant(1), old.head.chain), Head { seq: 2, ..new.head }] {
        assert_eq!(with(kept).conclusion(), Conclusion::Tampered, "{kept:?}");
    }
    assert_eq!(with(Head { seq: 6, ..new.head }).verdicts()[0].finding, Finding::Truncated { kept: 6 });
    let nothing = Verifier::new(tenant(1), None).kept_head(old.head).finish();
    assert_eq!(nothing.verdicts()[0].finding, Finding::Truncated { kept: 3 });
}

#[test]
fn personal_values_are_not_in_the_envelope() {
    let log = log(tenant(1), 1);
    let record = &log.entries[0].1;
    let paths = ["actor/name", "after/ssn", "before/ssn", "request/ip", "request/user_agent"];
    assert_eq!(record.personal_paths(), paths);
    let contains = |needle: &[u8]| record.envelope().encode().windows(needle.len()).any(|window| window == needle);
    for opening in record.openings().iter().flatten() {
        assert!(!contains(&opening.value) && !contains(opening.salt.as_bytes()));
    }
    assert!(!contains(b"078-05-1120") && contains(b"\"ssn\":null"));
    // Equal values have different commitments, in one entry and across entries.
    let again =
        Entry::new(tenant(1), Actor::user(0).named("Ana Ruiz"), "load.update").record_at(DateTime::UNIX_EPOCH).unwrap();
    let commitments = |record: &Record| record.envelope().field(tag::COMMITMENTS).unwrap()[12..44].to_vec();
    assert_ne!(commitments(record), commitments(&again));
}

#[test]
fn a_format_of_tomorrow_is_neither_right_nor_wrong() {
    let log = log(tenant(1), 2);
    let mut bytes = log.entries[1].1.envelope().encode().to_vec();
    bytes["audit-chain/v1/entry\0".len() + 1] = 2;
    assert_eq!(Envelope::decode(&bytes).unwrap_err().kind(), ErrorKind::UnknownFormat);
    assert_eq!(log.verify_with(Content::UnknownFormat(2)).conclusion(), Conclusion::Unverifiable);
}

#[test]
fn each_flaw_of_an_encoding_is_refused() {
    let header = |format: u16, count: u16| {
        [b"audit-chain/v1/entry\0".as_slice(), &format.to_be_bytes(), &count.to_be_bytes()].concat()
    };
    let field = |tag: u16, length: u32, value: &[u8]| [&tag.to_be_bytes(), &length.to_be_bytes()[..], value].concat();
    let decoded = |parts: &[Vec<u8>]| Envelope::decode(&parts.concat()).map_err(|error| error.kind());
    assert!(decoded(&[header(1, 0)]).is_ok());
    assert!(decoded(&[header(1, 2), field(1, 2, b"ab"), field(2, 0, b"")]).is_ok());
    for flawed in [
        vec![],
        vec![b"audit-chain/v2/entry\0\0\x01\0\0".to_vec()],
        vec![header(1, 1)],
        vec![header(1, 0), vec![0]],
        vec![header(1, 1), field(0, 0, b"")],
        vec![header(1, 2), field(1, 0, b""), field(1, 0, b"")],
        vec![header(1, 2), field(2, 0, b""), field(1, 0, b"")],
        vec![header(1, 1), field(1, 2, b"a")],
        vec![header(1, 1), field(1, u32::MAX, b"a")],
        vec![header(1, 1), field(1, 1, b"ab")],
        vec![header(1, 1), field(1, 1 << 20, &vec![0; 1 << 20])],
    ] {
        assert_eq!(decoded(&flawed), Err(ErrorKind::Malformed));
    }
    assert_eq!(decoded(&[header(2, 0)]), Err(ErrorKind::UnknownFormat));
}

proptest! {
    /// Any selection of the links, in any order, with repetitions: what differs from the log is
    /// found.
    #[test]
    fn any_rearrangement_is_found(length in 1_u64..6, picks in prop::collection::vec(any::<Index>(), 0..8)) {
        let log = log(tenant(1), length);
        let order: Vec<usize> = picks.iter().map(|pick| pick.index(log.entries.len())).collect();
        let whole = order.iter().copied().eq(0..log.entries.len());
        // The rows as they would be read: by number.
        let mut read = order.clone();
        read.sort_unstable();
        let links = |order: &[usize]| -> Report {
            verify(log.head, order.iter().map(|&at| (&log.entries[at].0, Content::Record(&log.entries[at].1))))
        };
        prop_assert_eq!(links(&order).is_intact(), whole);
        prop_assert_eq!(links(&read).is_intact(), read.iter().copied().eq(0..log.entries.len()));
        // The entries exchanged behind the links.
        let pairs = log.entries.iter().zip(&order);
        let exchanged = verify(log.head, pairs.map(|((link, _), &at)| (link, Content::Record(&log.entries[at].1))));
        prop_assert_eq!(exchanged.is_intact(), order.iter().copied().take(log.entries.len()).eq(0..log.entries.len()));
    }

    #[test]
    fn decoding_is_strict(
        mut bytes in prop::collection::vec(any::<u8>(), 0..120),
        edits in prop::collection::vec((any::<Index>(), any::<u8>()), 0..4),
        mode in 0..4_u8,
    ) {
        if mode > 0 {
            // Near an envelope, where the branches are.
            let mut near = log(tenant(1), 1).entries[0].1.envelope().encode().to_vec();
            match mode {
                1 => {}
                2 => near.truncate(bytes.len() * 4),
                _ => near.extend(&bytes),
            }
            for (at, byte) in &edits {
                let at = at.index(near.len().max(1));
                if let Some(place) = near.get_mut(at) {
                    *place = *byte;
                }
            }
            bytes = near;
        }
        if let Ok(envelope) = Envelope::decode(&bytes) {
            prop_assert_eq!(envelope.encode(), &bytes);
            let tags: Vec<_> = envelope.fields().map(|(tag, _)| tag).collect();
            prop_assert!(tags.is_sorted_by(|left, right| left < right) && !tags.contains(&0));
            let length: usize = envelope.fields().map(|(_, value)| value.len() + 6).sum();
            prop_assert_eq!(length + "audit-chain/v1/entry\0".len() + 4, bytes.len());
            prop_assert_eq!(envelope.leaf(), Digest::leaf(&bytes));
            let _ = Record::new(envelope, vec![]).map(|record| record.personal_paths().len());
        }
    }

    #[test]
    fn unknown_tags_are_kept(
        extra in prop::collection::btree_map(0x51_u16.., prop::collection::vec(any::<u8>(), 0..9), 1..5),
    ) {
        let known = log(tenant(1), 1).entries[0].1.envelope().clone();
        let header = "audit-chain/v1/entry\0".len() + 2;
        let mut bytes = known.encode().to_vec();
        let count = u16::try_from(known.fields().count() + extra.len()).unwrap();
        bytes[header..header + 2].copy_from_slice(&count.to_be_bytes());
        for (tag, value) in &extra {
            bytes.extend(tag.to_be_bytes());
            bytes.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
            bytes.extend(value);
        }
        let envelope = Envelope::decode(&bytes).unwrap();
        for (tag, value) in &extra {
            prop_assert_eq!(envelope.field(*tag), Some(value.as_slice()));
        }
        prop_assert_ne!(envelope.leaf(), known.leaf());
    }
}
