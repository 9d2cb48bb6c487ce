//! Signed checkpoints over a file.

use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::{Connection as _, SqliteConnection};
use stockade_audit_chain::{
    Anchor, AnchorError, ErrorKind, FileAnchor, Finding, LocalSigner, Publication, Signer, VerifierKey,
    sqlite::{Checkpointer, Checkpointing, Refusal, RefusalReason, VerifyOptions, stored_checkpoint, verify},
};

use crate::support::{Log, append, code, disarm, findings, tenant};

fn signer() -> LocalSigner {
    LocalSigner::from_seed("example.com/audit", &[7; 32]).unwrap()
}

async fn checkpoint(connection: &mut SqliteConnection, anchor: &FileAnchor) -> Checkpointing {
    Checkpointer::new(signer()).checkpoint(connection, anchor).await.unwrap()
}

fn refusals(checkpointing: Checkpointing) -> Vec<Refusal> {
    let Checkpointing::Refused(refusals) = checkpointing else { unreachable!("{checkpointing:?}") };
    refusals
}

/// A file with checkpointed entries of two tenants, and an anchor beside it.
async fn published() -> (Log, SqliteConnection, FileAnchor, Publication) {
    let log = Log::of_five().await;
    let mut connection = log.connect().await;
    append(&mut connection, tenant(2), 3).await;
    let anchor = FileAnchor::new(log.file().with_file_name("anchor"));
    let Checkpointing::Published(publication) = checkpoint(&mut connection, &anchor).await else { unreachable!() };
    (log, connection, anchor, publication)
}

#[tokio::test]
async fn each_checkpoint_continues_the_one_before() {
    let (_log, mut connection, anchor, first) = published().await;
    assert_eq!(checkpoint(&mut connection, &anchor).await, Checkpointing::Unchanged(first.clone()));
    append(&mut connection, tenant(1), 4).await;
    append(&mut connection, tenant(3), 1).await;
    let Checkpointing::Published(second) = checkpoint(&mut connection, &anchor).await else { unreachable!() };
    assert_eq!((first.size(), second.size(), second.snapshot().heads().len()), (1, 2, 3));
    assert_eq!(anchor.fetch_latest().await.unwrap().as_ref(), Some(&second));
    assert_eq!(stored_checkpoint(&mut connection).await.unwrap().as_ref(), Some(&second));
    let key = signer();
    for publication in [&first, &second] {
        let signed = publication.open(key.key()).unwrap();
        for head in publication.snapshot().heads() {
            let proven = publication.prove_head(head.head.tenant).unwrap().unwrap().verify(&signed).unwrap();
            let options = VerifyOptions::new().kept_checkpoint(proven);
            assert!(verify(&mut connection, head.head.tenant, &options).await.unwrap().is_intact());
        }
    }
    let mut tx = connection.begin().await.unwrap();
    let error = Checkpointer::new(signer()).checkpoint(&mut tx, &anchor).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
}

/// Whatever is done to a file, hashes and head included, does not continue what the anchor has.
#[tokio::test]
async fn what_does_not_continue_is_not_signed() {
    let cases = [
        (
            "DELETE FROM stockade_audit_head WHERE seq = 5; DELETE FROM stockade_audit_link WHERE leaf IN
            (SELECT leaf FROM stockade_audit_link ORDER BY seq DESC LIMIT 3)",
            RefusalReason::TenantGone { kept: 5 },
        ),
        ("UPDATE stockade_audit_head SET chain_id = zeroblob(16) WHERE seq = 5", RefusalReason::BegunAnew { kept: 5 }),
        ("UPDATE stockade_audit_head SET seq = 4 WHERE seq = 5", RefusalReason::Truncated { seq: 4, kept: 5 }),
        ("UPDATE stockade_audit_head SET hash = zeroblob(32) WHERE seq = 5", RefusalReason::Replaced { kept: 5 }),
    ];
    for (attack, reason) in cases {
        let (_log, mut connection, anchor, _) = published().await;
        disarm(&mut connection).await;
        sqlx::raw_sql(attack).execute(&mut connection).await.unwrap();
        assert_eq!(
            refusals(checkpoint(&mut connection, &anchor).await),
            [Refusal { tenant: Some(tenant(1)), reason }],
            "{attack}"
        );
    }
    let cases = [
        ("UPDATE stockade_audit_link SET leaf = zeroblob(32) WHERE seq = 2", RefusalReason::TreeAltered { kept: 5 }),
        ("DELETE FROM stockade_audit_link WHERE seq = 5", RefusalReason::TreeAltered { kept: 5 }),
        ("UPDATE stockade_audit_link SET hash = zeroblob(32) WHERE seq = 6", RefusalReason::Broken { seq: 6 }),
        ("DELETE FROM stockade_audit_link WHERE seq = 7", RefusalReason::Broken { seq: 7 }),
    ];
    for (attack, reason) in cases {
        let (_log, mut connection, anchor, _) = published().await;
        append(&mut connection, tenant(1), 2).await;
        disarm(&mut connection).await;
        sqlx::raw_sql(attack).execute(&mut connection).await.unwrap();
        assert_eq!(
            refusals(checkpoint(&mut connection, &anchor).await),
            [Refusal { tenant: Some(tenant(1)), reason }],
            "{attack}"
        );
    }
}

