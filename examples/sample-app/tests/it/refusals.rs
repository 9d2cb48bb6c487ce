//! What a signed-in person may not do.

use http::StatusCode;
use sample_app::seed::{ACCOUNTANT, ACME, BRIGHT, DISPATCHER, OWNER, VIEWER};
use sqlx::PgPool;
use stockade::{
    audit_chain::postgres::{Filter, VerifyOptions, search, verify},
    tenant_guard::TenantId,
};

use crate::browser::{Browser, app, loads};

#[sqlx::test(migrations = false)]
async fn another_tenants_load_does_not_exist(pool: PgPool) {
    let app = app(&pool).await;
    let target = loads(&pool, &ACME).await.remove(0).id;

    let mut owner = Browser::signed_in(&app, &BRIGHT, &OWNER).await;
    assert_eq!(owner.get(&format!("/loads/{target}")).await.status, StatusCode::NOT_FOUND);
    let page = owner.post(&format!("/loads/{target}"), &[("rate", "1"), ("status", "booked")]).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    // Its number in the address gives nothing away: one that nobody has answers alike.
    let nobody = owner.get("/loads/00000000-0000-0000-0000-0000000000ff").await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
}

#[sqlx::test(migrations = false)]
async fn a_refusal_says_why_changes_nothing_and_is_recorded(pool: PgPool) {
    let app = app(&pool).await;
    let load = loads(&pool, &ACME).await.remove(0);

    let mut viewer = Browser::signed_in(&app, &ACME, &VIEWER).await;
    let page = viewer.post(&format!("/loads/{}", load.id), &[("rate", "1"), ("status", "booked")]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("no role grants `load.edit`"), "{}", page.text);

    let mut tx = app.tenants.begin(TenantId::new(ACME.id)).await.unwrap();
    assert_eq!(loads(&pool, &ACME).await.remove(0).rate_cents, load.rate_cents);
    let entries = search(&mut tx, &Filter::new(ACME.id.into()).action("load.edit")).await.unwrap().rows;
    tx.rollback().await.unwrap();
    let [entry] = entries.as_slice() else { panic!("one refusal, {} entries", entries.len()) };
    assert_eq!(entry.outcome.as_str(), "denied");
    assert_eq!(entry.endpoint.as_deref(), Some("/loads/{id}"));
    assert_eq!(entry.ip.unwrap().to_string(), "203.0.113.7");
}

#[sqlx::test(migrations = false)]
async fn roles_end_where_the_policy_says(pool: PgPool) {
    let app = app(&pool).await;
    let mut dispatcher = Browser::signed_in(&app, &ACME, &DISPATCHER).await;
    for path in ["/audit", "/audit.csv", "/posture"] {
        assert_eq!(dispatcher.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let mut accountant = Browser::signed_in(&app, &ACME, &ACCOUNTANT).await;
    assert_eq!(accountant.get("/audit").await.status, StatusCode::OK);
    assert_eq!(accountant.get("/audit.csv").await.status, StatusCode::FORBIDDEN);

    let driver = ACME.driver(0);
    assert_eq!(accountant.post(&format!("/drivers/{driver}/ssn"), &[]).await.status, StatusCode::FORBIDDEN);
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let page = owner.post(&format!("/drivers/{driver}/ssn"), &[]).await;
    assert!(page.text.contains("900-") && page.text.contains("revealed, recorded"));
    assert!(!owner.get("/drivers").await.text.contains("900-"), "a number stays on no page");
}

#[sqlx::test(migrations = false)]
async fn a_form_of_another_site_is_refused(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    for site in ["cross-site", "same-site"] {
        assert_eq!(owner.post_from(site, "/sign-out/everywhere", &[]).await.status, StatusCode::FORBIDDEN, "{site}");
    }
    assert_eq!(owner.get("/loads").await.status, StatusCode::OK);
}

#[sqlx::test(migrations = false)]
async fn every_page_and_the_chain_hold_after_a_day_of_work(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    for path in [
        "/loads",
        "/drivers",
        "/ledger",
        "/audit",
        "/isolation",
        "/posture",
        "/posture.json",
        "/roles",
        "/audit.csv",
        "/style.css",
        "/icon.svg",
    ] {
        assert_eq!(owner.get(path).await.status, StatusCode::OK, "{path}");
    }
    let page = owner.post("/isolation", &[]).await;
    assert!(page.text.contains("ended inside the lane"), "{}", page.text);
    let page = owner.post("/audit/verify", &[]).await;
    assert!(page.text.contains("Intact."), "{}", page.text);

    let mut tx = app.tenants.begin(TenantId::new(ACME.id)).await.unwrap();
    let report = verify(&mut tx, ACME.id.into(), &VerifyOptions::default()).await.unwrap();
    assert!(report.is_intact() && report.checked() >= 3, "{:?}", report.verdicts());
    tx.rollback().await.unwrap();
}
