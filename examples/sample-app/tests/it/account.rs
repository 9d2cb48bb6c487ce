//! One's own account: sessions, second factor, recovery codes, password, and what others cannot do about it.

use std::sync::Arc;

use http::StatusCode;
use sample_app::{
    app::App,
    seed::{ACCOUNTANT, ACME, BRIGHT, DISPATCHER, OWNER, PASSWORD, VIEWER, current_code},
};
use sqlx::PgPool;

use crate::browser::{Browser, app};

const WARNING: i16 = 2;

fn ids(text: &str, before: &str, after: &str) -> Vec<String> {
    text.split(before).skip(1).filter_map(|rest| rest.split_once(after)).map(|(id, _)| id.to_owned()).collect()
}

/// The code of a seed that a page shows, `steps` of 30 seconds from now.
fn code(page: &str, steps: i64) -> String {
    let seed = page.split("<p class=\"mono long\">").nth(1).unwrap().split('<').next().unwrap();
    let totp = totp_rs::Builder::new().with_secret(totp_rs::Secret::try_from_base32(seed).unwrap().as_ref()).build();
    let now = chrono::Utc::now().timestamp() + 30 * steps;
    totp.unwrap().generate(now.try_into().unwrap()).to_string()
}

/// Sets up a second factor for whoever is signed in, and signs in with it.
async fn enrol(browser: &mut Browser, email: &str) {
    let page = browser.post("/enrol", &[]).await;
    assert!(page.text.contains("<svg ") && !page.text.contains("<?xml"), "{}", page.text);
    let wrong = browser.post("/enrol/confirm", &[("code", "123")]).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    let done = browser.post("/enrol/confirm", &[("code", &code(&page.text, -1))]).await;
    assert_eq!(done.location.as_deref(), Some("/sign-in"));
    assert_eq!(browser.get("/loads").await.location.as_deref(), Some("/sign-in"), "every session has ended");
    browser.post("/sign-in", &[("email", email), ("password", PASSWORD)]).await;
    let entered = browser.post("/sign-in/code", &[("code", &code(&page.text, 1))]).await;
    assert_eq!(entered.location.as_deref(), Some("/loads"), "{}", entered.text);
}

async fn severity(app: &Arc<App>, pool: &PgPool, action: &str) -> Vec<i16> {
    app.seal_now().await.unwrap();
    sqlx::query_scalar("SELECT severity FROM stockade.audit_entry WHERE action = $1 AND tenant_id = $2")
        .bind(action)
        .bind(ACME.id)
        .fetch_all(pool)
        .await
        .unwrap()
}

