//! Legal holds and the erasure of a person's values from the audit log.

use std::sync::Arc;

use http::StatusCode;
use sample_app::{
    app::App,
    seed::{ACCOUNTANT, ACME, BRIGHT, DISPATCHER, OWNER, VIEWER},
};
use sqlx::PgPool;
use stockade::{
    audit_chain::postgres::{Filter, VerifyOptions, search, verify},
    tenant_guard::TenantId,
};

use crate::browser::{Browser, Page, app};

const HOLDS: &str = "/administration/retention/holds";
const ERASURES: &str = "/administration/retention/erasures";

fn dispatcher() -> String {
    format!("user:{}", ACME.person(&DISPATCHER))
}

async fn erase(browser: &mut Browser, who: &str, confirmed: &str) -> Page {
    let form = [("who", who), ("request", "DSR-41"), ("basis", "GDPR Art. 17(1)(b)"), ("confirmed", confirmed)];
    browser.post(ERASURES, &form).await
}

async fn place_hold(browser: &mut Browser) {
    let page = browser.post(HOLDS, &[("reason", "C-2026-11"), ("confirmed", "yes")]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
}

/// How many values were erased, over all tenants.
async fn erased(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM stockade.audit_erased").fetch_one(pool).await.unwrap()
}

async fn holds(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM stockade.audit_held").fetch_one(pool).await.unwrap()
}

/// The rows of the log that the dispatcher is the actor of, as the page shows them.
async fn log_of_dispatcher(owner: &mut Browser) -> String {
    let page = owner.get(&format!("/audit?actor={}", ACME.person(&DISPATCHER))).await.text;
    page.split("<tbody id=\"entries\">").nth(1).unwrap().split("</tbody>").next().unwrap().to_owned()
}

/// The dispatcher does something that the log keeps, with a name and an address.
async fn work(app: &Arc<App>) {
    let mut dispatcher = Browser::signed_in(app, &ACME, &DISPATCHER).await;
    assert_eq!(dispatcher.get("/audit").await.status, StatusCode::FORBIDDEN, "which is recorded");
    app.seal_now().await.unwrap();
}

async fn is_intact(app: &App) -> bool {
    app.seal_now().await.unwrap();
    let mut sealer = app.sealer().await.unwrap();
    verify(&mut *sealer, ACME.id.into(), &VerifyOptions::default()).await.unwrap().is_intact()
}

#[sqlx::test(migrations = false)]
async fn an_erasure_takes_two_steps_and_leaves_a_log_that_verifies(pool: PgPool) {
    let app = app(&pool).await;
    work(&app).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let before = log_of_dispatcher(&mut owner).await;
    assert!(before.contains("Dan Osei") && before.contains("203.0.113.7"), "{before}");

    let asked = erase(&mut owner, &dispatcher(), "").await;
    assert_eq!(asked.status, StatusCode::OK);
    assert!(asked.text.contains("Nothing has happened yet.") && asked.text.contains("DSR-41"), "{}", asked.text);
    assert_eq!(erased(&pool).await, 0);

    let done = erase(&mut owner, &dispatcher(), "yes").await;
    assert!(done.text.contains("values of Dan Osei are erased."), "{}", done.text);
    assert!(erased(&pool).await > 0);
    app.seal_now().await.unwrap();
    let after = log_of_dispatcher(&mut owner).await;
    assert!(after.contains("erased, covered by <a href=\"/audit/entries/"), "{after}");
    assert!(!after.contains("203.0.113.7"), "{after}");
    assert!(is_intact(&app).await);
    let page = owner.get("/administration/retention").await.text;
    assert!(page.contains("DSR-41") && page.contains("GDPR Art. 17(1)(b)"), "{page}");

    let again = erase(&mut owner, &dispatcher(), "yes").await;
    assert!(again.text.contains("Nothing was erased."), "{}", again.text);
}

#[sqlx::test(migrations = false)]
async fn a_drivers_values_go_and_the_driver_stays(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let driver: uuid::Uuid =
        sqlx::query_scalar("SELECT id FROM freight.drivers WHERE tenant_id = $1 AND name = 'Lena Whitfield'")
            .bind(ACME.id)
            .fetch_one(&pool)
            .await
            .unwrap();
    assert!(owner.get("/audit?action=driver.hire").await.text.contains("+1 912 555 0142"));
    let done = erase(&mut owner, &format!("driver:{driver}"), "yes").await;
    assert!(
        done.text.contains("3</strong>") || done.text.contains("3 values of Lena Whitfield, driver"),
        "{}",
        done.text
    );
    app.seal_now().await.unwrap();
    let log = owner.get("/audit?action=driver.hire").await.text;
    assert!(!log.contains("+1 912 555 0142") && log.matches("erased, covered by").count() == 3, "{log}");
    assert!(log.contains("+1 614 555 0178"), "another driver's values stay");
    assert!(owner.get("/drivers").await.text.contains("+1 912 555 0142"));
    assert!(is_intact(&app).await);
}

#[sqlx::test(migrations = false)]
async fn a_hold_refuses_the_erasure_until_it_is_released(pool: PgPool) {
    let app = app(&pool).await;
    work(&app).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let asked = owner.post(HOLDS, &[("reason", "C-2026-11")]).await;
    assert!(asked.text.contains("Nothing has happened yet."), "{}", asked.text);
    assert_eq!(holds(&pool).await, 0);
    place_hold(&mut owner).await;

    let refused = erase(&mut owner, &dispatcher(), "yes").await;
    for words in ["Nothing was erased.", "A legal hold is in force, for C-2026-11.", "ask again when it is released"] {
        assert!(refused.text.contains(words), "{words}: {}", refused.text);
    }
    assert_eq!(erased(&pool).await, 0);
    app.seal_now().await.unwrap();
    let mut tx = app.tenants.begin(TenantId::new(ACME.id)).await.unwrap();
    let told = search(&mut tx, &Filter::new(ACME.id.into()).action("retention.erase")).await.unwrap().rows;
    tx.rollback().await.unwrap();
    assert_eq!((told.len(), told[0].outcome.as_str()), (1, "denied"));

    let hold: uuid::Uuid =
        sqlx::query_scalar("SELECT hold_id FROM stockade.audit_held").fetch_one(&pool).await.unwrap();
    let release = format!("{HOLDS}/{hold}/release");
    let asked = owner.post(&release, &[("reason", "settled")]).await;
    assert!(asked.text.contains("Nothing has happened yet.") && asked.text.contains("settled"), "{}", asked.text);
    assert_eq!(holds(&pool).await, 1);
    assert_eq!(
        owner.post(&release, &[("reason", "settled"), ("confirmed", "yes")]).await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(
        owner.post(&release, &[("reason", "settled"), ("confirmed", "yes")]).await.status,
        StatusCode::NOT_FOUND
    );
    let done = erase(&mut owner, &dispatcher(), "yes").await;
    assert!(done.text.contains("values of Dan Osei are erased."), "{}", done.text);
    assert!(is_intact(&app).await);
}

#[sqlx::test(migrations = false)]
async fn whoever_may_not_is_refused_in_both_steps(pool: PgPool) {
    let app = app(&pool).await;
    work(&app).await;
    let mut accountant = Browser::signed_in(&app, &ACME, &ACCOUNTANT).await;
    let page = accountant.get("/administration/retention").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.text.contains("<form method=\"post\" action=\"/administration/retention"), "{}", page.text);
    for confirmed in ["", "yes"] {
        assert_eq!(erase(&mut accountant, &dispatcher(), confirmed).await.status, StatusCode::FORBIDDEN);
        let page = accountant.post(HOLDS, &[("reason", "C-1"), ("confirmed", confirmed)]).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
    }
    let mut viewer = Browser::signed_in(&app, &ACME, &VIEWER).await;
    assert_eq!(viewer.get("/administration/retention").await.status, StatusCode::FORBIDDEN);
    assert_eq!((erased(&pool).await, holds(&pool).await), (0, 0));
}

#[sqlx::test(migrations = false)]
async fn another_tenant_neither_sees_nor_touches(pool: PgPool) {
    let app = app(&pool).await;
    work(&app).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    place_hold(&mut owner).await;
    let hold: uuid::Uuid =
        sqlx::query_scalar("SELECT hold_id FROM stockade.audit_held").fetch_one(&pool).await.unwrap();

    let mut stranger = Browser::signed_in(&app, &BRIGHT, &OWNER).await;
    assert!(!stranger.get("/administration/retention").await.text.contains("C-2026-11"));
    for confirmed in ["", "yes"] {
        let page =
            stranger.post(&format!("{HOLDS}/{hold}/release"), &[("reason", "x"), ("confirmed", confirmed)]).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
        assert_eq!(erase(&mut stranger, &dispatcher(), confirmed).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!((erased(&pool).await, holds(&pool).await), (0, 1));
    // One tenant's hold is none of another's.
    let own = format!("user:{}", BRIGHT.person(&OWNER));
    let done = erase(&mut stranger, &own, "yes").await;
    assert!(done.text.contains("The log still verifies"), "{}", done.text);
}

#[sqlx::test(migrations = false)]
async fn a_form_with_something_missing_says_so_and_does_nothing(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let long = "x".repeat(121);
    for reason in ["", "  ", &long] {
        let page = owner.post(HOLDS, &[("reason", reason), ("confirmed", "yes")]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let who = dispatcher();
    for (who, request, basis) in [
        (who.as_str(), "", "GDPR Art. 17(1)(b)"),
        (who.as_str(), "DSR-1", "because"),
        ("user:nobody", "DSR-1", "GDPR Art. 17(1)(b)"),
    ] {
        let form = [("who", who), ("request", request), ("basis", basis), ("confirmed", "yes")];
        assert_eq!(owner.post(ERASURES, &form).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!((erased(&pool).await, holds(&pool).await), (0, 0));
}
