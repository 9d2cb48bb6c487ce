//! Checkpoints over all tenants, and the attacks that a signature outside the database answers.

use std::sync::{Mutex, PoisonError};

use sqlx::{PgConnection, PgPool};
use stockade_audit_chain::{
    Anchor, AnchorError, ErrorKind, Finding, LocalSigner, ProvenHead, Publication, Signer as _, TenantId,
    postgres::{
        Checkpointer, Checkpointing, PgAnchor, Refusal, RefusalReason, VerifyOptions, declare_restored,
        stored_checkpoint, verify,
    },
};

use crate::support::{
    APP, CHECKPOINTER, SEALER, append, connect, disarm, findings, install, report, seal, sqlstate, tenant,
};

const ORIGIN: &str = "example.com/audit";

fn signer() -> LocalSigner {
    LocalSigner::from_seed(ORIGIN, &[7; 32]).unwrap()
}

/// An anchor in memory that can be made to fail, and to lie.
#[derive(Default)]
struct Kept {
    all: Mutex<Vec<Publication>>,
    fails: Mutex<bool>,
}

impl Kept {
    fn all(&self) -> std::sync::MutexGuard<'_, Vec<Publication>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last(&self) -> Publication {
        self.all().last().unwrap().clone()
    }

    fn fail(&self, fails: bool) {
        *self.fails.lock().unwrap() = fails;
    }
}

impl Anchor for Kept {
    async fn publish(&self, publication: &Publication) -> Result<(), AnchorError> {
        if *self.fails.lock().unwrap() {
            return Err("out of reach".into());
        }
        if self.all().last() != Some(publication) {
            self.all().push(publication.clone());
        }
        Ok(())
    }

    async fn fetch_latest(&self) -> Result<Option<Publication>, AnchorError> {
        Ok(self.all().last().cloned())
    }
}

async fn checkpoint(pool: &PgPool, anchor: &Kept) -> Checkpointing {
    Checkpointer::new(signer()).checkpoint(&mut connect(pool, CHECKPOINTER).await, anchor).await.unwrap()
}

async fn published(pool: &PgPool, anchor: &Kept) -> Publication {
    match checkpoint(pool, anchor).await {
        Checkpointing::Published(publication) => publication,
        other => panic!("{other:?}"),
    }
}

