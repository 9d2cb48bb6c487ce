//! Limits in this process and in Redis, and the operator's page.

use std::sync::Arc;

use http::StatusCode;
use sample_app::{
    app::App,
    database::{Prefix, Server},
    limits::Counting,
    secrets::Pair,
    seed::{self, ACME, DISPATCHER, OWNER, PASSWORD},
};
use sqlx::PgPool;
use stockade::{
    audit_chain::postgres::{Filter, search},
    bridge::PLATFORM,
    tenant_guard::TenantId,
};

use crate::browser::{Browser, app, evidence, rand_id};

async fn guess(browser: &mut Browser) -> StatusCode {
    browser.post("/sign-in", &[("email", "vic@acme.test"), ("password", "wrong password")]).await.status
}

#[sqlx::test(migrations = false)]
async fn the_page_shows_rules_and_refusals_and_no_subject(pool: PgPool) {
    let app = app(&pool).await;
    let mut attacker = Browser::new(&app);
    for _ in 0..8 {
        guess(&mut attacker).await;
    }
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let page = owner.get("/limits").await.text;
    for shown in ["sign-in.account", "15 min", "in this process", "<b>3</b><span>requests refused"] {
        assert!(page.contains(shown), "{shown} is not in {page}");
    }
    assert!(!page.contains("vic@") && !page.contains("203.0.113"), "{page}");

    let mut dispatcher = Browser::signed_in(&app, &ACME, &DISPATCHER).await;
    assert_eq!(dispatcher.get("/limits").await.status, StatusCode::FORBIDDEN);
}

#[sqlx::test(migrations = false)]
async fn exports_and_downloads_end_at_their_limit(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    for export in 0..20 {
        assert_eq!(owner.get("/audit.csv").await.status, StatusCode::OK, "{export}");
    }
    let refused = owner.get("/audit.csv").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!((1..=3_840).contains(&refused.retry_after.unwrap()));
    let rule = |name: &str| app.limits.counts().rules.into_iter().find(|count| count.rule.name() == name).unwrap();
    assert_eq!(owner.get("/posture.json").await.status, StatusCode::OK);
    assert_eq!((rule("export.tenant").refusals, rule("download.user").keys), (1, Some(1)));
}

/// Two processes of one application: what one has counted the other knows.
#[sqlx::test(migrations = false)]
async fn processes_share_their_limits_in_redis(pool: PgPool) {
    let url = std::env::var("REDIS_URL").expect("REDIS_URL is not set: run the tests with scripts/test");
    let (pair, prefix) = (Pair::generate().unwrap(), Prefix::scratch(rand_id()));
    let server = Server::at(pool.connect_options().as_ref().clone());
    let counting = Counting::Redis(url);
    let start =
        async || App::start(&server, prefix.clone(), pair.parse().unwrap(), &counting, evidence().await).await.unwrap();
    let (one, other) = (Arc::new(start().await), Arc::new(start().await));
    seed::fill(&one).await.unwrap();
    let (mut here, mut there) = (Browser::new(&one), Browser::new(&other));
    for _ in 0..3 {
        assert_eq!(guess(&mut here).await, StatusCode::UNAUTHORIZED);
    }
    for _ in 0..2 {
        assert_eq!(guess(&mut there).await, StatusCode::UNAUTHORIZED);
    }
    for browser in [&mut here, &mut there] {
        let refused = browser.post("/sign-in", &[("email", "vic@acme.test"), ("password", PASSWORD)]).await;
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        assert!((1..=900).contains(&refused.retry_after.unwrap()));
    }
    // A right password is given back, in Redis too.
    for _ in 0..8 {
        Browser::signed_in(&one, &ACME, &DISPATCHER).await;
    }
    let mut owner = Browser::signed_in(&other, &ACME, &OWNER).await;
    assert!(owner.get("/limits").await.text.contains("in Redis"));

    // Each process reports its own episode, under one fingerprint.
    one.seal_now().await.unwrap();
    other.seal_now().await.unwrap();
    let mut tx = one.tenants.read(TenantId::new(PLATFORM)).await.unwrap();
    let breaches = search(&mut tx, &Filter::new(PLATFORM.into()).action("ratelimit.breach")).await.unwrap().rows;
    tx.close().await.unwrap();
    assert_eq!(breaches.len(), 2);
    assert_eq!(breaches[0].entity_id, breaches[1].entity_id);
    one.stop().await;
    other.stop().await;
}
