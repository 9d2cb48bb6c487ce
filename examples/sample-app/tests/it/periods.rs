//! Closing a fiscal period, softly and for good, and opening it again.

use http::StatusCode;
use sample_app::seed::{ACCOUNTANT, ACME, OWNER};
use sqlx::PgPool;
use uuid::Uuid;

use crate::browser::{Browser, Page, app};

async fn post(browser: &mut Browser, day: &str, adjustment: &str) -> Page {
    let form = [
        ("posted_on", day),
        ("account", "4000 Freight revenue"),
        ("memo", "late"),
        ("amount", "-5.00"),
        ("adjustment", adjustment),
    ];
    browser.post("/ledger/postings", &form).await
}

/// The earliest period of Acme, and its last day.
async fn period(pool: &PgPool) -> (Uuid, String) {
    sqlx::query_as(
        "SELECT id, ends_on::text FROM freight.fiscal_period WHERE tenant_id = $1 ORDER BY starts_on LIMIT 1",
    )
    .bind(ACME.id)
    .fetch_one(pool)
    .await
    .unwrap()
}

#[sqlx::test(migrations = false)]
async fn a_soft_close_takes_adjustments_only(pool: PgPool) {
    let app = app(&pool).await;
    let (id, day) = period(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let mut accountant = Browser::signed_in(&app, &ACME, &ACCOUNTANT).await;
    assert_eq!(post(&mut accountant, &day, "").await.status, StatusCode::SEE_OTHER);
    assert_eq!(accountant.post(&format!("/ledger/periods/{id}/close-softly"), &[]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(owner.post(&format!("/ledger/periods/{id}/close-softly"), &[]).await.status, StatusCode::SEE_OTHER);

    let refused = post(&mut owner, &day, "").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("softly closed"), "{}", refused.text);
    assert_eq!(post(&mut accountant, &day, "I need to").await.status, StatusCode::FORBIDDEN);
    assert_eq!(post(&mut owner, &day, "late invoice").await.status, StatusCode::SEE_OTHER);
    let reasons: Vec<String> =
        sqlx::query_scalar("SELECT reason FROM stockade.rls_period_event WHERE action = 'adjust'")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert_eq!(reasons, ["late invoice"]);
}

#[sqlx::test(migrations = false)]
async fn a_period_opens_again_for_a_reason_and_for_whoever_may(pool: PgPool) {
    let app = app(&pool).await;
    let (id, day) = period(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let mut accountant = Browser::signed_in(&app, &ACME, &ACCOUNTANT).await;
    assert_eq!(owner.post(&format!("/ledger/periods/{id}/close"), &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(post(&mut owner, &day, "late invoice").await.status, StatusCode::UNPROCESSABLE_ENTITY);

    let reopen = format!("/ledger/periods/{id}/reopen");
    assert_eq!(accountant.post(&reopen, &[("reason", "please")]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(owner.post(&reopen, &[("reason", "  ")]).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(owner.post(&reopen, &[("reason", "audit finding 7")]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(post(&mut owner, &day, "").await.status, StatusCode::SEE_OTHER);
    let kept: (String, Option<Uuid>) =
        sqlx::query_as("SELECT reason, actor_id FROM stockade.rls_period_event WHERE action = 'reopen'")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(kept.0, "audit finding 7");
    assert!(kept.1.is_some(), "the database knows who");
}