/// Only the hashes of the anchor tell an older copy from the file; without it the copy looks intact.
#[tokio::test]
async fn an_older_copy_of_the_file_is_not_signed() {
    let (log, mut connection, anchor, _) = published().await;
    sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await.unwrap();
    let older = std::fs::read(log.file()).unwrap();
    append(&mut connection, tenant(1), 2).await;
    let Checkpointing::Published(later) = checkpoint(&mut connection, &anchor).await else { unreachable!() };
    connection.close().await.unwrap();
    for leftover in ["app.db-wal", "app.db-shm"] {
        let _ = std::fs::remove_file(log.file().with_file_name(leftover));
    }
    std::fs::write(log.file(), older).unwrap();
    let mut connection = log.connect().await;
    assert!(verify(&mut connection, tenant(1), &VerifyOptions::new()).await.unwrap().is_intact());
    let reason = RefusalReason::Truncated { seq: 5, kept: 7 };
    let refused = refusals(checkpoint(&mut connection, &anchor).await);
    assert_eq!(refused, [Refusal { tenant: Some(tenant(1)), reason }]);
    let proven = later.prove_head(tenant(1)).unwrap().unwrap().verify(&later.open(signer().key()).unwrap()).unwrap();
    let report = verify(&mut connection, tenant(1), &VerifyOptions::new().kept_checkpoint(proven)).await.unwrap();
    assert_eq!(findings(&report), [(Some(5), Finding::Truncated { kept: 7 })]);
}

/// An anchor that can be told to fail.
struct Failing(FileAnchor, AtomicBool);

impl Anchor for Failing {
    async fn publish(&self, publication: &Publication) -> Result<(), AnchorError> {
        if self.1.load(Ordering::Relaxed) {
            return Err("no".into());
        }
        self.0.publish(publication).await
    }

    async fn fetch_latest(&self) -> Result<Option<Publication>, AnchorError> {
        self.0.fetch_latest().await
    }
}

#[tokio::test]
async fn what_failed_to_be_published_is_published_before_anything_else() {
    let (_log, mut connection, anchor, _) = published().await;
    append(&mut connection, tenant(1), 1).await;
    let anchor = Failing(anchor, AtomicBool::new(true));
    let checkpointer = Checkpointer::new(signer());
    let error = checkpointer.checkpoint(&mut connection, &anchor).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Anchor, true));
    let pending = stored_checkpoint(&mut connection).await.unwrap().unwrap();
    append(&mut connection, tenant(1), 1).await;
    anchor.1.store(false, Ordering::Relaxed);
    let Checkpointing::Published(next) = checkpointer.checkpoint(&mut connection, &anchor).await.unwrap() else {
        unreachable!()
    };
    assert_eq!((pending.size(), next.size()), (2, 3));
    let signed = next.open(signer().key()).unwrap();
    assert_eq!(signed.previous(), Some(*pending.open(signer().key()).unwrap().hash()), "the bytes that were stored");
}

/// A signer that is overtaken by another checkpointer while it signs.
struct Overtaken<'a>(LocalSigner, &'a Log, &'a FileAnchor);

impl Signer for Overtaken<'_> {
    fn key(&self) -> &VerifierKey {
        self.0.key()
    }

    async fn sign(&self, message: &[u8]) -> Result<[u8; 64], AnchorError> {
        let done = checkpoint(&mut self.1.connect().await, self.2).await;
        assert!(matches!(done, Checkpointing::Published(_)), "{done:?}");
        self.0.sign(message).await
    }
}

#[tokio::test]
async fn of_two_checkpointers_at_once_one_stands_by() {
    let (log, mut connection, anchor, first) = published().await;
    append(&mut connection, tenant(1), 1).await;
    let overtaken = Checkpointer::new(Overtaken(signer(), &log, &anchor));
    assert_eq!(overtaken.checkpoint(&mut connection, &anchor).await.unwrap(), Checkpointing::Standby);
    let Checkpointing::Unchanged(second) = checkpoint(&mut connection, &anchor).await else { unreachable!() };
    assert_eq!((first.size(), second.size()), (1, 2));
}

#[tokio::test]
async fn an_anchor_that_was_set_back_or_forked_stops_signing() {
    let (log, mut connection, anchor, _) = published().await;
    append(&mut connection, tenant(1), 1).await;
    checkpoint(&mut connection, &anchor).await;
    let none = FileAnchor::new(log.file().with_file_name("another"));
    let reason = RefusalReason::AnchorBehind { stored: 2 };
    assert_eq!(refusals(checkpoint(&mut connection, &none).await), [Refusal { tenant: None, reason }]);
    let stranger = LocalSigner::from_seed("example.com/audit", &[8; 32]).unwrap();
    let foreign = Checkpointer::new(stranger).checkpoint(&mut connection, &anchor).await.unwrap();
    assert_eq!(refusals(foreign), [Refusal { tenant: None, reason: RefusalReason::AnchorInvalid }]);
}

#[tokio::test]
async fn a_stored_checkpoint_cannot_be_changed_removed_or_overwritten() {
    let (_log, mut connection, _, _) = published().await;
    for attack in [
        "UPDATE stockade_audit_checkpoint SET publication = ''",
        "DELETE FROM stockade_audit_checkpoint",
        "INSERT OR REPLACE INTO stockade_audit_checkpoint VALUES (1, '')",
        "INSERT INTO stockade_audit_checkpoint VALUES (1, '') ON CONFLICT DO UPDATE SET publication = ''",
    ] {
        assert_eq!(code(sqlx::raw_sql(attack).execute(&mut connection).await), "1811", "{attack}");
    }
}
