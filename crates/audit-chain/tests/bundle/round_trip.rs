//! What is written is read, and is worth what it should be.

use std::{collections::BTreeMap, num::NonZeroUsize};

use proptest::prelude::*;
use serde_json::{Value, json};
use stockade_audit_chain::{Actor, BundleVerifier, BundleWriter, Conclusion, Content, Entry, Finding};

use crate::support::{Log, body, key, tenant, verify, with_footer};

#[tokio::test]
async fn a_whole_log_is_complete_and_intact_to_whoever_trusts_the_key() {
    let log = Log::of(6);
    let bundle = log.bundle(&log.whole(), Some(&log.checkpoint(6).await));
    let report = verify(&bundle).unwrap();
    assert!(report.is_intact() && report.is_complete());
    assert_eq!((report.vouched_through(), report.report().checked()), (Some(6), 6));
    assert_eq!(with_footer(&body(&bundle)), bundle, "the forger of these tests knows how to make a footer");

    // Whoever has nothing to compare with learns only that nothing contradicts itself.
    let stranger = BundleVerifier::new().verify(bundle.as_slice()).unwrap();
    assert_eq!((stranger.conclusion(), stranger.is_complete()), (Conclusion::Unverifiable, false));
    let other = stockade_audit_chain::LocalSigner::from_seed("example.com/audit", &[8; 32]).unwrap();
    let other = stockade_audit_chain::Signer::key(&other).clone();
    assert!(!BundleVerifier::new().key(other).verify(bundle.as_slice()).unwrap().is_intact());
    // A head that was kept is as good as a key.
    assert!(BundleVerifier::new().kept_head(log.head).verify(bundle.as_slice()).unwrap().is_complete());
}

#[tokio::test]
async fn what_a_checkpoint_does_not_reach_is_unverifiable() {
    let log = Log::of(6);
    let report = verify(&log.bundle(&log.whole(), Some(&log.checkpoint(4).await))).unwrap();
    assert_eq!((report.vouched_through(), report.conclusion()), (Some(4), Conclusion::Unverifiable));
    assert!(report.report().is_intact());
}

#[tokio::test]
async fn every_range_of_a_log_is_proven_complete() {
    let log = Log::of(9);
    let checkpoint = log.checkpoint(9).await;
    for start in 0..9 {
        for end in start + 1..=9 {
            let header = log.range(start, end);
            let checkpoint = checkpoint.clone();
            let checkpoint = if end == 9 { checkpoint } else { checkpoint.extended_by(log.extension(end, 9)) };
            let report = verify(&log.bundle(&header, Some(&checkpoint))).unwrap();
            assert!(report.is_complete(), "{start} to {end}: {report:?}");
            assert_eq!((report.header().first(), report.report().checked()), (start as u64 + 1, (end - start) as u64));
        }
    }
}

#[tokio::test]
async fn a_choice_is_proven_entry_by_entry_and_never_complete() {
    let log = Log::of(9);
    let filter = BTreeMap::from([("actor".to_owned(), "u-1".to_owned())]);
    let bundle = |checkpoint, chosen: &[usize], proofs_of: &[usize]| {
        let mut bundle = BundleWriter::new(Vec::new(), &log.whole().filtered(filter.clone())).unwrap();
        if let Some(checkpoint) = checkpoint {
            bundle.checkpoint(checkpoint).unwrap();
        }
        for (&entry, &proof) in chosen.iter().zip(proofs_of) {
            let (link, record) = &log.entries[entry];
            let proof = log.inclusion(proof as u64 + 1, 9);
            bundle.entry(link, Content::Record(record), Some(&proof)).unwrap();
        }
        bundle.finish().unwrap()
    };
    let checkpoint = log.checkpoint(9).await;
    let report = verify(&bundle(Some(&checkpoint), &[1, 4, 8], &[1, 4, 8])).unwrap();
    assert!(report.is_intact() && !report.is_complete());
    assert_eq!((report.header().filter(), report.report().checked()), (Some(&filter), 3));
    assert!(!verify(&bundle(None, &[1, 4], &[1, 4])).unwrap().is_intact(), "nothing vouches for it");
    let forged = verify(&bundle(Some(&checkpoint), &[1, 4], &[1, 5])).unwrap();
    assert_eq!(forged.report().verdicts()[0].finding, Finding::NotIncluded);
    assert_eq!(forged.report().verdicts()[0].seq, Some(5));
    assert_eq!(verify(&bundle(Some(&checkpoint), &[4, 1], &[4, 1])).unwrap().conclusion(), Conclusion::Tampered);
    // The leaf is proven, and the hash of the link is not its.
    let mut lines = body(&bundle(Some(&checkpoint), &[1], &[1]));
    let (hash, other) = (log.entries[1].0.hash.to_string(), log.entries[2].0.hash.to_string());
    lines[2] = lines[2].replace(&hash, &other);
    let broken = verify(&with_footer(&lines)).unwrap();
    assert_eq!(
        broken.report().verdicts().iter().map(|verdict| &verdict.finding).collect::<Vec<_>>(),
        [&Finding::LinkBroken]
    );
}

