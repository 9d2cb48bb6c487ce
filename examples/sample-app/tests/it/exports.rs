//! What leaves the log, and what proves it.

use http::StatusCode;
use sample_app::seed::{ACME, BRIGHT, OWNER, VIEWER};
use sqlx::PgPool;
use stockade::audit_chain::{BundleVerifier, Conclusion, postgres::VerifyOptions, postgres::verify};

use crate::browser::{Browser, app};

#[sqlx::test(migrations = false)]
async fn a_bundle_is_the_whole_log_and_verifies_without_the_database(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    app.seal_now().await.unwrap();
    let bundle = owner.get("/audit.bundle").await;
    assert_eq!(bundle.status, StatusCode::OK);

    let mut sealer = app.sealer().await.unwrap();
    let report = verify(&mut *sealer, ACME.id.into(), &VerifyOptions::default()).await.unwrap();
    let kept = *report.head().unwrap();
    drop(sealer);
    let read = BundleVerifier::new().kept_head(kept).verify(bundle.text.as_bytes()).unwrap();
    assert!(read.is_intact() && read.is_complete(), "{read:?}");

    let forged = bundle.text.replacen("tenant.provision", "tenant.provisioN", 1);
    let read = BundleVerifier::new().kept_head(kept).verify(forged.as_bytes());
    assert!(read.is_err() || read.unwrap().conclusion() == Conclusion::Tampered);

    // The download announced itself before it began and said afterwards how much it was.
    app.seal_now().await.unwrap();
    let log = owner.get("/audit?action=audit.exported").await.text;
    assert!(log.contains("bundle") && log.contains("sha256"), "{log}");
}

#[sqlx::test(migrations = false)]
async fn lines_of_json_are_the_tenants_own(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let lines = owner.get("/audit.jsonl?action=tenant.provision").await.text;
    let rows: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["tenant"], ACME.id.to_string());
}

#[sqlx::test(migrations = false)]
async fn an_entry_has_a_page_with_its_proof(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    app.seal_now().await.unwrap();
    let page = owner.get("/audit/entries/1").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("is in the tree of all"), "{}", page.text);
    let one = owner.get("/audit/entries/1/bundle").await;
    assert_eq!((one.status, one.text.lines().count() > 2), (StatusCode::OK, true));
    assert_eq!(owner.get("/audit/entries/999999").await.status, StatusCode::NOT_FOUND);

    // What a colleague without the right asks for, and what another tenant's owner sees at the same address.
    let mut viewer = Browser::signed_in(&app, &ACME, &VIEWER).await;
    assert_eq!(viewer.get("/audit/entries/1").await.status, StatusCode::FORBIDDEN);
    assert_eq!(viewer.get("/audit.bundle").await.status, StatusCode::FORBIDDEN);
    let mut other = Browser::signed_in(&app, &BRIGHT, &OWNER).await;
    app.seal_now().await.unwrap();
    let theirs = other.get("/audit/entries/1").await;
    assert_eq!(theirs.status, StatusCode::OK);
    assert_ne!(theirs.text.find("Hash of the entry"), None);
    let hash = |text: &str| text.split("Hash of the entry").nth(1).unwrap().chars().take(120).collect::<String>();
    assert_ne!(hash(&theirs.text), hash(&page.text));
}
