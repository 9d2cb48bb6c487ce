//! Requests that another site caused.

use axum::{Router, body::Body, routing::any};
use http::{Request, StatusCode, header};
use stockade_session::{MemoryStore, tower::Refusal};
use tower::ServiceExt;
use tower_http::csrf::CsrfLayer;

use super::browser::*;
use crate::support::*;

const METHODS: [&str; 8] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE"];
const ORIGINS: [Option<&str>; 9] = [
    None,
    Some(""),
    Some("https://app.test"),
    Some("http://app.test"),
    Some("https://app.test:8443"),
    Some("https://evil.test"),
    Some("https://partner.test"),
    Some("null"),
    Some("app.test"),
];
const SITES: [Option<&str>; 7] =
    [None, Some(""), Some("same-origin"), Some("same-site"), Some("cross-site"), Some("none"), Some("Same-Origin")];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Credential {
    Nothing,
    Session,
    Pending,
    Malformed,
    Twice,
    Bearer,
    BearerAndSession,
}

use Credential::*;

struct Tokens {
    session: String,
    pending: String,
}

fn request(
    method: &str,
    origin: Option<&str>,
    site: Option<&str>,
    brings: Credential,
    tokens: &Tokens,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri("/anything").header(header::HOST, "app.test");
    for (name, value) in [("origin", origin), ("sec-fetch-site", site)] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    let Tokens { session, pending } = tokens;
    let cookie = match brings {
        Nothing | Bearer => None,
        Session | BearerAndSession => Some(format!("{SESSION}={session}")),
        Pending => Some(format!("{PENDING}={pending}")),
        Malformed => Some(format!("{SESSION}=x")),
        Twice => Some(format!("{SESSION}={session}; {SESSION}={session}")),
    };
    if let Some(cookie) = cookie {
        request = request.header(header::COOKIE, cookie);
    }
    if matches!(brings, Bearer | BearerAndSession) {
        request = request.header(header::AUTHORIZATION, "bearer abc");
    }
    request.body(Body::empty()).unwrap()
}

async fn tokens(router: &Router) -> Tokens {
    let session = Browser::signed_in(router).await.session();
    Tokens { pending: session.clone(), session }
}

/// Every combination, against tower-http's own layer, which differs in two things: it knows no cookies and no bearer tokens.
#[tokio::test]
async fn the_whole_matrix_is_tower_http_and_two_rules_more() {
    let desk = Desk::with_ana(MemoryStore::default()).await;
    let router = app(&desk.auth);
    let router_with_any = routes().route("/anything", any(async || "passed"));
    let layer = stockade_session::tower::SessionLayer::new(
        desk.auth.clone(),
        stockade_session::Cookies::host(),
        stockade_session::axum::peer,
    );
    let ours: Router =
        router_with_any.layer(layer.trust_origin("https://partner.test").unwrap()).with_state(desk.auth.clone());
    let theirs: Router = Router::new()
        .route("/anything", any(async || "passed"))
        .layer(CsrfLayer::new().add_trusted_origin("https://partner.test").unwrap());
    let tokens = tokens(&router).await;
    let (mut passed, mut refused) = (0, 0);
    for method in METHODS {
        for origin in ORIGINS {
            for site in SITES {
                for brings in [Nothing, Session, Pending, Malformed, Twice, Bearer, BearerAndSession] {
                    let ask = || request(method, origin, site, brings, &tokens);
                    let page = send(&ours, ask()).await;
                    let oracle = theirs.clone().oneshot(ask()).await.unwrap().status() == StatusCode::OK;
                    let is_safe = ["GET", "HEAD", "OPTIONS"].contains(&method);
                    let is_silent = [origin, site].iter().all(|value| value.is_none_or(str::is_empty));
                    let expected = match brings {
                        Bearer | BearerAndSession => true,
                        Session | Pending => oracle && (is_safe || !is_silent),
                        Nothing | Malformed | Twice => oracle,
                    };
                    let told = format!("{method} {origin:?} {site:?} {brings:?}");
                    assert_eq!(page.status == StatusCode::OK, expected, "{told}");
                    match expected {
                        true => passed += 1,
                        false => {
                            refused += 1;
                            assert_eq!((page.status, page.text.as_str()), (StatusCode::FORBIDDEN, ""), "{told}");
                            assert!(matches!(page.refusal, Some(Refusal::CrossSite)), "{told}");
                        }
                    }
                }
            }
        }
    }
    assert_eq!(passed + refused, 8 * 9 * 7 * 7);
    assert!(passed > 1_000 && refused > 500, "{passed} {refused}");
}

/// The same by hand, where it matters.
#[tokio::test]
async fn another_site_changes_nothing_with_the_cookie_of_a_visitor() {
    let desk = Desk::with_ana(MemoryStore::default()).await;
    let router = app(&desk.auth);
    let tokens = tokens(&router).await;
    let status = async |origin, site, brings| {
        let mut request = request("POST", origin, site, brings, &tokens);
        *request.uri_mut() = "/me".parse().unwrap();
        send(&router, request).await.status
    };
    let own = Some("https://app.test");
    // The control: the application's own page.
    assert_eq!(status(own, Some("same-origin"), Session).await, StatusCode::OK);
    assert_eq!(status(own, None, Session).await, StatusCode::OK, "a browser without `Sec-Fetch-Site`");
    // A form on another site, on a neighbour of the domain, in a sandboxed frame, and something that hides what it is.
    assert_eq!(status(Some("https://evil.test"), Some("cross-site"), Session).await, StatusCode::FORBIDDEN);
    assert_eq!(status(Some("https://blog.app.test"), Some("same-site"), Session).await, StatusCode::FORBIDDEN);
    assert_eq!(status(Some("null"), None, Session).await, StatusCode::FORBIDDEN);
    assert_eq!(status(None, None, Session).await, StatusCode::FORBIDDEN);
    // A program without cookies is no browser, and gets what it can prove: nothing.
    assert_eq!(status(None, None, Nothing).await, StatusCode::UNAUTHORIZED);
    // A bearer token stands for itself: the cookie beside it opens nothing.
    assert_eq!(status(Some("https://evil.test"), Some("cross-site"), BearerAndSession).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_password_of_a_proxy_in_front_does_not_hide_the_cookie() {
    let desk = Desk::with_ana(MemoryStore::default()).await;
    let router = app(&desk.auth);
    let mut browser = Browser::signed_in(&router).await;
    for (scheme, status) in [
        ("Basic c3RhZ2luZzp4", StatusCode::OK),
        ("Bearerx abc", StatusCode::OK),
        ("Bearer abc", StatusCode::UNAUTHORIZED),
        ("BEARER", StatusCode::UNAUTHORIZED),
    ] {
        let request = Request::get("/me").header(header::AUTHORIZATION, scheme).body(Body::empty()).unwrap();
        assert_eq!(browser.send(request).await.status, status, "{scheme}");
    }
}