async fn reasons(pool: &PgPool, anchor: &Kept) -> Vec<(Option<TenantId>, RefusalReason)> {
    let before = anchor.all().len();
    match checkpoint(pool, anchor).await {
        Checkpointing::Refused(refusals) => {
            assert_eq!(anchor.all().len(), before);
            refusals.into_iter().map(|Refusal { tenant, reason }| (tenant, reason)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn proven(publication: &Publication, number: u128) -> ProvenHead {
    let proof = publication.prove_head(tenant(number)).unwrap().unwrap();
    proof.verify(&publication.open(signer().key()).unwrap()).unwrap()
}

/// Two tenants with five entries each, a first checkpoint over both, and a superuser who has disarmed the triggers.
async fn signed_log(pool: &PgPool) -> (Kept, PgConnection) {
    install(pool).await;
    for number in 1..=2 {
        append(pool, tenant(number), 5).await;
    }
    seal(pool).await;
    let anchor = Kept::default();
    published(pool, &anchor).await;
    let mut superuser = pool.acquire().await.unwrap().detach();
    disarm(&mut superuser).await;
    (anchor, superuser)
}

async fn run(superuser: &mut PgConnection, forgery: &'static str) {
    sqlx::raw_sql(forgery).execute(superuser).await.unwrap();
}

/// What a restored backup looks like, and a superuser who cuts off the end: the last two entries of tenant 1 are gone without
/// a trace.
const CUT: &str = "
    DELETE FROM stockade.audit_entry e USING stockade.audit_link l
        WHERE e.entry_id = l.entry_id AND l.seq > 3 AND l.tenant_id = '00000000-0000-0000-0000-000000000001';
    DELETE FROM stockade.audit_link WHERE seq > 3 AND tenant_id = '00000000-0000-0000-0000-000000000001';
    UPDATE stockade.audit_head h SET seq = 3, hash = l.hash FROM stockade.audit_link l
        WHERE l.tenant_id = h.tenant_id AND l.seq = 3 AND h.tenant_id = '00000000-0000-0000-0000-000000000001'";

#[sqlx::test(migrations = false)]
async fn each_checkpoint_continues_the_one_before(pool: PgPool) {
    install(&pool).await;
    let anchor = Kept::default();
    let mut last = published(&pool, &anchor).await;
    assert_eq!(last.snapshot().heads(), [], "an empty log can be signed too");
    for round in 1..=4_u64 {
        append(&pool, tenant(round.into()), 300).await;
        append(&pool, tenant(1), round).await;
        seal(&pool).await;
        let next = published(&pool, &anchor).await;
        assert_eq!(next.size(), round + 1);
        let (old, new) = (last.open(signer().key()).unwrap(), next.open(signer().key()).unwrap());
        assert_eq!(new.previous().as_ref(), Some(old.hash()));
        assert!(next.prove_extension().unwrap().verify(&old.checkpoint().root(), &new.checkpoint().root()));
        for head in next.snapshot().heads() {
            let report = report(&pool, head.head.tenant).await;
            assert_eq!(report.head(), Some(&head.head));
            // A head extends the one that was signed before, and no entry is needed to see it.
            if let Some(earlier) = last.snapshot().head(head.head.tenant) {
                let mut sealer = connect(&pool, SEALER).await;
                let (from, to) = (earlier.head.seq, head.head.seq);
                let proof = stockade_audit_chain::postgres::prove_consistency(&mut sealer, head.head.tenant, from, to);
                assert!(head.extends(earlier, &proof.await.unwrap()));
            }
        }
        // All of them are kept, and read back as they were signed.
        for size in 1..=next.size() {
            let stored = stored_checkpoint(&mut connect(&pool, SEALER).await, size).await.unwrap().unwrap();
            assert_eq!(Some(&stored), anchor.all().get(usize::try_from(size).unwrap() - 1));
        }
        assert_eq!(checkpoint(&pool, &anchor).await, Checkpointing::Unchanged(next.clone()));
        last = next;
    }
    let tiles: i64 = sqlx::query_scalar("SELECT count(*) FROM stockade.audit_tile").fetch_one(&pool).await.unwrap();
    assert_eq!(tiles, 4, "the checkpointer completes tiles");
}

#[sqlx::test(migrations = false)]
async fn a_signed_entry_is_proven_to_an_outsider(pool: PgPool) {
    let (anchor, _) = signed_log(&pool).await;
    append(&pool, tenant(1), 3).await;
    seal(&pool).await;
    let head = *proven(&anchor.last(), 1).head();
    let mut sealer = connect(&pool, SEALER).await;
    let leaves: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT leaf FROM stockade.audit_link WHERE tenant_id = '00000000-0000-0000-0000-000000000001' ORDER BY seq",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    for seq in 1..=5 {
        let proof =
            stockade_audit_chain::postgres::prove_inclusion(&mut sealer, tenant(1), seq, head.head.seq).await.unwrap();
        for (number, leaf) in (1..).zip(&leaves) {
            assert_eq!(proof.verify(&leaf.as_slice().try_into().unwrap(), &head.root), seq == number);
        }
    }
}

#[sqlx::test(migrations = false)]
async fn a_history_that_was_cut_off_is_not_signed(pool: PgPool) {
    let (anchor, mut superuser) = signed_log(&pool).await;
    run(&mut superuser, CUT).await;
    assert!(report(&pool, tenant(1)).await.is_intact(), "without the checkpoint nothing is to be seen");
    assert_eq!(reasons(&pool, &anchor).await, [(Some(tenant(1)), RefusalReason::Truncated { seq: 3, kept: 5 })]);
    let options = VerifyOptions::new().kept_checkpoint(proven(&anchor.last(), 1));
    let found = verify(&mut superuser, tenant(1), &options).await.unwrap();
    assert_eq!(findings(&found), [(Some(3), Finding::Truncated { kept: 5 })]);
    // Filled up again it is longer, and still another.
    append(&pool, tenant(1), 4).await;
    seal(&pool).await;
    assert!(report(&pool, tenant(1)).await.is_intact());
    assert_eq!(reasons(&pool, &anchor).await, [(Some(tenant(1)), RefusalReason::Replaced { kept: 5 })]);
}

#[sqlx::test(migrations = false)]
async fn a_deleted_tenant_is_missed_also_when_it_begins_anew(pool: PgPool) {
    let (anchor, mut superuser) = signed_log(&pool).await;
    let delete = "
        DELETE FROM stockade.audit_entry WHERE tenant_id = '00000000-0000-0000-0000-000000000002';
        DELETE FROM stockade.audit_payload WHERE tenant_id = '00000000-0000-0000-0000-000000000002';
        DELETE FROM stockade.audit_link WHERE tenant_id = '00000000-0000-0000-0000-000000000002';
        DELETE FROM stockade.audit_head WHERE tenant_id = '00000000-0000-0000-0000-000000000002'";
    run(&mut superuser, delete).await;
    assert!(report(&pool, tenant(2)).await.is_intact(), "without the checkpoint nothing is to be seen");
    assert_eq!(reasons(&pool, &anchor).await, [(Some(tenant(2)), RefusalReason::TenantGone { kept: 5 })]);
    append(&pool, tenant(2), 9).await;
    seal(&pool).await;
    assert!(report(&pool, tenant(2)).await.is_intact());
    assert_eq!(reasons(&pool, &anchor).await, [(Some(tenant(2)), RefusalReason::BegunAnew { kept: 5 })]);
}

#[sqlx::test(migrations = false)]
async fn what_does_not_follow_is_not_signed(pool: PgPool) {
    let (anchor, mut superuser) = signed_log(&pool).await;
    append(&pool, tenant(1), 3).await;
    seal(&pool).await;
    for (forgery, reason) in [
        ("UPDATE stockade.audit_link SET leaf = sha256('x') WHERE seq = 7", RefusalReason::Broken { seq: 7 }),
        ("DELETE FROM stockade.audit_link WHERE seq = 8", RefusalReason::Broken { seq: 8 }),
        ("UPDATE stockade.audit_head SET hash = sha256('x') WHERE seq = 8", RefusalReason::Broken { seq: 8 }),
        ("UPDATE stockade.audit_link SET leaf = sha256('x') WHERE seq = 2", RefusalReason::TreeAltered { kept: 5 }),
        ("DELETE FROM stockade.audit_link WHERE seq = 2", RefusalReason::TreeAltered { kept: 5 }),
        ("UPDATE stockade.audit_link SET hash = sha256('x') WHERE seq = 5", RefusalReason::Replaced { kept: 5 }),
    ] {
        run(
            &mut superuser,
            "CREATE TABLE link AS TABLE stockade.audit_link; CREATE TABLE head AS TABLE stockade.audit_head",
        )
        .await;
        run(&mut superuser, "ALTER TABLE stockade.audit_link DROP CONSTRAINT audit_link_one_successor").await;
        run(&mut superuser, forgery).await;
        let mut found = reasons(&pool, &anchor).await;
        found.retain(|(found, _)| *found == Some(tenant(1)));
        assert_eq!(found, [(Some(tenant(1)), reason)], "{forgery}");
        let back = "
            DELETE FROM stockade.audit_link; INSERT INTO stockade.audit_link TABLE link;
            UPDATE stockade.audit_head h SET hash = o.hash FROM head o WHERE o.tenant_id = h.tenant_id;
            ALTER TABLE stockade.audit_link ADD CONSTRAINT audit_link_one_successor UNIQUE (tenant_id, prev);
            DROP TABLE link, head";
        run(&mut superuser, back).await;
    }
    // The control: untouched, it is signed.
    published(&pool, &anchor).await;
}

#[sqlx::test(migrations = false)]
async fn what_failed_to_be_published_is_published_again_byte_for_byte(pool: PgPool) {
    let (anchor, _) = signed_log(&pool).await;
    append(&pool, tenant(1), 1).await;
    seal(&pool).await;
    anchor.fail(true);
    let checkpointer = Checkpointer::new(signer());
    let mut connection = connect(&pool, CHECKPOINTER).await;
    let error = checkpointer.checkpoint(&mut connection, &anchor).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Anchor, true));
    let pending = stored_checkpoint(&mut connection, 9).await.unwrap().unwrap();
    assert_eq!((pending.size(), anchor.last().size()), (2, 1));
    // More is sealed meanwhile: the second checkpoint stays what it was, and a third follows.
    append(&pool, tenant(1), 1).await;
    seal(&pool).await;
    assert_eq!(checkpointer.checkpoint(&mut connection, &anchor).await.unwrap_err().kind(), ErrorKind::Anchor);
    anchor.fail(false);
    assert_eq!(published(&pool, &anchor).await.size(), 3);
    assert_eq!(anchor.all().iter().map(Publication::size).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(anchor.all()[1], pending);
    let anchored: Vec<i64> =
        sqlx::query_scalar("SELECT size FROM stockade.audit_anchored ORDER BY size").fetch_all(&pool).await.unwrap();
    assert_eq!(anchored, [1, 2, 3]);
}

#[sqlx::test(migrations = false)]
async fn checkpointers_side_by_side_sign_no_two_of_one_size(pool: PgPool) {
    let (anchor, _) = signed_log(&pool).await;
    let anchor = std::sync::Arc::new(anchor);
    for _ in 0..5 {
        append(&pool, tenant(1), 2).await;
        seal(&pool).await;
        let mut workers = Vec::new();
        for _ in 0..4 {
            let (mut connection, anchor) = (connect(&pool, CHECKPOINTER).await, anchor.clone());
            workers.push(tokio::spawn(async move {
                // Losing a race is an error that says so; signing another one is what must not happen.
                Checkpointer::new(signer()).checkpoint(&mut connection, &*anchor).await.is_ok()
            }));
        }
        for worker in workers {
            worker.await.unwrap();
        }
    }
    let sizes: Vec<_> = anchor.all().iter().map(Publication::size).collect();
    assert!(sizes.is_sorted_by(|left, right| left < right), "{sizes:?}");
}

#[sqlx::test(migrations = false)]
async fn an_anchor_that_contradicts_the_database_stops_signing(pool: PgPool) {
    let (anchor, mut superuser) = signed_log(&pool).await;
    append(&pool, tenant(1), 1).await;
    seal(&pool).await;
    let (first, second) = (anchor.last(), published(&pool, &anchor).await);
    append(&pool, tenant(1), 1).await;
    seal(&pool).await;
    published(&pool, &anchor).await;
    let of_the_log = |reason| [(None, reason)];
    // Set back, or emptied.
    for held in [vec![first.clone()], vec![]] {
        *anchor.all() = held;
        assert_eq!(reasons(&pool, &anchor).await, of_the_log(RefusalReason::AnchorBehind { stored: 3 }));
    }
    // Signed by somebody else; or with a tenant left out.
    let stranger = LocalSigner::from_seed(ORIGIN, &[8; 32]).unwrap();
    let foreign = Publication::sign(Some(&second), second.snapshot().clone(), &stranger).await.unwrap();
    let less = stockade_audit_chain::Snapshot::new(second.snapshot().heads()[..1].iter().copied()).unwrap();
    let partial = Publication::from_parts(second.note().clone(), second.before().clone(), less);
    for held in [foreign, partial] {
        *anchor.all() = vec![held];
        assert_eq!(reasons(&pool, &anchor).await, of_the_log(RefusalReason::AnchorInvalid));
    }
    // The key's holder signs another history of the same size, or rewrites the stored checkpoint.
    let fork = Publication::sign(Some(&second), second.snapshot().clone(), &signer()).await.unwrap();
    *anchor.all() = vec![fork];
    assert_eq!(reasons(&pool, &anchor).await, of_the_log(RefusalReason::Forked { size: 3 }));
    let unsigned = "
        ALTER TABLE stockade.audit_checkpoint DISABLE TRIGGER USER;
        UPDATE stockade.audit_checkpoint SET note = replace(note, E'\\n3\\n', E'\\n4\\n')";
    *anchor.all() = vec![second];
    run(&mut superuser, unsigned).await;
    assert_eq!(reasons(&pool, &anchor).await, of_the_log(RefusalReason::Forked { size: 3 }));
}

#[sqlx::test(migrations = false)]
async fn a_declared_loss_is_accepted_only_when_told_to_and_only_that_one(pool: PgPool) {
    let (anchor, mut superuser) = signed_log(&pool).await;
    run(&mut superuser, CUT).await;
    let mut connection = connect(&pool, CHECKPOINTER).await;
    let (kept, signed) = (anchor.last(), anchor.last().open(signer().key()).unwrap());
    let receipts = declare_restored(&mut connection, &kept, &signed, "ops-7", "disk failed").await.unwrap();
    assert_eq!(receipts.len(), 1, "one chain was cut off");
    assert_eq!(declare_restored(&mut connection, &kept, &signed, "ops-7", "again").await.unwrap(), []);
    append(&pool, tenant(1), 4).await;
    seal(&pool).await;

    let options = VerifyOptions::new().kept_checkpoint(proven(&kept, 1));
    let strict = verify(&mut superuser, tenant(1), &options).await.unwrap();
    assert_eq!(findings(&strict), [(Some(5), Finding::HistoryReplaced)]);
    let accepted = verify(&mut superuser, tenant(1), &options.accept_restored()).await.unwrap();
    assert_eq!((findings(&accepted), accepted.lost()), (vec![], 2));
    // Not for another loss than the declared one.
    append(&pool, tenant(2), 1).await;
    seal(&pool).await;
    let other = VerifyOptions::new().kept_checkpoint(proven(&kept, 2)).accept_restored();
    assert!(verify(&mut superuser, tenant(2), &other).await.unwrap().is_intact());
    run(
        &mut superuser,
        "DELETE FROM stockade.audit_link WHERE tenant_id = '00000000-0000-0000-0000-000000000002' AND seq > 3",
    )
    .await;
    assert!(!verify(&mut superuser, tenant(2), &other).await.unwrap().is_intact());
    run(&mut superuser, "DELETE FROM stockade.audit_link WHERE tenant_id = '00000000-0000-0000-0000-000000000002'; DELETE FROM stockade.audit_head WHERE tenant_id = '00000000-0000-0000-0000-000000000002'").await;

    assert!(reasons(&pool, &anchor).await.contains(&(Some(tenant(1)), RefusalReason::Replaced { kept: 5 })));
    let told = Checkpointer::new(signer()).accept_restored();
    let refused = told.checkpoint(&mut connection, &anchor).await.unwrap();
    let gone = Refusal { tenant: Some(tenant(2)), reason: RefusalReason::TenantGone { kept: 5 } };
    assert_eq!(refused, Checkpointing::Refused(vec![gone]), "only the declared loss is accepted");
}

#[sqlx::test(migrations = false)]
async fn after_a_restore_of_everything_the_anchor_says_what_is_gone(pool: PgPool) {
    let (anchor, mut superuser) = signed_log(&pool).await;
    append(&pool, tenant(2), 1).await;
    seal(&pool).await;
    let lost = published(&pool, &anchor).await;
    // A backup from before: without the last checkpoint, and without tenant 1 altogether.
    let restore = "
        ALTER TABLE stockade.audit_checkpoint DISABLE TRIGGER USER;
        ALTER TABLE stockade.audit_checkpoint_head DISABLE TRIGGER USER;
        ALTER TABLE stockade.audit_anchored DISABLE TRIGGER USER;
        DELETE FROM stockade.audit_checkpoint WHERE size = 2;
        DELETE FROM stockade.audit_checkpoint_head WHERE size = 2;
        DELETE FROM stockade.audit_anchored WHERE size = 2;
        DELETE FROM stockade.audit_link WHERE tenant_id = '00000000-0000-0000-0000-000000000001';
        DELETE FROM stockade.audit_head WHERE tenant_id = '00000000-0000-0000-0000-000000000001';
        DELETE FROM stockade.audit_entry WHERE tenant_id = '00000000-0000-0000-0000-000000000001'";
    run(&mut superuser, restore).await;
    assert_eq!(reasons(&pool, &anchor).await, [(Some(tenant(1)), RefusalReason::TenantGone { kept: 5 })]);
    let mut connection = connect(&pool, CHECKPOINTER).await;
    let signed = lost.open(signer().key()).unwrap();
    declare_restored(&mut connection, &lost, &signed, "ops-7", "disk failed").await.unwrap();
    seal(&pool).await;
    let told = Checkpointer::new(signer()).accept_restored();
    let Checkpointing::Published(next) = told.checkpoint(&mut connection, &anchor).await.unwrap() else { panic!() };
    assert_eq!(next.size(), 3, "the log goes on from what the anchor holds");
    append(&pool, tenant(1), 1).await;
    seal(&pool).await;
    assert_eq!(published(&pool, &anchor).await.size(), 4, "and needs no exception any more");
}

#[sqlx::test(migrations = false)]
async fn a_declaration_of_the_application_is_none(pool: PgPool) {
    let (anchor, mut superuser) = signed_log(&pool).await;
    run(&mut superuser, CUT).await;
    let kept = anchor.last().snapshot().head(tenant(1)).unwrap().head;
    let statement = stockade_audit_chain::Loss::statement(3, kept.seq, &kept.hash);
    let actor = stockade_audit_chain::Actor::user("mallory");
    let entry = stockade_audit_chain::Entry::new(tenant(1), actor, stockade_audit_chain::Loss::ACTION).after(statement);
    let mut app = connect(&pool, APP).await;
    let mut tx = crate::support::scope(&mut app, tenant(1)).await;
    let receipt = stockade_audit_chain::postgres::record(&mut *tx, &entry).await.unwrap();
    tx.commit().await.unwrap();
    seal(&pool).await;
    let options = VerifyOptions::new().kept_checkpoint(proven(&anchor.last(), 1)).accept_restored();
    assert_eq!(
        findings(&verify(&mut superuser, tenant(1), &options).await.unwrap()),
        [(Some(4), Finding::Truncated { kept: 5 })]
    );
    for role in [APP, SEALER] {
        let mut connection = connect(&pool, role).await;
        let insert = sqlx::query(
            "INSERT INTO stockade.audit_restored VALUES ('00000000-0000-0000-0000-000000000001', $1, 3, 5, $2)",
        );
        let refused = insert.bind(receipt.entry_id).bind(&kept.hash.as_bytes()[..]).execute(&mut connection).await;
        assert_eq!(sqlstate(refused), "42501", "{role}");
    }
}

#[sqlx::test(migrations = false)]
async fn the_checkpointer_can_change_nothing_and_record_nothing_else(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 2).await;
    seal(&pool).await;
    published(&pool, &Kept::default()).await;
    let mut connection = connect(&pool, CHECKPOINTER).await;
    for attack in [
        "UPDATE stockade.audit_checkpoint SET note = ''",
        "DELETE FROM stockade.audit_checkpoint",
        "DELETE FROM stockade.audit_checkpoint_head",
        "TRUNCATE stockade.audit_checkpoint",
        "DELETE FROM stockade.audit_anchored",
        "UPDATE stockade.audit_restored SET kept_seq = 9",
        "DELETE FROM stockade.audit_link",
        "UPDATE stockade.audit_head SET seq = 9",
        "DELETE FROM stockade.audit_unsealed",
        "SELECT FROM stockade.audit_entry",
        "SELECT FROM stockade.audit_payload",
        "SET ROLE stockade_owner",
    ] {
        assert_eq!(sqlstate(sqlx::raw_sql(attack).execute(&mut connection).await), "42501", "{attack}");
    }
    let entry = crate::support::entry(tenant(1), 1);
    let refused = stockade_audit_chain::postgres::record(&mut connection, &entry).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused);
    // And the superuser, while the triggers are on.
    for attack in ["DELETE FROM stockade.audit_checkpoint", "TRUNCATE stockade.audit_checkpoint_head"] {
        assert_eq!(sqlstate(sqlx::raw_sql(attack).execute(&pool).await), "42501", "{attack}");
    }
    // The application sees what concerns its tenant.
    let mut app = connect(&pool, APP).await;
    for (reader, heads) in [(1, 1), (2, 0)] {
        let mut tx = crate::support::scope(&mut app, tenant(reader)).await;
        let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM stockade.audit_checkpoint_head")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        assert_eq!(seen, heads);
    }
}

