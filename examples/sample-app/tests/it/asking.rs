//! Where a request comes from and what it is called, and what the request layer refuses by itself.

use std::sync::Arc;

use axum::body::Body;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use sample_app::seed::{ACME, DISPATCHER, GUEST, OWNER, PLATFORM, SUPPORT};
use sqlx::PgPool;

use crate::{
    browser::{Browser, app},
    staff::{look, support},
};

type Line = (Option<String>, Option<Vec<u8>>);

/// Id and address of the newest refusal of somebody.
async fn refusal(pool: &PgPool) -> Line {
    let newest = "SELECT e.request_id, p.field_values[array_position(e.personal_paths, 'request/ip')]
        FROM stockade.audit_entry e LEFT JOIN stockade.audit_payload p USING (entry_id)
        WHERE e.outcome = 'denied' AND e.tenant_id = $1 ORDER BY e.entry_id DESC LIMIT 1";
    sqlx::query_as(newest).bind(ACME.id).fetch_one(pool).await.unwrap()
}

#[sqlx::test(migrations = false)]
async fn only_a_trusted_proxy_says_where_a_request_comes_from(pool: PgPool) {
    let mut app = Arc::into_inner(app(&pool).await).unwrap();
    for (proxies, address) in [(vec![], [203, 0, 113, 7]), (vec!["203.0.113.0/24"], [198, 51, 100, 9])] {
        let shared = Arc::new(app.behind(proxies).unwrap());
        let guest = Browser::signed_in(&shared, &ACME, &GUEST).await;
        let request = Request::get("/loads").header("x-forwarded-for", "192.0.2.1, 198.51.100.9");
        let response = guest.open(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let id = response.headers().get("x-request-id").unwrap().to_str().unwrap().to_owned();
        let expected = [&[4][..], &address].concat();
        assert_eq!(refusal(&pool).await, (Some(id), Some(expected)), "the page and its entry have one id");
        drop((guest, response));
        app = Arc::into_inner(shared).unwrap();
    }
    assert!(app.behind(["somewhere"]).is_err());
}

#[sqlx::test(migrations = false)]
async fn a_refusal_that_cannot_be_recorded_is_another_page(pool: PgPool) {
    let app = app(&pool).await;
    let guest = Browser::signed_in(&app, &ACME, &GUEST).await;
    sqlx::query("REVOKE INSERT ON stockade.audit_entry FROM stockade_app").execute(&pool).await.unwrap();
    let response = guest.open(Request::get("/loads").body(Body::empty()).unwrap()).await;
    assert!(response.status().is_server_error(), "{}", response.status());
    assert!(response.headers().contains_key("x-request-id"));
    assert_eq!(response.headers().get(header::CONTENT_TYPE).unwrap(), "text/html; charset=utf-8");
    assert!(response.headers().contains_key("content-security-policy"));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(text.contains("Something failed on our side") && !text.contains("load.view"), "{text}");
}

/// Where the guard lets a look through, the handler's own extractor does not.
#[sqlx::test(migrations = false)]
async fn whoever_looks_and_tries_to_write_is_in_the_tenants_log_under_both_names(pool: PgPool) {
    let app = app(&pool).await;
    let mut staff = support(&app).await;
    assert_eq!(look(&mut staff, &ACME.email(&DISPATCHER), "ticket 9").await.location.as_deref(), Some("/"));
    let page = staff.post("/sign-out/everywhere", &[]).await;
    assert!(page.status == StatusCode::FORBIDDEN && page.text.contains("as somebody else"), "{}", page.text);
    let written = "SELECT e.actor_id, e.on_behalf_of, e.endpoint FROM stockade.audit_entry e
        WHERE e.action = 'impersonation.write' AND e.tenant_id = $1";
    let lines: Vec<(String, Option<String>, Option<String>)> =
        sqlx::query_as(written).bind(ACME.id).fetch_all(&pool).await.unwrap();
    let names = (PLATFORM.person(&SUPPORT).to_string(), Some(ACME.person(&DISPATCHER).to_string()));
    assert_eq!(lines, [(names.0, names.1, Some("/sign-out/everywhere".to_owned()))]);
    // And the person has lost no session by it.
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    assert_eq!(owner.post("/sign-out/everywhere", &[]).await.status, StatusCode::SEE_OTHER);
}
