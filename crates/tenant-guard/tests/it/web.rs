//! The scope of a request.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use http::StatusCode;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::types::Uuid;
use stockade_tenant_guard::axum::{TenantScope, Verified};
use stockade_tenant_guard::{Principal, TenantDb};
use tower::ServiceExt;

use crate::actor::{USER, dispatcher};
use crate::world::{A, B, World, tenant};

/// Who the database believes is asking.
async fn whoami(scope: TenantScope) -> String {
    let mut tx = scope.begin().await.unwrap();
    let (owner, actor): (Uuid, Option<Uuid>) =
        sqlx::query_as("SELECT t.tenant_id, a.actor_id FROM stockade.current_tenant t, stockade.current_actor a")
            .fetch_one(&mut tx)
            .await
            .unwrap();
    assert_eq!(scope.tenant_id(), tenant(owner));
    assert_eq!(scope.read().await.unwrap().tenant_id(), tenant(owner));
    format!("{owner} {actor:?}")
}

async fn answer(db: &TenantDb, request: Request) -> (StatusCode, String) {
    let app = Router::new().route("/{tenant}", get(whoami)).with_state(db.clone());
    let response = app.oneshot(request).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1_000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// A request that names tenant B wherever a client can.
fn lying() -> Request {
    Request::get(format!("/{B}?tenant_id={B}"))
        .header("x-tenant-id", B.to_string())
        .header("cookie", format!("tenant={B}"))
        .header("host", format!("{B}.example.com"))
        // Not what the session layer puts there.
        .extension(tenant(B))
        .extension(Principal::from(tenant(B)))
        .body(Body::empty())
        .unwrap()
}

#[sqlx::test]
async fn the_scope_is_that_of_the_verified_session(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 2).await;
    let mut request = lying();
    request.extensions_mut().insert(Verified::by_session(Principal::new(tenant(A), dispatcher())));
    assert_eq!(answer(&world.db, request).await, (StatusCode::OK, format!("{A} {:?}", Some(USER))));
    let mut request = lying();
    request.extensions_mut().insert(Verified::by_session(tenant(A)));
    assert_eq!(answer(&world.db, request).await, (StatusCode::OK, format!("{A} None")));
    world.end().await;
}

#[sqlx::test]
async fn without_a_verified_session_the_answer_is_401(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    assert_eq!(answer(&world.db, lying()).await, (StatusCode::UNAUTHORIZED, String::new()));
    world.end().await;
}