#[sqlx::test(migrations = false)]
async fn a_lost_telephone_is_answered_by_a_recovery_code_and_each_works_once(pool: PgPool) {
    let app = app(&pool).await;
    let mut browser = Browser::signed_in(&app, &ACME, &VIEWER).await;
    assert!(browser.get("/account/second-factor").await.text.contains("Set it up"));
    enrol(&mut browser, "vic@acme.test").await;
    assert!(browser.get("/account/second-factor").await.text.contains("You have no recovery code"));
    let page = browser.post("/account/second-factor/recovery", &[]).await;
    let codes = ids(&page.text, "<li><code>", "</code>");
    assert_eq!(codes.len(), 10, "{}", page.text);
    let again = browser.get("/account/second-factor").await.text;
    assert!(again.contains("10 left") && !codes.iter().any(|code| again.contains(code)), "{again}");

    let mut elsewhere = Browser::new(&app);
    elsewhere.post("/sign-in", &[("email", "vic@acme.test"), ("password", PASSWORD)]).await;
    assert!(elsewhere.get("/sign-in/recovery").await.text.contains("One of the ten"));
    let wrong = elsewhere.post("/sign-in/recovery", &[("code", "0000-0000-0000-0000-0000-0000")]).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    let typed = codes[3].to_lowercase().replace('-', " ");
    let right = elsewhere.post("/sign-in/recovery", &[("code", &typed)]).await;
    assert_eq!(right.location.as_deref(), Some("/loads"));
    assert!(elsewhere.get("/account/second-factor").await.text.contains("9 left"));

    let mut thief = Browser::new(&app);
    thief.post("/sign-in", &[("email", "vic@acme.test"), ("password", PASSWORD)]).await;
    let reused = thief.post("/sign-in/recovery", &[("code", &codes[3])]).await;
    assert_eq!(reused.status, StatusCode::UNAUTHORIZED);
    // A code belongs to one person.
    let mut other = Browser::new(&app);
    other.post("/sign-in", &[("email", "ana@acme.test"), ("password", PASSWORD)]).await;
    assert_eq!(other.post("/sign-in/recovery", &[("code", &codes[4])]).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(severity(&app, &pool, "session.recovery_use").await, [WARNING]);
}

#[sqlx::test(migrations = false)]
async fn nobody_ends_the_session_of_somebody_else_from_their_own_page(pool: PgPool) {
    let app = app(&pool).await;
    let mut victim = Browser::signed_in(&app, &ACME, &DISPATCHER).await;
    let mut stranger = Browser::signed_in(&app, &BRIGHT, &DISPATCHER).await;
    Browser::signed_in(&app, &ACME, &DISPATCHER).await;
    let page = victim.get("/account/sessions").await.text;
    let other = ids(&page, "/account/sessions/", "/end\"");
    assert_eq!(other.len(), 1, "{page}");
    let path = format!("/account/sessions/{}/end", other[0]);
    let mut colleague = Browser::signed_in(&app, &ACME, &VIEWER).await;
    for browser in [&mut stranger, &mut colleague] {
        assert_eq!(browser.post(&path, &[]).await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(victim.get("/account/sessions").await.text.matches("/end\"").count(), 1);
    assert_eq!(victim.post(&path, &[]).await.location.as_deref(), Some("/account/sessions"));
    assert_eq!(victim.post(&path, &[]).await.status, StatusCode::NOT_FOUND, "it has ended");
}

#[sqlx::test(migrations = false)]
async fn ending_all_others_leaves_this_one_and_other_people_alone(pool: PgPool) {
    let app = app(&pool).await;
    let mut one = Browser::signed_in(&app, &ACME, &DISPATCHER).await;
    let mut two = Browser::signed_in(&app, &ACME, &DISPATCHER).await;
    let mut colleague = Browser::signed_in(&app, &ACME, &VIEWER).await;
    one.post("/account/sessions/end-others", &[]).await;
    assert_eq!(one.get("/loads").await.status, StatusCode::OK);
    assert_eq!(two.get("/loads").await.location.as_deref(), Some("/sign-in"));
    assert_eq!(colleague.get("/loads").await.status, StatusCode::OK);
}

#[sqlx::test(migrations = false)]
async fn a_changed_password_ends_the_other_sessions_and_the_token_of_this_one(pool: PgPool) {
    let app = app(&pool).await;
    let mut browser = Browser::signed_in(&app, &ACME, &ACCOUNTANT).await;
    let mut thief = browser.clone_cookies(&app);
    let new = "a horse of another colour";
    let change = async |browser: &mut Browser, current, new| {
        browser.post("/account/password", &[("current", current), ("new", new)]).await
    };
    let wrong = change(&mut browser, "not the password", new).await;
    assert!(wrong.status == StatusCode::UNPROCESSABLE_ENTITY && wrong.text.contains("not right"), "{}", wrong.text);
    let bad = change(&mut browser, PASSWORD, "amy@acme.test1").await;
    assert!(bad.text.contains("will not do"), "{}", bad.text);
    assert_eq!(thief.get("/ledger").await.status, StatusCode::OK, "the control");
    assert_eq!(change(&mut browser, PASSWORD, new).await.location.as_deref(), Some("/account/sessions"));
    assert_eq!(browser.get("/ledger").await.status, StatusCode::OK, "whoever changed it goes on");
    assert_eq!(thief.get("/ledger").await.location.as_deref(), Some("/sign-in"));
    let mut fresh = Browser::new(&app);
    let old = fresh.post("/sign-in", &[("email", "amy@acme.test"), ("password", PASSWORD)]).await;
    assert_eq!(old.status, StatusCode::UNAUTHORIZED);
    let right = fresh.post("/sign-in", &[("email", "amy@acme.test"), ("password", new)]).await;
    assert_eq!(right.location.as_deref(), Some("/loads"));
}

#[sqlx::test(migrations = false)]
async fn a_session_that_is_not_fresh_proves_again_who_is_there(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let age = "UPDATE stockade.auth_session SET authenticated_at = authenticated_at - interval '11 minutes'";
    sqlx::query(age).execute(&pool).await.unwrap();
    for path in ["/account/second-factor/remove", "/account/second-factor/recovery"] {
        let page = owner.post(path, &[]).await;
        assert_eq!(page.location.as_deref(), Some("/account/proof?for=second-factor"), "{path}");
    }
    let page = owner.post("/account/tokens", &[("name", "x"), ("days", "1"), ("load.view", "on")]).await;
    assert_eq!(page.location.as_deref(), Some("/account/proof?for=tokens"));
    assert_eq!(owner.get("/account/proof?for=//evil.test").await.status, StatusCode::NOT_FOUND);
    let wrong = owner.post("/account/proof", &[("for", "tokens"), ("password", "wrong password")]).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    let mut thief = owner.clone_cookies(&app);
    let right = owner.post("/account/proof", &[("for", "tokens"), ("password", PASSWORD)]).await;
    assert_eq!(right.location.as_deref(), Some("/account/tokens"), "{}", right.text);
    assert_eq!(owner.post("/account/second-factor/recovery", &[]).await.status, StatusCode::OK);
    assert_eq!(thief.get("/loads").await.location.as_deref(), Some("/sign-in"), "the token is another one");
}

#[sqlx::test(migrations = false)]
async fn whoever_removes_the_factor_signs_in_with_the_password_alone(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let gone = owner.post("/account/second-factor/remove", &[]).await;
    assert_eq!(gone.location.as_deref(), Some("/sign-in"));
    let page = owner.post("/sign-in", &[("email", "ana@acme.test"), ("password", PASSWORD)]).await;
    assert_eq!(page.location.as_deref(), Some("/loads"));
    // What asks for the factor is refused to the same person now.
    assert_eq!(owner.get("/administration").await.status, StatusCode::FORBIDDEN);
    assert!(current_code(&OWNER).is_ok());
}
