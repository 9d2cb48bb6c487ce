//! Signing in, and changing something of the tenant.

use http::StatusCode;
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    browser::Browser,
    install::{PASSWORD, PEOPLE, TENANTS, person},
    world::{LOADS, World},
};

#[sqlx::test(migrations = false)]
async fn a_write_is_in_the_log_with_who_made_it_and_where_it_came_from(pool: PgPool) {
    let world = World::new(pool, "write").await;
    let mut dan = Browser::signed_in(&world.router(), 0).await;
    let page = dan.post(&format!("/loads/{}", LOADS[0]), &[("cents", "125000")]).await;
    assert_eq!((page.status, page.header("location")), (StatusCode::SEE_OTHER, Some("/loads")));
    assert_eq!(dan.get("/loads").await.text, "L-1 125000");
    assert_eq!(world.rate(LOADS[0]).await, 125_000);

    let [line] = world.log("load.edit").await.try_into().unwrap();
    assert_eq!((line.tenant_id, line.outcome.as_str(), line.severity), (TENANTS[0], "success", 0));
    assert_eq!((line.actor_kind.as_str(), line.actor_id), ("user", person(0).to_string()));
    assert_eq!(
        (line.method.as_deref(), line.endpoint.as_deref()),
        (Some("POST"), Some("/loads/{id}")),
        "the route, not the path"
    );
    assert_eq!(line.ip, Some(vec![4, 203, 0, 113, 7]));
    assert_eq!(line.user_agent.as_deref(), Some(&b"NCSA_Mosaic/2.0"[..]));
    assert_eq!(line.request_id.as_deref(), page.header("x-request-id"));
    assert_eq!(Uuid::parse_str(&line.request_id.unwrap()).unwrap().get_version_num(), 7);
    assert!(line.occurred_at.is_some());
    assert_eq!(
        (line.before, line.after),
        (Some(json!({ "rate_cents": 100_000 })), Some(json!({ "rate_cents": 125_000 })))
    );
    assert_eq!(line.entity_id, Some(LOADS[0].to_string()));
}

#[sqlx::test(migrations = false)]
async fn nobody_reads_or_writes_without_a_session(pool: PgPool) {
    let world = World::new(pool, "nobody").await;
    let mut stranger = Browser::new(&world.router());
    let page = stranger.get("/loads").await;
    assert_eq!(
        (page.status, page.header("location")),
        (StatusCode::SEE_OTHER, Some("/sign-in")),
        "the application's redirect"
    );
    assert_eq!(page.text, "");
    let page = stranger.post(&format!("/loads/{}", LOADS[0]), &[("cents", "1")]).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED, "what would change something is not sent elsewhere");
    let page = stranger.sign_in(PEOPLE[0].0, "not the password").await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    assert_eq!(stranger.get("/loads").await.status, StatusCode::SEE_OTHER);
    assert_eq!(world.rate(LOADS[0]).await, 100_000);
}

#[sqlx::test(migrations = false)]
async fn an_id_of_another_tenant_is_not_found(pool: PgPool) {
    let world = World::new(pool, "foreign").await;
    let mut dan = Browser::signed_in(&world.router(), 0).await;
    for id in [LOADS[1], Uuid::from_u128(99)] {
        let page = dan.post(&format!("/loads/{id}"), &[("cents", "1")]).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "another tenant's and nobody's look alike");
    }
    assert_eq!(world.rate(LOADS[1]).await, 100_000);
    let mut bea = Browser::signed_in(&world.router(), 2).await;
    let page = bea.post(&format!("/loads/{}", LOADS[1]), &[("cents", "7")]).await;
    assert_eq!((page.status, world.rate(LOADS[1]).await), (StatusCode::SEE_OTHER, 7), "its own tenant reaches it");
}

#[sqlx::test(migrations = false)]
async fn a_session_that_was_revoked_is_refused_at_the_next_request(pool: PgPool) {
    let world = World::new(pool, "revoked").await;
    let mut dan = Browser::signed_in(&world.router(), 0).await;
    assert_eq!(dan.get("/loads").await.status, StatusCode::OK);
    let sid = world.auth.sessions(person(0).into()).await.unwrap()[0].sid;
    world.auth.revoke(sid).await.unwrap();
    let page = dan.post(&format!("/loads/{}", LOADS[0]), &[("cents", "1")]).await;
    assert_eq!((page.status, world.rate(LOADS[0]).await), (StatusCode::UNAUTHORIZED, 100_000));
    assert_eq!(dan.get("/loads").await.status, StatusCode::SEE_OTHER);
}

#[sqlx::test(migrations = false)]
async fn another_site_changes_nothing_with_the_cookie(pool: PgPool) {
    let world = World::new(pool, "csrf").await;
    let mut dan = Browser::signed_in(&world.router(), 0).await;
    let page = dan.post_from("cross-site", &format!("/loads/{}", LOADS[0]), &[("cents", "1")]).await;
    assert_eq!((page.status, world.rate(LOADS[0]).await), (StatusCode::FORBIDDEN, 100_000));
    assert!(page.header("x-request-id").is_some(), "a refusal has its id too");
    let mut stranger = Browser::new(&world.router());
    let form = [("email", PEOPLE[0].0), ("password", PASSWORD)];
    assert_eq!(stranger.post_from("cross-site", "/sign-in", &form).await.status, StatusCode::FORBIDDEN);
}