#[sqlx::test(migrations = false)]
async fn a_second_postgresql_keeps_each_publication_once(pool: PgPool) {
    let (kept, _) = signed_log(&pool).await;
    append(&pool, tenant(1), 1).await;
    seal(&pool).await;
    published(&pool, &kept).await;
    sqlx::raw_sql(PgAnchor::SCHEMA).execute(&pool).await.unwrap();
    let anchor = PgAnchor::new(pool.clone(), ORIGIN);
    assert_eq!(anchor.fetch_latest().await.unwrap(), None);
    let all = kept.all().clone();
    let [first, second] = <[Publication; 2]>::try_from(all).unwrap();
    for publication in [&first, &first, &second, &second] {
        anchor.publish(publication).await.unwrap();
        assert_eq!(anchor.fetch_latest().await.unwrap().as_ref(), Some(publication));
    }
    assert!(anchor.publish(&first).await.is_err());
    let fork = Publication::sign(Some(&first), first.snapshot().clone(), &signer()).await.unwrap();
    assert!(anchor.publish(&fork).await.is_err());
    assert_eq!(PgAnchor::new(pool.clone(), "example.com/other").fetch_latest().await.unwrap(), None);
    for attack in ["DELETE", "UPDATE", "TRUNCATE"] {
        let attack = match attack {
            "DELETE" => "DELETE FROM stockade_anchor.publication",
            "UPDATE" => "UPDATE stockade_anchor.publication SET size = 9",
            _ => "TRUNCATE stockade_anchor.publication",
        };
        assert_eq!(sqlstate(sqlx::raw_sql(attack).execute(&pool).await), "42501", "{attack}");
    }
    // What it keeps is a previous checkpoint like any other.
    let unchanged =
        Checkpointer::new(signer()).checkpoint(&mut connect(&pool, CHECKPOINTER).await, &anchor).await.unwrap();
    assert_eq!(unchanged, Checkpointing::Unchanged(second));
}
