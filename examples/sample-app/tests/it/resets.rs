//! Forgotten passwords.

use http::StatusCode;
use sample_app::{
    app::App,
    seed::{ACME, OWNER, PASSWORD, SUPPORT, VIEWER},
};
use sqlx::PgPool;

use crate::browser::{Browser, app};

fn link(app: &App) -> String {
    app.outbox.messages().into_iter().find_map(|message| message.link).unwrap()
}

fn token(link: &str) -> &str {
    link.split_once("token=").unwrap().1
}

#[sqlx::test(migrations = false)]
async fn a_link_works_once_and_ends_the_sessions(pool: PgPool) {
    let app = app(&pool).await;
    let mut session = Browser::signed_in(&app, &ACME, &VIEWER).await;
    let mut browser = Browser::new(&app);
    browser.post("/reset", &[("email", "Vic@acme.test")]).await;
    let link = link(&app);
    assert!(browser.get(&link).await.text.contains("A new password"));
    assert_eq!(session.get("/loads").await.status, StatusCode::OK, "asking alone ends nothing");

    let short = browser.post("/reset/password", &[("token", token(&link)), ("password", "short")]).await;
    assert_eq!(short.status, StatusCode::UNPROCESSABLE_ENTITY);
    let new = "a horse of another colour";
    let done = browser.post("/reset/password", &[("token", token(&link)), ("password", new)]).await;
    assert!(done.status == StatusCode::OK && done.text.contains("is changed"), "{}", done.text);
    assert_eq!(session.get("/loads").await.location.as_deref(), Some("/sign-in"));
    let again = browser.post("/reset/password", &[("token", token(&link)), ("password", "yet another one")]).await;
    assert_eq!(again.status, StatusCode::GONE);
    for wrong in ["", "x", &token(&link).replace('A', "B")] {
        let page = browser.post("/reset/password", &[("token", wrong), ("password", "yet another one")]).await;
        assert_eq!(page.status, StatusCode::GONE, "{wrong}");
    }
    for (password, status) in [(PASSWORD, StatusCode::UNAUTHORIZED), (new, StatusCode::SEE_OTHER)] {
        let page = browser.post("/sign-in", &[("email", "vic@acme.test"), ("password", password)]).await;
        assert_eq!(page.status, status);
    }
}

#[sqlx::test(migrations = false)]
async fn a_request_tells_nobody_whether_there_is_an_account(pool: PgPool) {
    let app = app(&pool).await;
    let mut browser = Browser::new(&app);
    let known = browser.post("/reset", &[("email", "vic@acme.test")]).await;
    let unknown = browser.post("/reset", &[("email", "nobody@acme.test")]).await;
    assert_eq!((known.status, known.text), (unknown.status, unknown.text));
    assert_eq!(app.outbox.messages().len(), 1);
}

#[sqlx::test(migrations = false)]
async fn the_fourth_request_of_an_hour_sends_nothing(pool: PgPool) {
    let app = app(&pool).await;
    let mut browser = Browser::new(&app);
    for _ in 0..3 {
        assert_eq!(browser.post("/reset", &[("email", "vic@acme.test")]).await.status, StatusCode::OK);
    }
    let page = browser.post("/reset", &[("email", "VIC@acme.test ")]).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(app.outbox.messages().len(), 3);
    assert_eq!(browser.post("/reset", &[("email", "amy@acme.test")]).await.status, StatusCode::OK);
}

/// A reset is no way around the second factor.
#[sqlx::test(migrations = false)]
async fn a_reset_leaves_the_second_factor_in_place(pool: PgPool) {
    let app = app(&pool).await;
    let mut browser = Browser::new(&app);
    browser.post("/reset", &[("email", "ana@acme.test")]).await;
    let new = "a horse of another colour";
    browser.post("/reset/password", &[("token", token(&link(&app))), ("password", new)]).await;
    let page = browser.post("/sign-in", &[("email", "ana@acme.test"), ("password", new)]).await;
    assert_eq!(page.location.as_deref(), Some("/sign-in/code"));
}

/// Whoever reads the outbox can take over accounts: nobody of a tenant does, not even its owner.
#[sqlx::test(migrations = false)]
async fn only_the_platforms_own_people_read_the_outbox(pool: PgPool) {
    let app = app(&pool).await;
    Browser::new(&app).post("/reset", &[("email", "vic@acme.test")]).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    assert_eq!(owner.get("/administration/outbox").await.status, StatusCode::FORBIDDEN);
    let mut support = Browser::signed_in(&app, &sample_app::seed::PLATFORM, &SUPPORT).await;
    let page = support.get("/administration/outbox").await;
    assert!(page.text.contains(&link(&app)), "{}", page.text);
}
