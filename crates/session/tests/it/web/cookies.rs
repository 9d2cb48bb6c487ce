//! What the browser is given, and what it may bring.

use axum::body::Body;
use http::{HeaderValue, Request, StatusCode, header};
use proptest::{prelude::*, test_runner::TestRunner};
use stockade_session::{MemoryStore, Store};

use super::browser::*;
use crate::support::*;

crate::on_every_store! {
    cookies_have_every_attribute_and_their_responses_are_not_stored
    a_pending_token_is_no_session_under_any_name
    a_second_cookie_of_the_name_is_nobody
}

async fn cookies_have_every_attribute_and_their_responses_are_not_stored<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await.add_totp().await;
    let mut browser = Browser::new(&app(&desk.auth));

    let waiting = browser.sign_in(ANA).await;
    let pending = browser.cookies[PENDING].clone();
    assert_eq!(
        waiting.header(header::SET_COOKIE),
        [format!("__Host-signin={pending}; Path=/; Secure; HttpOnly; SameSite=Lax")]
    );
    assert_eq!(waiting.header(header::CACHE_CONTROL), ["no-store"]);

    let issued = browser.post("/code", &[("code", &desk.code(0))]).await;
    let (session, device) = (browser.session(), browser.cookies["__Host-device"].clone());
    assert_eq!(
        issued.header(header::SET_COOKIE),
        [
            format!("__Host-session={session}; Path=/; Secure; HttpOnly; SameSite=Lax"),
            "__Host-signin=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0".to_owned(),
            format!("__Host-device={device}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=15552000"),
        ]
    );
    assert_eq!(issued.header(header::CACHE_CONTROL), ["no-store"]);
    assert!(issued.headers.get_all(header::SET_COOKIE).iter().all(HeaderValue::is_sensitive));

    let page = browser.get("/me").await;
    assert_eq!((page.header(header::SET_COOKIE).len(), page.header(header::CACHE_CONTROL)), (0, vec!["no-store"]));
    assert_eq!(browser.get("/cached").await.header(header::CACHE_CONTROL), ["private, max-age=5"]);
    assert!(browser.get("/static").await.header(header::CACHE_CONTROL).is_empty());

    let gone = browser.post("/sign-out", &[]).await;
    assert_eq!(gone.header(header::SET_COOKIE), ["__Host-session=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"]);
    assert_eq!(gone.header(header::CACHE_CONTROL), ["no-store"]);
}

async fn a_pending_token_is_no_session_under_any_name<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await.add_totp().await;
    let mut browser = Browser::new(&app(&desk.auth));
    browser.sign_in(ANA).await;
    assert_eq!(browser.get("/me").await.status, StatusCode::UNAUTHORIZED);
    let pending = browser.cookies[PENDING].clone();
    assert_eq!(browser.with(SESSION, &pending).get("/me").await.status, StatusCode::UNAUTHORIZED);

    browser.post("/code", &[("code", &desk.code(0))]).await;
    assert_eq!(browser.get("/me").await.status, StatusCode::OK);
    let code = browser.with(PENDING, &browser.session()).post("/code", &[("code", &desk.code(1))]).await;
    assert_eq!(code.status, StatusCode::UNAUTHORIZED);
}

async fn a_second_cookie_of_the_name_is_nobody<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let router = app(&desk.auth);
    let ana = Browser::signed_in(&router).await.session();
    let thief = Browser::signed_in(&router).await.session();
    let status = async |lines: &[String]| {
        let mut request = Request::get("/me");
        for line in lines {
            request = request.header(header::COOKIE, line);
        }
        Browser::new(&router).send(request.body(Body::empty()).unwrap()).await.status
    };
    assert_eq!(status(&[format!("a=b; {SESSION}={ana}")]).await, StatusCode::OK);
    assert_eq!(status(&["a=b".to_owned(), format!("{SESSION}={ana}")]).await, StatusCode::OK);
    assert_eq!(status(&[format!("{SESSION}={ana}; {SESSION}={thief}")]).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&[format!("{SESSION}={thief}; {SESSION}={ana}")]).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&[format!("{SESSION}={ana}; {SESSION}={ana}")]).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&[format!("{SESSION}={ana}"), format!("{SESSION}=")]).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn malformed_and_oversized_cookies_are_nobody() {
    let desk = Desk::with_ana(MemoryStore::default()).await;
    let mut browser = Browser::signed_in(&app(&desk.auth)).await;
    let token = browser.session();
    let shorter: String = token.chars().skip(1).collect();
    for bad in ["", "x", &shorter, &format!("{token}="), &"A".repeat(1 << 20), &format!("\"{token}\"")] {
        assert_eq!(browser.with(SESSION, bad).get("/me").await.status, StatusCode::UNAUTHORIZED, "{} bytes", bad.len());
    }
    // Names are whole and their case counts.
    for name in ["__host-session", "__Host-session2", "x__Host-session", "insecure-session"] {
        assert_eq!(browser.with(name, &token).get("/me").await.status, StatusCode::UNAUTHORIZED, "{name}");
    }
    browser.cookies.insert("padding".to_owned(), "x".repeat(1 << 20));
    assert_eq!(browser.get("/me").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_neighbour_that_is_no_utf_8_hides_nothing() {
    let desk = Desk::with_ana(MemoryStore::default()).await;
    let mut browser = Browser::signed_in(&app(&desk.auth)).await;
    let token = browser.cookies.remove(SESSION).unwrap();
    for neighbour in [&b"city=K\xc3\xb6ln"[..], b"city=K\xf6ln", b"\xff\xfe"] {
        let line = [neighbour, b"; __Host-session=", token.as_bytes()].concat();
        let request = Request::get("/me").header(header::COOKIE, HeaderValue::from_bytes(&line).unwrap());
        assert_eq!(browser.send(request.body(Body::empty()).unwrap()).await.status, StatusCode::OK);
        // And it hides no second one.
        let line = [&line[..], b"; __Host-session=\xff"].concat();
        let request = Request::get("/me").header(header::COOKIE, HeaderValue::from_bytes(&line).unwrap());
        assert_eq!(browser.send(request.body(Body::empty()).unwrap()).await.status, StatusCode::UNAUTHORIZED);
    }
}

/// Whatever a client writes into the headers that the layer reads: an answer, no panic, and nobody signed in.
#[test]
fn no_header_opens_anything_or_breaks_the_layer() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let desk = runtime.block_on(Desk::with_ana(MemoryStore::default()));
    let router = app(&desk.auth);
    let value = proptest::collection::vec(any::<u8>(), 0..80)
        .prop_filter_map("no header", |bytes| HeaderValue::from_bytes(&bytes).ok());
    let cookie =
        "((__Host-session|__Host-signin|a)=[A-Za-z0-9_=-]{40,46};? ?){0,3}".prop_map(|text| text.parse().unwrap());
    let name = prop::sample::select(vec!["cookie", "authorization", "origin", "sec-fetch-site", "host", "user-agent"]);
    let headers = proptest::collection::vec((name, prop_oneof![value, cookie]), 0..6);
    let requests = (prop::sample::select(vec!["GET", "POST"]), headers);
    TestRunner::default()
        .run(&requests, |(method, headers)| {
            let mut request = Request::builder().method(method).uri("/maybe").body(Body::empty()).unwrap();
            for (name, value) in headers {
                request.headers_mut().append(name, value);
            }
            let page = runtime.block_on(send(&router, request));
            prop_assert!(page.text == "nobody" || page.status == StatusCode::FORBIDDEN, "{page:?}");
            Ok(())
        })
        .unwrap();
}
