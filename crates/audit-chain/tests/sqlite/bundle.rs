//! Bundles of a file's entries, verified without the file.

use sqlx::{Connection as _, SqliteConnection};
use stockade_audit_chain::{
    Actor, BundleReport, BundleVerifier, Conclusion, ErasureRequest, ErrorKind, FileAnchor, Finding, LocalSigner,
    Publication, PurgeRequest, Signer as _,
    sqlite::{BundleExport, Checkpointer, Checkpointing, Filter, Purge, Subject, erase, purge, record_at, search},
};

use crate::support::{Log, append, entry, report, tenant};

fn signer() -> LocalSigner {
    LocalSigner::from_seed("example.com/audit", &[7; 32]).unwrap()
}

async fn publish(log: &Log, connection: &mut SqliteConnection) -> Publication {
    let anchor = FileAnchor::new(log.file().with_file_name("anchor"));
    let done = Checkpointer::new(signer()).checkpoint(connection, &anchor).await.unwrap();
    let Checkpointing::Published(publication) = done else { unreachable!("{done:?}") };
    publication
}

fn whole() -> BundleExport {
    BundleExport::new(tenant(1), Actor::user("officer-1"))
}

async fn written(connection: &mut SqliteConnection, export: BundleExport) -> Vec<u8> {
    export.write(connection, Vec::new()).await.unwrap()
}

fn judged(bundle: &[u8]) -> BundleReport {
    BundleVerifier::new().key(signer().key().clone()).verify(bundle).unwrap()
}

