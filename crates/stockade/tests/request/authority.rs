//! What a person may do is what they may do in that very transaction.

use std::sync::Arc;

use axum::{Extension, Router, routing};
use http::StatusCode;
use sqlx::PgPool;
use stockade::bridge::request::{Desk, Refused};
use tokio::sync::Barrier;

use crate::{
    app::{Perm, perm},
    browser::Browser,
    install::person,
    world::{LOADS, World},
};

const TAKE_ROLES: &str = "DELETE FROM stockade.rbac_role_assignment WHERE user_id = $1";

/// Waits for the test between being reached and beginning, as a handler does whose body comes slowly.
async fn waiting(Extension(barrier): Extension<Arc<Barrier>>, desk: Desk<Perm>) -> Result<(), Refused> {
    barrier.wait().await;
    barrier.wait().await;
    let mut work = desk.begin().await?;
    let resource = work.resource();
    let permit = work.require::<perm::LoadEdit>(&resource, ("load", LOADS[0])).await?;
    drop(permit);
    work.commit().await
}

#[sqlx::test(migrations = false)]
async fn a_role_that_is_taken_away_while_a_request_is_under_way_counts_no_more(pool: PgPool) {
    let world = World::new(pool, "overtaken").await;
    let dan = Browser::signed_in(&world.router(), 0).await;
    let barrier = Arc::new(Barrier::new(2));
    let router =
        Router::new().route("/", routing::post(waiting)).layer(Extension(barrier.clone())).layer(world.layer());
    for (taken, expected) in [(false, StatusCode::OK), (true, StatusCode::FORBIDDEN)] {
        let mut browser = dan.before(&router);
        let request = tokio::spawn(async move { browser.post("/", &[]).await.status });
        barrier.wait().await;
        if taken {
            world.run(TAKE_ROLES, person(0)).await;
        }
        barrier.wait().await;
        assert_eq!(request.await.unwrap(), expected);
    }
}

#[sqlx::test(migrations = false)]
async fn whoever_is_suspended_or_no_member_has_no_transaction(pool: PgPool) {
    let world = World::new(pool, "suspended").await;
    let router = world.router();
    let mut dan = Browser::signed_in(&router, 0).await;
    assert_eq!(dan.get("/loads").await.status, StatusCode::OK);
    world.run("UPDATE stockade.rbac_member SET status = 'suspended' WHERE user_id = $1", person(0)).await;
    assert_eq!(dan.get("/loads").await.status, StatusCode::FORBIDDEN);
    world.run("UPDATE stockade.rbac_member SET status = 'active' WHERE user_id = $1", person(0)).await;
    assert_eq!(dan.get("/loads").await.status, StatusCode::OK);
    world.run(TAKE_ROLES, person(0)).await;
    world.run("DELETE FROM stockade.rbac_member WHERE user_id = $1", person(0)).await;
    assert_eq!(dan.get("/loads").await.status, StatusCode::FORBIDDEN);
}

/// What the database's policies see of the person.
async fn packed(desk: Desk<Perm>) -> Result<String, Refused> {
    let mut look = desk.read().await?;
    let scopes = "SELECT current_setting('stockade.actor_scopes') || ' ' || current_setting('stockade.actor_id')";
    Ok(sqlx::query_scalar(scopes).fetch_one(&mut look.tx).await?)
}

#[sqlx::test(migrations = false)]
async fn the_databases_policies_see_the_reach_of_the_same_moment(pool: PgPool) {
    let world = World::new(pool, "packed").await;
    let dan = Browser::signed_in(&world.router(), 0).await;
    let router = Router::new().route("/", routing::get(packed)).layer(world.layer());
    let mut browser = dan.before(&router);
    let expected = format!("Zload.viewZ4Zload.editZ4 {}", person(0));
    for _ in 0..2 {
        assert_eq!(browser.get("/").await.text, expected, "the first time it is loaded, then remembered");
    }
    world.run("UPDATE stockade.rbac_role_assignment SET role = 'clerk' WHERE user_id = $1", person(0)).await;
    assert_eq!(browser.get("/").await.text, format!("Zload.viewZ4 {}", person(0)));
}
