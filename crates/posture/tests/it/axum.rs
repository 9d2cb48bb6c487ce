//! The routes: who gets in, and what every answer carries.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};
use stockade_posture::{Assessment, Error, axum::routes, render};
use tower::ServiceExt;

use crate::evidence::filled_with;

const PATHS: [&str; 5] = ["/posture", "/posture.json", "/posture.md", "/posture.csv", "/posture/oscal.json"];

#[derive(Clone)]
struct Officer(&'static str);

async fn admit(request: Parts) -> Result<Officer, Response> {
    match request.headers.get("x-officer") {
        Some(_) => Ok(Officer("x")),
        None => Err((StatusCode::FORBIDDEN, "not for you").into_response()),
    }
}

/// The routes, and how often something was measured behind them.
fn app() -> (Router, Arc<AtomicU32>) {
    let measured = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&measured);
    let assess = move |officer: Officer| {
        count.fetch_add(1, Ordering::Relaxed);
        async move { Ok::<Assessment, Error>(filled_with(officer.0)) }
    };
    (routes(admit, assess), measured)
}

async fn ask(app: &Router, method: &str, path: &str, officer: Option<&str>) -> (StatusCode, HeaderMap, Vec<u8>) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(officer) = officer {
        request = request.header("x-officer", officer);
    }
    let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    (status, headers, to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec())
}

#[tokio::test]
async fn without_the_guards_word_nothing_is_measured_or_shown() {
    let (app, measured) = app();
    for path in PATHS {
        let (status, headers, body) = ask(&app, "GET", path, None).await;
        assert_eq!((status, body.as_slice()), (StatusCode::FORBIDDEN, &b"not for you"[..]), "{path}");
        assert_eq!(headers["cache-control"], "no-store");
    }
    assert_eq!(measured.load(Ordering::Relaxed), 0);
    // The same requests with it: the guard is what held them.
    for path in PATHS {
        assert_eq!(ask(&app, "GET", path, Some("ana")).await.0, StatusCode::OK, "{path}");
    }
    assert_eq!(measured.load(Ordering::Relaxed), 5);
}

/// A path that is written another way does not lead around the guard.
#[tokio::test]
async fn no_other_spelling_leads_around_the_guard() {
    let (app, measured) = app();
    for path in [
        "/posture/",
        "//posture",
        "/Posture",
        "/posture%2ejson",
        "/posture.json/",
        "/posture/../posture",
        "/posture?a=1",
    ] {
        let (status, ..) = ask(&app, "GET", path, None).await;
        assert!(matches!(status, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN), "{path} {status}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        assert_eq!(ask(&app, method, "/posture", Some("ana")).await.0, StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    assert_eq!(ask(&app, "HEAD", "/posture", None).await.0, StatusCode::FORBIDDEN);
    assert_eq!(measured.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn each_route_gives_its_export() {
    let (app, _) = app();
    let whole = filled_with("x");
    let expected: [(&str, String, &str); 5] = [
        (PATHS[0], render::html_page(&whole), "text/html; charset=utf-8"),
        (PATHS[1], render::json(&whole), "application/json"),
        (PATHS[2], render::markdown(&whole), "text/markdown; charset=utf-8"),
        (PATHS[3], render::csv(&whole), "text/csv; charset=utf-8; header=present"),
        (PATHS[4], render::oscal(&whole), "application/json"),
    ];
    for (path, body, kind) in expected {
        let (_, headers, found) = ask(&app, "GET", path, Some("ana")).await;
        assert_eq!((found, headers["content-type"].to_str().unwrap()), (body.into_bytes(), kind), "{path}");
    }
    let (_, headers, body) = ask(&app, "GET", "/posture.json", Some("ana")).await;
    assert_eq!(hex::encode(Sha256::digest(&body)), whole.digest().to_string());
    assert!(!headers.contains_key("content-disposition"));
    let (_, headers, _) = ask(&app, "GET", "/posture.csv", Some("ana")).await;
    assert_eq!(headers["content-disposition"], "attachment; filename=\"posture.csv\"");
}

#[tokio::test]
async fn every_answer_is_protected() {
    let (app, _) = app();
    for path in PATHS {
        for officer in [None, Some("ana")] {
            let (_, headers, _) = ask(&app, "GET", path, officer).await;
            for (name, value) in [
                ("cache-control", "no-store"),
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("cross-origin-resource-policy", "same-origin"),
                ("x-frame-options", "DENY"),
            ] {
                assert_eq!(headers[name], value, "{path}");
            }
            let policy = headers["content-security-policy"].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
            let allows_style = policy.contains(&format!("style-src '{}'", render::html::style_hash()));
            assert_eq!(allows_style, path == "/posture" && officer.is_some(), "{path} {policy}");
        }
    }
}

/// A refusal is the guard's own answer, with a redirect or a policy of its own, and still not stored.
#[tokio::test]
async fn a_refusal_stays_the_guards() {
    let refuse = |_: Parts| async {
        let policy = [
            ("location", "/sign-in"),
            ("content-security-policy", "default-src 'self'"),
            ("cache-control", "max-age=60"),
        ];
        Err::<(), Response>((StatusCode::SEE_OTHER, policy).into_response())
    };
    let app = routes(refuse, |()| async { Ok(filled_with("x")) });
    let (status, headers, _) = ask(&app, "GET", "/posture", None).await;
    assert_eq!((status, &headers["location"]), (StatusCode::SEE_OTHER, &"/sign-in".parse().unwrap()));
    assert_eq!(
        (&headers["content-security-policy"], &headers["cache-control"]),
        (&"default-src 'self'".parse().unwrap(), &"no-store".parse().unwrap())
    );
}

#[tokio::test]
async fn a_source_that_fails_says_nothing_of_why() {
    let fail =
        |_: Officer| async { Err(Error::unavailable_because("the key service did not answer", "password is hunter2")) };
    let app = routes(admit, fail);
    for path in PATHS {
        let (status, headers, body) = ask(&app, "GET", path, Some("ana")).await;
        assert_eq!((status, body.len()), (StatusCode::SERVICE_UNAVAILABLE, 0));
        assert_eq!(headers["cache-control"], "no-store");
    }
}