#[tokio::test]
async fn every_range_is_proven_complete_to_whoever_trusts_the_key() {
    let log = Log::new().await;
    let mut connection = log.connect().await;
    append(&mut connection, tenant(2), 2).await;
    append(&mut connection, tenant(1), 300).await;
    let publication = publish(&log, &mut connection).await;
    append(&mut connection, tenant(1), 2).await;
    for (range, entries) in
        [(None, 300), (Some(1..=300), 300), (Some(7..=263), 257), (Some(300..=300), 1), (Some(2..=2), 1)]
    {
        let export = whole().attested_by(&publication).unwrap();
        let export = if let Some(range) = range.clone() { export.range(range) } else { export };
        let bundle = written(&mut connection, export).await;
        let judged = judged(&bundle);
        assert!(judged.is_intact() && judged.is_complete(), "{range:?}: {:?}", judged.report().verdicts());
        assert_eq!(judged.report().checked(), entries);
        // Nobody vouches for it to whoever trusts nothing.
        assert_eq!(BundleVerifier::new().verify(&bundle[..]).unwrap().conclusion(), Conclusion::Unverifiable);
    }
    for range in [0..=3, 9..=400, std::ops::RangeInclusive::new(5, 4)] {
        let error = whole().range(range).write(&mut connection, Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
    }
    let mut tx = connection.begin().await.unwrap();
    assert_eq!(whole().write(&mut tx, Vec::new()).await.unwrap_err().kind(), ErrorKind::Refused);
}

#[tokio::test]
async fn the_log_says_who_exported_what_and_how_much() {
    let log = Log::of_five().await;
    let mut connection = log.connect().await;
    let bundle = written(&mut connection, whole().range(2..=4)).await;
    let page = search(&mut connection, &Filter::new(tenant(1)).action("audit.exported")).await.unwrap();
    let [done, announced] = &page.rows[..] else { unreachable!("{page:?}") };
    assert_eq!((announced.seq, announced.actor_id.as_str()), (Some(6), "officer-1"));
    assert_eq!(announced.after, Some(serde_json::json!({"format": "bundle", "from": 2, "to": 4})));
    assert_eq!(done.entity_id, Some(announced.entry_id.to_string()));
    let after = done.after.as_ref().unwrap();
    let digest = <sha2::Sha256 as sha2::Digest>::digest(&bundle);
    assert_eq!((after["entries"].as_u64(), after["sha256"].as_str()), (Some(3), Some(hex::encode(digest).as_str())));
}

#[tokio::test]
async fn what_was_altered_or_removed_is_in_the_bundle() {
    let log = Log::of_five().await;
    let mut connection = log.connect().await;
    let publication = publish(&log, &mut connection).await;
    let attack = "DROP TRIGGER stockade_audit_entry_updates; DROP TRIGGER stockade_audit_entry_deletes;
        UPDATE stockade_audit_entry SET action = 'x' WHERE entry_id = (SELECT entry_id FROM stockade_audit_link WHERE seq = 2);
        DELETE FROM stockade_audit_entry WHERE entry_id = (SELECT entry_id FROM stockade_audit_link WHERE seq = 4)";
    sqlx::raw_sql(attack).execute(&mut connection).await.unwrap();
    let judged = judged(&written(&mut connection, whole().attested_by(&publication).unwrap()).await);
    let found: Vec<_> =
        judged.report().verdicts().iter().map(|verdict| (verdict.seq, verdict.finding.clone())).collect();
    assert_eq!(found, [(Some(2), Finding::ContentAltered), (Some(4), Finding::EntryMissing)]);
    assert_eq!(judged.conclusion(), Conclusion::Tampered);
}

#[tokio::test]
async fn what_was_forgotten_is_missing_with_evidence_and_only_with_it() {
    let log = Log::new().await;
    let mut connection = log.connect().await;
    let long_ago = chrono::Utc::now() - chrono::TimeDelta::days(9 * 365);
    for number in 1..=4 {
        record_at(&mut connection, &entry(tenant(1), number), long_ago).await.unwrap();
    }
    append(&mut connection, tenant(1), 3).await;
    let request = ErasureRequest::new(Actor::user("officer"), "R-1", "GDPR Art. 17(1)(b)");
    let subject = Subject::Values(vec![(recent(&mut connection).await, "actor/name".to_owned())]);
    let erasure = erase(&mut connection, tenant(1), &subject, &request).await.unwrap();
    assert!(!erasure.erased.is_empty());
    let head = *report(&mut connection, tenant(1)).await.head().unwrap();
    let order = PurgeRequest::new(Actor::system("retention"), "P-1");
    let before = chrono::Utc::now() - chrono::TimeDelta::days(8 * 365);
    let done = purge(&mut connection, tenant(1), before, &order, &head).await.unwrap();
    assert!(matches!(done, Purge::Done(Some(_))), "{done:?}");
    let publication = publish(&log, &mut connection).await;
    // Also where the range begins or ends inside of what is gone.
    for (range, purged, erased) in [(1..=9, 4, true), (3..=9, 2, true), (2..=3, 2, false), (5..=7, 0, true)] {
        let bundle = written(&mut connection, whole().range(range.clone()).attested_by(&publication).unwrap()).await;
        let judged = judged(&bundle);
        assert!(judged.is_intact(), "{range:?}: {:?}", judged.report().verdicts());
        assert_eq!((judged.report().purged(), judged.report().erased() > 0), (purged, erased), "{range:?}");
        for kind in ["purge", "erasure"] {
            let title = format!("\"type\":\"{kind}\"");
            let text = String::from_utf8(bundle.clone()).unwrap();
            if text.contains(&title) {
                let without = text
                    .lines()
                    .filter(|line| !line.contains(&title))
                    .fold(String::new(), |text, line| text + line + "\n");
                assert_eq!(
                    self::judged(without.as_bytes()).conclusion(),
                    Conclusion::Tampered,
                    "{range:?} without {kind}"
                );
            }
        }
    }
}

async fn recent(connection: &mut SqliteConnection) -> uuid::Uuid {
    let page = search(connection, &Filter::new(tenant(1))).await.unwrap();
    page.rows.iter().find(|row| row.seq == Some(6)).unwrap().entry_id
}
