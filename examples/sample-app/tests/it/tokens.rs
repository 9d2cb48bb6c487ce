//! API tokens of people, and the one page of JSON that takes them.

use axum::body::Body;
use http::{Request, StatusCode, header};
use sample_app::seed::{ACCOUNTANT, ACME, BRIGHT, DISPATCHER, OWNER, VIEWER};
use serde_json::Value;
use sqlx::PgPool;

use crate::browser::{Browser, Page, app};

async fn make(browser: &mut Browser, name: &str, scope: &str) -> String {
    let page = browser.post("/account/tokens", &[("name", name), ("days", "30"), (scope, "on")]).await;
    let text = page.text.split("<p class=\"mono long\">").nth(1).unwrap();
    text.split('<').next().unwrap().to_owned()
}

async fn ask(browser: &mut Browser, header: &str) -> Page {
    let request = Request::get("/api/loads").header(header::AUTHORIZATION, header).body(Body::empty()).unwrap();
    browser.send(request).await
}

fn references(page: &Page) -> Vec<String> {
    let answer: Value = serde_json::from_str(&page.text).unwrap();
    let loads = answer.get("loads").and_then(Value::as_array).unwrap();
    loads.iter().map(|load| load.get("reference").and_then(Value::as_str).unwrap().to_owned()).collect()
}

#[sqlx::test(migrations = false)]
async fn a_token_reads_what_its_owner_sees_and_nothing_of_another_tenant(pool: PgPool) {
    let app = app(&pool).await;
    let mut program = Browser::new(&app);
    for (tenant, person) in [(&ACME, &VIEWER), (&ACME, &DISPATCHER), (&BRIGHT, &VIEWER)] {
        let mut browser = Browser::signed_in(&app, tenant, person).await;
        let token = make(&mut browser, "export", "load.view").await;
        assert!(token.starts_with("freight_"), "{token}");
        let page = browser.get("/account/tokens").await.text;
        assert!(!page.contains(&token), "it is shown once");
        let api = ask(&mut program, &format!("Bearer {token}")).await;
        assert_eq!(api.status, StatusCode::OK, "{}", api.text);
        let list = browser.get("/loads").await.text;
        let seen = references(&api);
        assert!(!seen.is_empty() && seen.iter().all(|reference| list.contains(reference)), "{seen:?}");
        assert_eq!(seen.len(), list.matches("href=\"/loads/").count());
        let used = browser.get("/account/tokens").await.text;
        assert!(used.contains("203.0.113.7"), "the last use and its address: {used}");
    }
}

#[sqlx::test(migrations = false)]
async fn a_token_is_for_what_it_was_made_for(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let ledger = make(&mut owner, "books", "ledger.view").await;
    let loads = make(&mut owner, "export", "load.view").await;
    let mut program = Browser::new(&app);
    let refused = ask(&mut program, &format!("Bearer {ledger}")).await;
    assert!(refused.status == StatusCode::FORBIDDEN && refused.text.contains("error"), "{}", refused.text);
    // It is no session: no page takes it, whatever else comes along.
    let request = Request::get("/loads").header(header::AUTHORIZATION, format!("Bearer {loads}"));
    let page = owner.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(page.location.as_deref(), Some("/sign-in"));
    // And a session is no token.
    assert_eq!(owner.get("/api/loads").await.status, StatusCode::UNAUTHORIZED);
    for wrong in ["Bearer", "Bearer freight_x", "Basic abc", &format!("Bearer {loads}x")] {
        let page = ask(&mut program, wrong).await;
        assert!(page.status == StatusCode::UNAUTHORIZED && page.text.starts_with('{'), "{wrong}: {}", page.text);
    }
    // A scope that its owner has not is not given, and none is no token.
    let mut viewer = Browser::signed_in(&app, &ACME, &DISPATCHER).await;
    let page = viewer.post("/account/tokens", &[("name", "x"), ("days", "30"), ("audit.export", "on")]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[sqlx::test(migrations = false)]
async fn a_token_loses_what_its_owner_loses(pool: PgPool) {
    let app = app(&pool).await;
    let mut browser = Browser::signed_in(&app, &ACME, &ACCOUNTANT).await;
    let token = format!("Bearer {}", make(&mut browser, "export", "load.view").await);
    let mut program = Browser::new(&app);
    assert_eq!(ask(&mut program, &token).await.status, StatusCode::OK);
    let (tenant, person) = (ACME.id, ACME.person(&ACCOUNTANT));
    sqlx::query("UPDATE stockade.rbac_role_assignment SET role = 'guest' WHERE tenant_id = $1 AND user_id = $2")
        .bind(tenant)
        .bind(person)
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(ask(&mut program, &token).await.status, StatusCode::FORBIDDEN);
    sqlx::query("UPDATE stockade.rbac_member SET status = 'suspended' WHERE user_id = $1")
        .bind(person)
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(ask(&mut program, &token).await.status, StatusCode::UNAUTHORIZED);
}

#[sqlx::test(migrations = false)]
async fn tokens_are_changed_by_their_owner_alone(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &VIEWER).await;
    let old = format!("Bearer {}", make(&mut owner, "export", "load.view").await);
    let page = owner.get("/account/tokens").await.text;
    let id = page.split("/account/tokens/").nth(1).unwrap().split('/').next().unwrap().to_owned();
    for (tenant, person) in [(&ACME, &OWNER), (&BRIGHT, &VIEWER)] {
        let mut other = Browser::signed_in(&app, tenant, person).await;
        for action in ["rotate", "revoke"] {
            let page = other.post(&format!("/account/tokens/{id}/{action}"), &[]).await;
            assert_eq!(page.status, StatusCode::NOT_FOUND, "{action}");
        }
    }
    let mut program = Browser::new(&app);
    assert_eq!(ask(&mut program, &old).await.status, StatusCode::OK);
    let rotated = owner.post(&format!("/account/tokens/{id}/rotate"), &[]).await.text;
    let new = rotated.split("<p class=\"mono long\">").nth(1).unwrap().split('<').next().unwrap();
    let new = format!("Bearer {new}");
    assert_ne!(old, new);
    for token in [&old, &new] {
        assert_eq!(ask(&mut program, token).await.status, StatusCode::OK, "both for a day");
    }
    owner.post(&format!("/account/tokens/{id}/revoke"), &[]).await;
    assert_eq!(ask(&mut program, &old).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(&mut program, &new).await.status, StatusCode::OK);
}
