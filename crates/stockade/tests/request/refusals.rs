//! What the policy refuses is in the log, whatever becomes of the request.

use std::time::Duration;

use axum::{Router, routing};
use http::StatusCode;
use sqlx::PgPool;
use stockade::{
    bridge::request::{Desk, Refused},
    rbac::Resource,
};
use tokio::sync::Notify;

use crate::{
    app::{Perm, perm},
    browser::Browser,
    install::{TENANTS, person},
    world::{LOADS, World},
};

const CLEO: usize = 1;

#[sqlx::test(migrations = false)]
async fn a_refusal_is_in_the_log_and_nothing_was_done(pool: PgPool) {
    let world = World::new(pool, "refusal").await;
    let mut cleo = Browser::signed_in(&world.router(), CLEO).await;
    let page = cleo.post(&format!("/loads/{}", LOADS[0]), &[("cents", "1")]).await;
    assert_eq!((page.status, world.rate(LOADS[0]).await), (StatusCode::FORBIDDEN, 100_000));
    assert!(world.log("load.edit").await.iter().all(|line| line.outcome == "denied"));
    let [line] = world.log("load.edit").await.try_into().unwrap();
    assert_eq!((line.tenant_id, line.actor_id, line.severity), (TENANTS[0], person(CLEO).to_string(), 1));
    assert_eq!((line.entity_id, line.endpoint.as_deref()), (Some(LOADS[0].to_string()), Some("/loads/{id}")));
    assert_eq!(line.request_id.as_deref(), page.header("x-request-id"));
    assert_eq!(line.ip, Some(vec![4, 203, 0, 113, 7]));
    assert!(line.after.unwrap()["reason"].as_str().unwrap().contains("clerk"), "roles are for whoever reads the log");
    assert!(!page.text.contains("clerk"), "and not for whoever asked");
}

/// A handler that was refused and goes on as if nothing had happened.
async fn careless(desk: Desk<Perm>) -> Result<&'static str, Refused> {
    let mut work = desk.begin().await?;
    let resource = work.resource();
    let refused = work.require::<perm::LoadEdit>(&resource, ("load", "L-1")).await;
    assert!(matches!(refused, Err(Refused::Denied(_))));
    drop(work);
    Ok("all is well")
}

#[sqlx::test(migrations = false)]
async fn a_refusal_that_the_handler_keeps_to_itself_is_recorded_all_the_same(pool: PgPool) {
    let world = World::new(pool, "careless").await;
    let cleo = Browser::signed_in(&world.router(), CLEO).await;
    let router = Router::new().route("/", routing::get(careless)).layer(world.layer());
    let page = cleo.before(&router).get("/").await;
    assert_eq!((page.status, page.text.as_str()), (StatusCode::OK, "all is well"));
    assert_eq!(world.log("load.edit").await.len(), 1);
}

/// A handler that is refused and then takes its time.
async fn slow(desk: Desk<Perm>) -> Result<(), Refused> {
    let mut work = desk.begin().await?;
    let resource = work.resource();
    let refused = work.require::<perm::LoadEdit>(&resource, ("load", "L-1")).await;
    drop(work);
    Notify::new().notified().await;
    refused.map(drop)
}

#[sqlx::test(migrations = false)]
async fn a_client_who_hangs_up_does_not_keep_a_refusal_from_the_log(pool: PgPool) {
    let world = World::new(pool, "hangup").await;
    let cleo = Browser::signed_in(&world.router(), CLEO).await;
    let router = Router::new().route("/", routing::get(slow)).layer(world.layer());
    let mut browser = cleo.before(&router);
    let request = async { drop(browser.get("/").await) };
    assert!(tokio::time::timeout(Duration::from_millis(1500), request).await.is_err(), "the handler never answers");
    for _ in 0..100 {
        if world.log("load.edit").await.len() == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the refusal is not in the log");
}

#[sqlx::test(migrations = false)]
async fn a_refusal_that_cannot_be_recorded_is_no_answer(pool: PgPool) {
    let world = World::new(pool, "unrecorded").await;
    let cleo = Browser::signed_in(&world.router(), CLEO).await;
    sqlx::query("REVOKE INSERT ON stockade.audit_entry FROM stockade_app").execute(&world.administrator).await.unwrap();
    let router = Router::new().route("/", routing::get(careless)).layer(world.layer());
    let page = cleo.before(&router).get("/").await;
    assert!(page.status.is_server_error(), "{}", page.status);
    assert_eq!(page.text, "");
}

/// A row of another tenant that no policy kept back.
async fn misled(desk: Desk<Perm>) -> Result<(), Refused> {
    let look = desk.read().await?;
    look.require::<perm::LoadView>(&Resource::in_tenant(TENANTS[1]), ("load", LOADS[1])).map(drop)
}

#[sqlx::test(migrations = false)]
async fn to_be_asked_about_a_row_of_another_tenant_is_critical(pool: PgPool) {
    let world = World::new(pool, "misled").await;
    let cleo = Browser::signed_in(&world.router(), CLEO).await;
    let router = Router::new().route("/", routing::get(misled)).layer(world.layer());
    assert_eq!(cleo.before(&router).get("/").await.status, StatusCode::FORBIDDEN);
    let [line] = world.log("load.view").await.try_into().unwrap();
    assert_eq!((line.tenant_id, line.severity, line.outcome.as_str()), (TENANTS[0], 3, "denied"));
}

#[sqlx::test(migrations = false)]
async fn a_handler_without_the_layer_refuses_everybody(pool: PgPool) {
    let world = World::new(pool, "layerless").await;
    let cleo = Browser::signed_in(&world.router(), CLEO).await;
    let router: Router = Router::new().route("/", routing::get(careless));
    let page = cleo.before(&router).get("/").await;
    assert_eq!(page.status, StatusCode::INTERNAL_SERVER_ERROR);
}
