//! What handlers take, and what it costs.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use axum::body::Body;
use chrono::{DateTime, TimeDelta, Utc};
use http::{Request, StatusCode};
use stockade_session::{Clock, ManualClock, MemoryStore, Store, tower::Refusal};

use super::browser::*;
use crate::support::*;

crate::on_every_store! {
    a_page_for_two_factors_takes_no_password_alone
    what_a_script_asks_by_itself_keeps_no_session_alive
}

async fn a_page_for_two_factors_takes_no_password_alone<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let router = app(&desk.auth);
    let mut browser = Browser::new(&router);
    assert_eq!(browser.get("/payroll").await.status, StatusCode::UNAUTHORIZED);
    browser.sign_in(ANA).await;
    let page = browser.get("/payroll").await;
    assert_eq!((page.status, page.text.as_str()), (StatusCode::FORBIDDEN, ""));
    assert!(matches!(page.refusal, Some(Refusal::SecondFactorMissing)));

    let desk = desk.add_totp().await;
    assert_eq!(browser.get("/me").await.status, StatusCode::UNAUTHORIZED, "an import ends the sessions");
    browser.sign_in(ANA).await;
    browser.post("/code", &[("code", &desk.code(0))]).await;
    assert_eq!(browser.get("/payroll").await.text, user().to_string());
}

async fn what_a_script_asks_by_itself_keeps_no_session_alive<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let router = app(&desk.auth);
    let mut idle = Browser::signed_in(&router).await;
    let mut busy = Browser::signed_in(&router).await;
    for minute in 1..=29 {
        desk.advance(TimeDelta::minutes(1));
        assert_eq!(idle.get("/poll").await.text, user().to_string(), "minute {minute}");
        assert_eq!(busy.get("/maybe").await.text, user().to_string(), "minute {minute}");
    }
    desk.advance(TimeDelta::minutes(1));
    assert_eq!(idle.get("/poll").await.text, "nobody");
    assert_eq!(busy.get("/maybe").await.text, user().to_string());
}

/// Each look at a session reads the clock once.
struct Looks(ManualClock, Arc<AtomicU32>);

impl Clock for Looks {
    fn now(&self) -> DateTime<Utc> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.now()
    }
}

#[tokio::test]
async fn a_request_looks_once_and_a_static_file_not_at_all() {
    let looks = Arc::new(AtomicU32::new(0));
    let counted = Looks(ManualClock::new(start()), Arc::clone(&looks));
    let desk = Desk::with(MemoryStore::default(), |builder| builder.clock(counted)).add_ana().await.add_totp().await;
    let mut browser = Browser::new(&app(&desk.auth));
    browser.sign_in(ANA).await;
    browser.post("/code", &[("code", &desk.code(0))]).await;
    for (path, expected) in [("/static", 0), ("/me", 1), ("/thrice", 1)] {
        looks.store(0, Ordering::Relaxed);
        assert_eq!(browser.get(path).await.status, StatusCode::OK);
        assert_eq!(looks.load(Ordering::Relaxed), expected, "{path}");
    }
}

#[tokio::test]
async fn nobody_signs_in_from_nowhere() {
    let desk = Desk::with_ana(MemoryStore::default()).await;
    let mut browser = Browser::new(&app_at(&desk.auth, |_| None));
    let page = browser.sign_in(ANA).await;
    assert_eq!((page.status, page.text.as_str()), (StatusCode::INTERNAL_SERVER_ERROR, ""));
    assert!(browser.cookies.is_empty());
}

/// The application says where a request comes from; no header does.
#[tokio::test]
async fn the_address_is_the_one_that_the_application_resolved() {
    let desk = Desk::with_ana(MemoryStore::default()).await;
    let ask = || {
        let request =
            Request::get("/client").header("x-forwarded-for", "198.51.100.9").header("x-test", "::ffff:192.0.2.5");
        request.header("forwarded", "for=198.51.100.9").body(Body::empty()).unwrap()
    };
    assert_eq!(Browser::new(&app(&desk.auth)).send(ask()).await.text, "203.0.113.7");
    let resolved = |parts: &http::request::Parts| parts.headers.get("x-test")?.to_str().ok()?.parse::<IpAddr>().ok();
    let mut browser = Browser::new(&app_at(&desk.auth, resolved));
    assert_eq!(browser.send(ask()).await.text, "192.0.2.5");
}

#[tokio::test]
async fn a_handler_without_the_layer_refuses_everybody() {
    let desk = Desk::with_ana(MemoryStore::default()).await;
    let token = Browser::signed_in(&app(&desk.auth)).await.session();
    let bare = routes().with_state(desk.auth.clone());
    for path in ["/me", "/maybe", "/payroll", "/client"] {
        let mut browser = Browser::new(&bare).with(SESSION, &token);
        let page = browser.get(path).await;
        assert_eq!((page.status, page.text.as_str()), (StatusCode::INTERNAL_SERVER_ERROR, ""), "{path}");
    }
}

/// A store that fails is no reason to take somebody for nobody: a page that shows more to the anonymous would say the wrong thing.
#[cfg(feature = "postgres")]
#[sqlx::test(migrations = false)]
async fn a_store_that_fails_refuses(pool: sqlx::postgres::PgPoolOptions, options: sqlx::postgres::PgConnectOptions) {
    let database = crate::postgres::Database::install(pool, options).await;
    let pool = database.pool(4);
    let desk = Desk::with_ana(stockade_session::postgres::PgStore::new(pool.clone())).await;
    let mut browser = Browser::signed_in(&app(&desk.auth)).await;
    assert_eq!(browser.get("/maybe").await.text, user().to_string());
    pool.close().await;
    for path in ["/me", "/maybe"] {
        let page = browser.get(path).await;
        assert!(page.status.is_server_error() && page.text.is_empty(), "{page:?}");
    }
}
