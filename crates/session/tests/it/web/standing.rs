//! Sessions that may do less, and requests that come with something else than a session.

use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode, header};
use stockade_session::{
    Auth, ImpersonationStart, MfaRule, NewAccount, NewApiToken, Session, SessionToken, Store, TenantPolicy, UserId,
    tower::Refusal,
};
use uuid::Uuid;

use super::browser::*;
use crate::support::*;

crate::on_every_store! {
    who_must_enrol_gets_no_further_than_that
    an_impersonation_reaches_no_page_that_was_not_made_for_it
    a_request_meant_as_somebody_else_is_not_carried_out_as_oneself
    a_bearer_token_opens_what_was_made_for_it_and_nothing_else
    a_device_is_known_at_the_next_sign_in
}

async fn who_must_enrol_gets_no_further_than_that<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let mut browser = Browser::signed_in(&app(&desk.auth)).await;
    assert_eq!(browser.get("/me").await.status, StatusCode::OK);
    let required = TenantPolicy { mfa: MfaRule::Required, ..TenantPolicy::default() };
    desk.auth.replace_tenant_policy(tenant(), required).await.unwrap();
    for path in ["/me", "/maybe", "/payroll", "/caller"] {
        let page = browser.get(path).await;
        assert_eq!((page.status, page.text.as_str()), (StatusCode::FORBIDDEN, ""), "{path}");
        assert!(matches!(page.refusal, Some(Refusal::MustEnrol)), "{path}");
    }
    assert_eq!(browser.get("/enrol").await.text, user().to_string());
    assert_eq!(Browser::new(&app(&desk.auth)).get("/enrol").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.post("/sign-out", &[]).await.text, "true");
    assert!(desk.auth.sessions(user()).await.unwrap().is_empty());
}

fn target() -> UserId {
    Uuid::from_u128(0xB).into()
}

/// Ana, who is staff, looks as Bo.
async fn impersonating(auth: &Auth, desk: &Desk) -> Browser {
    let bo = NewAccount { user: target(), tenant: Uuid::from_u128(0xB0).into(), identifier: "bo" };
    auth.accounts().create(bo, PASSWORD.into()).await.unwrap();
    let mut browser = Browser::new(&app(auth));
    browser.sign_in(ANA).await;
    browser.post("/code", &[("code", &desk.code(0))]).await;
    let session = own(auth, &browser).await;
    let minutes = Duration::from_secs(600);
    let started = auth.impersonations().start(&session, target(), "ticket 4711", minutes, &client()).await.unwrap();
    let ImpersonationStart::Started(issued) = started else { panic!("{started:?}") };
    browser.cookies.insert("__Host-impersonation".to_owned(), issued.token().expose().to_string());
    browser
}

async fn own(auth: &Auth, browser: &Browser) -> Session {
    auth.resolve(&browser.session().parse::<SessionToken>().unwrap()).await.unwrap().unwrap()
}

async fn an_impersonation_reaches_no_page_that_was_not_made_for_it<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await.add_totp().await;
    let mut browser = impersonating(&desk.auth, &desk).await;
    for path in ["/me", "/maybe", "/payroll", "/enrol"] {
        assert!(!browser.get(path).await.status.is_success(), "{path}");
    }
    let page = browser.post("/me", &[]).await;
    assert!(matches!(page.refusal, Some(Refusal::Impersonating)), "{page:?}");
    let page = browser.get("/caller").await;
    assert!(page.text.starts_with("Impersonating(") && page.text.contains("ticket 4711"), "{page:?}");
    assert_eq!(page.header(header::CACHE_CONTROL), ["no-store"]);

    // The token alone is nothing, and neither is it with somebody else's session.
    let token = browser.cookies["__Host-impersonation"].clone();
    let alone = browser.with("__Host-impersonation", &token).get("/caller").await;
    assert_eq!(alone.status, StatusCode::UNAUTHORIZED);

    assert_eq!(browser.post("/back", &[]).await.text, "true");
    assert!(!browser.cookies.contains_key("__Host-impersonation"));
    assert_eq!(browser.get("/me").await.text, user().to_string());
}

/// A form that was opened as somebody else and sent after the end: it must not happen as oneself.
async fn a_request_meant_as_somebody_else_is_not_carried_out_as_oneself<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await.add_totp().await;
    let mut browser = impersonating(&desk.auth, &desk).await;
    desk.advance(chrono::TimeDelta::minutes(11));
    let page = browser.post("/me", &[]).await;
    assert!(matches!(page.refusal, Some(Refusal::ImpersonationOver)), "{page:?}");
    assert!(!browser.cookies.contains_key("__Host-impersonation"), "the cookie goes with the answer");
    assert_eq!(browser.post("/me", &[]).await.text, user().to_string(), "the next one is one's own");
}

async fn a_bearer_token_opens_what_was_made_for_it_and_nothing_else<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let mut browser = Browser::signed_in(&app(&desk.auth)).await;
    let issued = desk.auth.api_tokens().create(NewApiToken::new(user(), "export", ["loads:read"])).await.unwrap();
    let (id, text) = (issued.token().id, issued.reveal());
    let mut status = async |method: &str, path: &str, header: &str| {
        let request = Request::builder().method(method).uri(path).header(header::AUTHORIZATION, header);
        browser.send(request.body(Body::empty()).unwrap()).await
    };
    let bearer = format!("Bearer {}", text.as_str());
    assert_eq!(status("GET", "/api", &bearer).await.text, "loads:read");
    assert_eq!(status("POST", "/api", &format!("bearer  {}", text.as_str())).await.text, "loads:read");
    for wrong in ["Bearer", "Bearer ", "Bearer x", "Basic x", &format!("{bearer}x"), &bearer.replace("acme", "bcme")] {
        let page = status("GET", "/api", wrong).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{wrong}");
        assert_eq!(page.header(header::WWW_AUTHENTICATE), ["Bearer"]);
    }
    // The browser's cookie is beside it all the time, and is not looked at.
    assert_eq!(status("GET", "/me", &bearer).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(status("GET", "/maybe", &bearer).await.text, "nobody");
    assert!(desk.auth.api_tokens().revoke(user(), id).await.unwrap());
    assert_eq!(status("GET", "/api", &bearer).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.get("/api").await.status, StatusCode::UNAUTHORIZED, "a cookie is no API token");
}

/// Strangers lock the identifier; the owner's browser goes on, and a browser without the cookie does not.
async fn a_device_is_known_at_the_next_sign_in<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let router = app_at(&desk.auth, |parts| parts.headers.get("x-from")?.to_str().ok()?.parse().ok());
    let sign_in = async |browser: &mut Browser, from: &str, password: &str| {
        let form = format!("name={ANA}&password={}", password.replace(' ', "+"));
        let request = Request::post("/sign-in")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .header("x-from", from);
        browser.send(request.body(Body::from(form)).unwrap()).await.status
    };
    let mut owner = Browser::new(&router);
    assert_eq!(sign_in(&mut owner, "203.0.113.7", PASSWORD).await, StatusCode::OK);
    for network in 0..=255 {
        sign_in(&mut Browser::new(&router), &format!("198.51.100.{network}"), "a wrong password").await;
    }
    let mut elsewhere = owner.clone();
    let stranger = sign_in(&mut Browser::new(&router), "192.0.2.1", PASSWORD).await;
    assert_eq!(stranger, StatusCode::UNAUTHORIZED, "the control: the identifier is locked");
    assert_eq!(sign_in(&mut elsewhere, "192.0.2.2", PASSWORD).await, StatusCode::OK);
}
