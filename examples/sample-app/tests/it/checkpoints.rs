//! Signed checkpoints: what they vouch for, and what contradicts them.

use std::{fs, os::unix::fs::PermissionsExt as _};

use http::StatusCode;
use sample_app::{
    app::App,
    database::{Prefix, Server},
    evidence::Evidence,
    limits::Counting,
    secrets::Pair,
    seed::{self, ACME, BRIGHT, OWNER},
    watch::Found,
};
use sqlx::{ConnectOptions as _, PgPool, raw_sql};
use stockade::{
    audit_chain::{
        BundleVerifier, Conclusion, LocalSigner, Signer as _, VerifierKey,
        postgres::{Checkpointing, Filter, RefusalReason, VerifyOptions, search, verify},
    },
    bridge::PLATFORM,
    tenant_guard::TenantId,
};

use crate::browser::{Browser, app, rand_id};

/// The key as the administration page shows it.
async fn shown_key(owner: &mut Browser) -> VerifierKey {
    let page = owner.get("/administration").await.text;
    let key = page.split("<p class=\"mono long\">").nth(1).unwrap().split("</p>").next().unwrap();
    key.parse().unwrap()
}

/// What an attacker with every right does to a chain: its last entry goes, and the head goes back.
async fn cut_off(pool: &PgPool, tenant: uuid::Uuid) {
    let mut tx = pool.begin().await.unwrap();
    raw_sql(
        "ALTER TABLE stockade.audit_link DISABLE TRIGGER ALL; ALTER TABLE stockade.audit_head DISABLE TRIGGER ALL;
        ALTER TABLE stockade.audit_entry DISABLE TRIGGER ALL",
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    let (seq, entry): (i64, uuid::Uuid) = sqlx::query_as(
        "DELETE FROM stockade.audit_link WHERE tenant_id = $1 AND seq = (SELECT seq FROM stockade.audit_head WHERE tenant_id = $1) RETURNING seq, entry_id",
    )
    .bind(tenant)
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    sqlx::query("DELETE FROM stockade.audit_entry WHERE entry_id = $1").bind(entry).execute(&mut *tx).await.unwrap();
    sqlx::query(
        "UPDATE stockade.audit_head h SET seq = l.seq, hash = l.hash FROM stockade.audit_link l
         WHERE h.tenant_id = $1 AND l.tenant_id = $1 AND l.seq = $2",
    )
    .bind(tenant)
    .bind(seq - 1)
    .execute(&mut *tx)
    .await
    .unwrap();
    raw_sql(
        "ALTER TABLE stockade.audit_link ENABLE TRIGGER ALL; ALTER TABLE stockade.audit_head ENABLE TRIGGER ALL;
        ALTER TABLE stockade.audit_entry ENABLE TRIGGER ALL",
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

#[sqlx::test(migrations = false)]
async fn a_bundle_is_vouched_for_by_the_key_that_the_administration_page_shows(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let key = shown_key(&mut owner).await;
    let stranger = LocalSigner::from_seed(key.name(), &[7; 32]).unwrap();
    for path in ["/audit.bundle", "/audit/entries/1/bundle"] {
        let bundle = owner.get(path).await;
        assert_eq!(bundle.status, StatusCode::OK, "{path}");
        let read = BundleVerifier::new().key(key.clone()).verify(bundle.text.as_bytes()).unwrap();
        assert!(read.is_intact() && read.is_complete(), "{path}: {read:?}");
        let read = BundleVerifier::new().key(stranger.key().clone()).verify(bundle.text.as_bytes()).unwrap();
        assert_eq!(read.conclusion(), Conclusion::Unverifiable, "{path}: nothing vouches but the right key");
    }
}

#[sqlx::test(migrations = false)]
async fn the_log_says_what_is_signed_and_what_is_newer(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    assert!(owner.get("/audit").await.text.contains("No checkpoint has been signed yet."));
    app.seal_now().await.unwrap();
    let proof = owner.get("/audit/entries/1").await.text;
    assert!(proof.contains("No checkpoint signs that root yet"), "{proof}");

    app.checkpoint_now().await.unwrap();
    let log = owner.get("/audit").await.text;
    assert!(log.contains("Checkpoint 1 of") && log.contains("which are all") && log.contains("acknowledged"), "{log}");
    let proof = owner.get("/audit/entries/1").await.text;
    assert!(proof.contains("Checkpoint 1 signs that root.") && proof.contains("freight-desk.example/audit"), "{proof}");

    owner.get("/audit.csv").await;
    app.seal_now().await.unwrap();
    let log = owner.get("/audit").await.text;
    assert!(log.contains("2 are newer"), "{log}");
}

#[sqlx::test(migrations = false)]
async fn a_log_that_was_cut_off_is_not_signed_and_its_own_tenant_is_told_so(pool: PgPool) {
    let app = app(&pool).await;
    app.checkpoint_now().await.unwrap();
    cut_off(&pool, BRIGHT.id).await;

    // The chain alone shows nothing. What shows it is the copy that the database's ruler could not reach.
    let mut sealer = app.sealer().await.unwrap();
    let alone = verify(&mut *sealer, BRIGHT.id.into(), &VerifyOptions::default()).await.unwrap();
    assert!(alone.is_intact(), "{:?}", alone.verdicts());
    let compared = app.watch.verify(&mut *sealer, BRIGHT.id.into()).await.unwrap();
    assert_eq!(compared.conclusion(), Conclusion::Tampered);
    drop(sealer);

    app.checkpoint_now().await.unwrap();
    app.checkpoint_now().await.unwrap();
    let Some(Found::Answered(Checkpointing::Refused(refusals))) = app.watch.checkpointed().map(|last| last.found)
    else {
        panic!("{:?}", app.watch.checkpointed());
    };
    assert_eq!(refusals.len(), 1);
    let mut tx = app.tenants.begin(TenantId::new(PLATFORM)).await.unwrap();
    let told = search(&mut tx, &Filter::new(PLATFORM.into()).action("checkpoint.refuse")).await.unwrap().rows;
    tx.rollback().await.unwrap();
    assert_eq!(told.len(), 1, "once, when it begins");

    let mut own = Browser::signed_in(&app, &BRIGHT, &OWNER).await;
    let page = own.get("/audit").await.text;
    assert!(page.contains("contradicts its last checkpoint") && page.contains("Your chain ends at"), "{page}");
    let posture = own.get("/posture.json").await.text;
    assert!(posture.contains("the log contradicts its last checkpoint"), "{posture}");

    let mut other = Browser::signed_in(&app, &ACME, &OWNER).await;
    let page = other.get("/audit").await.text;
    assert!(page.contains("The chain of another tenant ends at") && !page.contains(BRIGHT.name), "{page}");
    // The last checkpoint still vouches for what this tenant had then.
    let key = app.watch.key().clone();
    let bundle = other.get("/audit.bundle").await;
    let read = BundleVerifier::new().key(key).verify(bundle.text.as_bytes()).unwrap();
    assert!(read.is_intact(), "{read:?}");
}

async fn start(pool: &PgPool, pair: &Pair, evidence: Evidence) -> App {
    let server = Server::at(pool.connect_options().as_ref().clone());
    let prefix = Prefix::scratch(rand_id());
    App::start(&server, prefix, pair.parse().unwrap(), &Counting::Memory, evidence).await.unwrap()
}

#[sqlx::test(migrations = false)]
async fn an_anchor_that_was_set_back_stops_signing_unless_another_remembers(pool: PgPool) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("checkpoints.jsonl");
    let pair = Pair::generate().unwrap();
    let second = pool.connect_options().to_url_lossy();
    let two = start(&pool, &pair, Evidence::open(folder.path(), Some(second.as_str())).await.unwrap()).await;
    two.checkpoint_now().await.unwrap();
    seed::fill(&two).await.unwrap();
    two.checkpoint_now().await.unwrap();
    fs::remove_file(&file).unwrap();
    two.checkpoint_now().await.unwrap();
    let found = two.watch.checkpointed().unwrap().found;
    assert!(matches!(found, Found::Answered(Checkpointing::Unchanged(_))), "{found:?}");
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 1, "the file has it again");

    let one = start(&pool, &pair, Evidence::open(folder.path(), None).await.unwrap()).await;
    fs::remove_file(&file).unwrap();
    one.checkpoint_now().await.unwrap();
    let Found::Answered(Checkpointing::Refused(refusals)) = one.watch.checkpointed().unwrap().found else {
        panic!("it was signed");
    };
    assert!(matches!(refusals[0].reason, RefusalReason::AnchorBehind { stored: 2 }), "{refusals:?}");

    // An anchor that does not answer is no anchor that is empty.
    fs::create_dir(&file).unwrap();
    assert!(two.checkpoint_now().await.is_err());
    assert_eq!(two.watch.checkpointed().unwrap().found, Found::Failed);
}

#[tokio::test]
async fn the_signing_key_is_in_a_file_that_nobody_else_may_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.key");
    drop(Evidence::open(folder.path(), None).await.unwrap());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let kept = fs::read_to_string(&path).unwrap();
    drop(Evidence::open(folder.path(), None).await.unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), kept, "the second start has the key of the first");

    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let error = format!("{:#}", Evidence::open(folder.path(), None).await.unwrap_err());
    assert!(error.contains("others may read the signing key") && !error.contains(&kept), "{error}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, "not a key").unwrap();
    let error = format!("{:#}", Evidence::open(folder.path(), None).await.unwrap_err());
    assert!(error.contains("base64 of 32 bytes") && !error.contains("not a key"), "{error}");
}