#[test]
fn what_was_forgotten_is_missing_with_evidence_and_only_with_it() {
    let mut log = Log::of(3);
    let link = log.entries[1].0;
    let (erased, erasure) = log.erase(2);
    let purge = log.purge(1, 1);

    let bundle = |evidence: bool| {
        let mut bundle = BundleWriter::new(Vec::new(), &log.whole()).unwrap();
        if evidence {
            bundle.erasure(erasure.clone(), None).unwrap();
            bundle.purge(purge.clone(), None).unwrap();
        }
        for (seq, (other, record)) in log.entries.iter().enumerate() {
            let content = match seq {
                0 => Content::Missing,
                1 => Content::Record(&erased),
                _ => Content::Record(record),
            };
            bundle.entry(other, content, None).unwrap();
        }
        BundleVerifier::new().kept_head(log.head).verify(bundle.finish().unwrap().as_slice()).unwrap()
    };
    let report = bundle(true);
    assert!(report.is_complete(), "{:?}", report.report().verdicts());
    assert_eq!((report.report().erased(), report.report().purged()), (5, 1));
    let report = bundle(false);
    assert_eq!(report.report().verdicts()[0].finding, Finding::EntryMissing);
    assert!(report.report().verdicts()[1..].iter().all(|verdict| verdict.seq == Some(link.seq)));
    assert_eq!(report.report().verdicts().len(), 6);
}

#[test]
fn evidence_whose_entry_is_not_here_forges_nothing_and_proves_nothing() {
    let mut log = Log::of(3);
    let (erased, erasure) = log.erase(2);
    let mut bundle = BundleWriter::new(Vec::new(), &log.range(0, 3)).unwrap();
    bundle.erasure(erasure.clone(), None).unwrap();
    for (link, record) in &log.entries[..3] {
        let content = if link.seq == 2 { Content::Record(&erased) } else { Content::Record(record) };
        bundle.entry(link, content, None).unwrap();
    }
    let verifier = BundleVerifier::new().kept_head(log.head_at(3));
    let report = verifier.verify(bundle.finish().unwrap().as_slice()).unwrap();
    let found = report.report().verdicts().iter().map(|verdict| (verdict.seq, verdict.entry_id, &verdict.finding));
    let unmet = (None, Some(erasure.record().entry_id()), &Finding::EvidenceMissing);
    assert_eq!(found.collect::<Vec<_>>(), [unmet]);
    assert_eq!((report.conclusion(), report.report().erased()), (Conclusion::Unverifiable, 5));
}

#[test]
fn a_person_can_read_it() {
    let log = Log::of(1);
    let bundle = log.bundle(&log.whole(), None);
    let line: Value = serde_json::from_str(&body(&bundle)[1]).unwrap();
    let shown = &line["shown"];
    assert_eq!(shown["recorded_at"], "2026-01-01T00:00:00.123Z");
    assert_eq!((&shown["severity"], &shown["status"]), (&json!("info"), &json!(303)));
    assert_eq!(shown["before"], r#"{"rate":1.5,"ssn":null}"#);
    assert_eq!(shown["personal"]["request/ip"], "203.0.113.9");
    assert_eq!(shown["personal"]["before/ssn"], "\"078-05-1120\"");
}

#[test]
fn an_empty_log_is_a_bundle() {
    let log = Log::of(0);
    let bundle = log.bundle(&log.whole(), None);
    assert_eq!(BundleVerifier::new().verify(bundle.as_slice()).unwrap().conclusion(), Conclusion::Unverifiable);
    assert!(BundleVerifier::new().kept_head(log.head).verify(bundle.as_slice()).unwrap().is_complete());
    assert!(NonZeroUsize::new(bundle.len()).is_some());
}

proptest! {
    // Each case starts a Python.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_can_be_recorded_can_be_handed_over(text in "[^\0]{1,40}", name in "[^\0]{0,40}", key in "[^\0]{0,8}") {
        let mut log = Log::of(0);
        let state = json!({key.clone(): text, "personal": name.clone()});
        log.append(&Entry::new(tenant(), Actor::user(&text).named(name), text.clone()).before(state).personal(&["/personal"]));
        let bundle = log.bundle(&log.whole(), None);
        prop_assert!(BundleVerifier::new().kept_head(log.head).verify(bundle.as_slice()).unwrap().is_complete());
        prop_assert_eq!(crate::program::second_opinion(&bundle), json!([]));
    }
}

#[test]
fn the_key_is_not_in_the_bundle() {
    let log = Log::of(2);
    assert!(!String::from_utf8(log.bundle(&log.whole(), None)).unwrap().contains(&key().to_string()));
}
