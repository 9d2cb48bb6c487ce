//! Getting in, and being put out again.

use http::StatusCode;
use sample_app::seed::{self, ACME, BRIGHT, DISPATCHER, OWNER, PASSWORD, VIEWER};
use sqlx::PgPool;

use crate::browser::{Browser, app};

#[sqlx::test(migrations = false)]
async fn a_password_alone_does_not_open_an_account_with_codes(pool: PgPool) {
    let app = app(&pool).await;
    let mut browser = Browser::new(&app);
    let page = browser.post("/sign-in", &[("email", "ana@acme.test"), ("password", PASSWORD)]).await;
    assert_eq!(page.location.as_deref(), Some("/sign-in/code"));
    assert_eq!(browser.get("/loads").await.location.as_deref(), Some("/sign-in"));

    let code = seed::current_code(&OWNER).unwrap();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    assert_eq!(browser.post("/sign-in/code", &[("code", wrong)]).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.post("/sign-in/code", &[("code", &code)]).await.location.as_deref(), Some("/loads"));
    assert_eq!(browser.get("/loads").await.status, StatusCode::OK);
}

#[sqlx::test(migrations = false)]
async fn refusals_do_not_tell_who_exists(pool: PgPool) {
    let app = app(&pool).await;
    let mut browser = Browser::new(&app);
    let known = browser.post("/sign-in", &[("email", "vic@acme.test"), ("password", "wrong password")]).await;
    let unknown = browser.post("/sign-in", &[("email", "nob@acme.test"), ("password", "wrong password")]).await;
    assert_eq!(known.status, StatusCode::UNAUTHORIZED);
    assert_eq!(unknown.status, known.status);
    assert_eq!(unknown.text.replace("nob@", "vic@"), known.text);
}

#[sqlx::test(migrations = false)]
async fn the_sixth_guess_in_a_quarter_of_an_hour_is_not_looked_at(pool: PgPool) {
    let app = app(&pool).await;
    let mut browser = Browser::new(&app);
    for _ in 0..5 {
        let page = browser.post("/sign-in", &[("email", "vic@acme.test"), ("password", "wrong password")]).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    }
    // Not even the right password: the limit does not depend on what is tried.
    let page = browser.post("/sign-in", &[("email", "vic@acme.test"), ("password", PASSWORD)]).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    assert!((1..=900).contains(&page.retry_after.unwrap()));
    // Another account is not affected.
    Browser::signed_in(&app, &BRIGHT, &VIEWER).await;
}

#[sqlx::test(migrations = false)]
async fn signing_out_everywhere_ends_the_other_browser_too(pool: PgPool) {
    let app = app(&pool).await;
    let mut one = Browser::signed_in(&app, &ACME, &DISPATCHER).await;
    let mut other = Browser::signed_in(&app, &ACME, &DISPATCHER).await;
    let mut colleague = Browser::signed_in(&app, &ACME, &VIEWER).await;
    assert_eq!(one.post("/sign-out/everywhere", &[]).await.location.as_deref(), Some("/sign-in"));
    assert_eq!(other.get("/loads").await.location.as_deref(), Some("/sign-in"));
    assert_eq!(colleague.get("/loads").await.status, StatusCode::OK);
}

#[sqlx::test(migrations = false)]
async fn signing_out_ends_the_session_not_only_the_cookie(pool: PgPool) {
    let app = app(&pool).await;
    let mut browser = Browser::signed_in(&app, &ACME, &VIEWER).await;
    let mut thief = browser.clone_cookies(&app);
    browser.post("/sign-out", &[]).await;
    assert_eq!(thief.get("/loads").await.location.as_deref(), Some("/sign-in"));
}
