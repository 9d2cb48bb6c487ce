//! What administrators decide about sign-ins.

use http::StatusCode;
use sample_app::seed::{ACME, ADMIN, BRIGHT, DISPATCHER, OWNER, PASSWORD, VIEWER};
use sqlx::PgPool;

use crate::browser::{Browser, app};

const POLICY: &str = "/administration/sign-in/policy";

#[sqlx::test(migrations = false)]
async fn a_factor_that_is_demanded_is_demanded_with_the_next_request(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let mut without = Browser::signed_in(&app, &ACME, &VIEWER).await;
    let mut elsewhere = Browser::signed_in(&app, &BRIGHT, &VIEWER).await;
    assert_eq!(without.get("/loads").await.status, StatusCode::OK);
    assert_eq!(owner.post(POLICY, &[("mfa", "required")]).await.location.as_deref(), Some("/administration/sign-in"));
    for path in ["/loads", "/account/sessions", "/account/password"] {
        assert_eq!(without.get(path).await.location.as_deref(), Some("/enrol"), "{path}");
    }
    assert_eq!(without.post("/account/tokens", &[("name", "x")]).await.location.as_deref(), Some("/enrol"));
    assert!(without.get("/enrol").await.text.contains("Your company demands one"));
    assert!(without.post("/enrol", &[]).await.text.contains("Scan this"));
    assert_eq!(owner.get("/loads").await.status, StatusCode::OK, "who has one goes on");
    assert_eq!(elsewhere.get("/loads").await.status, StatusCode::OK, "another tenant's rule is its own");
    // A sign-in afterwards leads there too, and the way out is open.
    let mut later = Browser::new(&app);
    later.post("/sign-in", &[("email", "vic@acme.test"), ("password", PASSWORD)]).await;
    assert_eq!(later.get("/loads").await.location.as_deref(), Some("/enrol"));
    assert_eq!(later.post("/sign-out", &[]).await.location.as_deref(), Some("/sign-in"));
    owner.post(POLICY, &[("mfa", "optional")]).await;
    assert_eq!(without.get("/loads").await.status, StatusCode::OK);
}

#[sqlx::test(migrations = false)]
async fn only_an_owner_decides_and_nobody_for_another_tenant(pool: PgPool) {
    let app = app(&pool).await;
    let mut admin = Browser::signed_in(&app, &ACME, &ADMIN).await;
    assert_eq!(admin.post(POLICY, &[("mfa", "required")]).await.status, StatusCode::FORBIDDEN);
    let mut stranger = Browser::signed_in(&app, &BRIGHT, &OWNER).await;
    for (person, action) in [(&VIEWER, "end"), (&OWNER, "remove-factor")] {
        let path = format!("/administration/sign-in/people/{}/{action}", ACME.person(person));
        assert_eq!(stranger.post(&path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let own = format!("/administration/sign-in/people/{}/remove-factor", ACME.person(&OWNER));
    assert_eq!(owner.post(&own, &[]).await.status, StatusCode::FORBIDDEN, "one's own is removed with a proof");
}

#[sqlx::test(migrations = false)]
async fn an_administrator_ends_a_persons_sessions_and_everybodys(pool: PgPool) {
    let app = app(&pool).await;
    let mut admin = Browser::signed_in(&app, &ACME, &ADMIN).await;
    let mut dan = Browser::signed_in(&app, &ACME, &DISPATCHER).await;
    let mut vic = Browser::signed_in(&app, &ACME, &VIEWER).await;
    let mut elsewhere = Browser::signed_in(&app, &BRIGHT, &VIEWER).await;
    let path = format!("/administration/sign-in/people/{}/end", ACME.person(&DISPATCHER));
    assert_eq!(vic.post(&path, &[]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(dan.get("/loads").await.status, StatusCode::OK);
    admin.post(&path, &[]).await;
    assert_eq!(dan.get("/loads").await.location.as_deref(), Some("/sign-in"));
    assert_eq!(vic.get("/loads").await.status, StatusCode::OK);
    admin.post("/administration/sign-in/end-all", &[]).await;
    for browser in [&mut vic, &mut admin] {
        assert_eq!(browser.get("/loads").await.location.as_deref(), Some("/sign-in"));
    }
    assert_eq!(elsewhere.get("/loads").await.status, StatusCode::OK);
    app.seal_now().await.unwrap();
    let recorded: Vec<String> = sqlx::query_scalar(
        "SELECT actor_id::text FROM stockade.audit_entry WHERE action = 'session.revoke' AND tenant_id = $1 AND actor_id::text = $2",
    )
    .bind(ACME.id)
    .bind(ACME.person(&ADMIN).to_string())
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(recorded.len(), 2, "who did it stands in the log");
}

#[sqlx::test(migrations = false)]
async fn a_lost_factor_is_removed_by_an_owner_and_the_log_warns(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let user = stockade::session::UserId::from(ACME.person(&VIEWER));
    let seed = stockade::session::TotpSeed::from_bytes(b"another seed of 24 bytes".as_slice()).unwrap();
    app.auth.accounts().import_totp(user, seed).await.unwrap();
    let path = format!("/administration/sign-in/people/{}/remove-factor", ACME.person(&VIEWER));
    assert_eq!(owner.post(&path, &[]).await.location.as_deref(), Some("/administration/sign-in"));
    let mut vic = Browser::new(&app);
    let page = vic.post("/sign-in", &[("email", "vic@acme.test"), ("password", PASSWORD)]).await;
    assert_eq!(page.location.as_deref(), Some("/loads"));
    app.seal_now().await.unwrap();
    let severity: i16 = sqlx::query_scalar(
        "SELECT severity FROM stockade.audit_entry WHERE action = 'session.totp_remove' AND tenant_id = $1",
    )
    .bind(ACME.id)
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(severity, 2, "a warning");
}
