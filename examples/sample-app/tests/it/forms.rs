//! Bad input gets a message on the form, and nothing is lost or half-done.

use http::StatusCode;
use sample_app::{
    domain::ledger,
    seed::{ACME, OWNER},
};
use sqlx::PgPool;
use stockade::tenant_guard::TenantId;

use crate::browser::{Browser, app, loads};

#[sqlx::test(migrations = false)]
async fn a_wrong_amount_is_named_and_kept_in_the_form(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let load = loads(&pool, &ACME).await.remove(0);
    let path = format!("/loads/{}", load.id);
    for (rate, status) in
        [("twelve", "booked"), ("-5", "booked"), ("", "booked"), ("1e9", "booked"), ("100", "teleported")]
    {
        let page = owner.post(&path, &[("rate", rate), ("status", status)]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{rate} {status}");
        assert!(page.text.contains("class=\"error\""), "{rate} {status}");
        assert!(page.text.contains(&format!("value=\"{rate}\"")), "{rate} is still there");
    }
    let page = owner.post(&path, &[("rate", "1,999.50"), ("status", "delivered")]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    let after = loads(&pool, &ACME).await.remove(0);
    assert_eq!((after.rate_cents.0, after.status.as_str()), (199_950, "delivered"));
}

#[sqlx::test(migrations = false)]
async fn a_posting_into_a_closed_period_is_refused_on_the_form(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let mut tx = app.tenants.begin(TenantId::new(ACME.id)).await.unwrap();
    let period = ledger::periods(&mut tx).await.unwrap().pop().unwrap();
    let before = ledger::postings(&mut tx).await.unwrap().len();
    tx.rollback().await.unwrap();
    let day = period.ends_on.to_string();
    let form = [
        ("posted_on", day.as_str()),
        ("account", "5000 Carrier cost"),
        ("memo", "late carrier bill"),
        ("amount", "250"),
    ];
    assert_eq!(owner.post(&format!("/ledger/periods/{}/close", period.id), &[]).await.status, StatusCode::SEE_OTHER);
    let page = owner.post("/ledger/postings", &form).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.text.contains("The period is closed") && page.text.contains("late carrier bill"), "{}", page.text);

    for wrong in [[("posted_on", "yesterday"), ("account", ""), ("memo", " "), ("amount", "0")]] {
        let page = owner.post("/ledger/postings", &wrong).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(page.text.matches("class=\"error\"").count(), 4, "one message a field");
    }
    assert_eq!(
        owner.post("/ledger/postings", &[("amount", "1")]).await.status,
        StatusCode::BAD_REQUEST,
        "a form with missing fields"
    );

    let mut tx = app.tenants.begin(TenantId::new(ACME.id)).await.unwrap();
    assert_eq!(ledger::postings(&mut tx).await.unwrap().len(), before);
    tx.rollback().await.unwrap();
}

#[sqlx::test(migrations = false)]
async fn markup_and_formulas_are_only_text(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let today = chrono::Utc::now().date_naive().to_string();
    let memo = "=1+1 <script>alert(1)</script>";
    let form = [("posted_on", today.as_str()), ("account", "6200 Claims"), ("memo", memo), ("amount", "1")];
    assert_eq!(owner.post("/ledger/postings", &form).await.status, StatusCode::SEE_OTHER);
    for path in ["/ledger", "/audit"] {
        let page = owner.get(path).await;
        assert!(page.text.contains("&lt;script&gt;") && !page.text.contains("<script>"), "{path}");
    }
    let csv = owner.get("/audit.csv").await.text;
    assert!(csv.lines().all(|line| !line.starts_with('=')) && !csv.contains(",="), "{csv}");
}

#[sqlx::test(migrations = false)]
async fn a_search_that_makes_no_sense_says_so(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let page = owner.get("/audit?from=soon&severity=dire&after=zzz").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("not a date") && page.text.contains("no such severity"));
    let none = owner.get("/audit?action=no.such.action").await;
    assert!(none.text.contains("Nothing matches."));
    let one = owner.get("/audit?action=tenant.provision&from=2020-01-01").await;
    assert!(one.text.contains("<code>tenant.provision</code>") && !one.text.contains("session.sign_in</code>"));
}

#[sqlx::test(migrations = false)]
async fn an_address_that_makes_no_sense_is_a_page_too(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    for path in ["/account/proof", "/audit?from=1&from=2", "/roles?permission=a&permission=b"] {
        let page = owner.get(path).await;
        assert!(page.status.is_client_error() && page.text.contains("Not understood"), "{path}: {}", page.text);
    }
}
