//! Triggers that record changes by themselves know who made them, also where `set_config` was taken from everybody.

use axum::{Router, routing};
use http::StatusCode;
use sqlx::PgPool;
use stockade::{
    audit_chain::postgres::{Capture, attach},
    bridge::request::{Desk, Refused},
};

use crate::{
    app::Perm,
    browser::Browser,
    install::person,
    world::{LOADS, World},
};

/// Changes something and says nothing of it to the log.
async fn silent(desk: Desk<Perm>) -> Result<(), Refused> {
    let mut work = desk.begin().await?;
    sqlx::query("UPDATE desk.loads SET rate_cents = 3").execute(&mut work.tx).await?;
    work.commit().await
}

#[sqlx::test(migrations = false)]
async fn what_a_handler_does_not_record_the_table_does_under_the_persons_name(pool: PgPool) {
    let world = World::new(pool, "captured").await;
    attach(&world.administrator, &Capture::table("loads").schema("desk").named("load")).await.unwrap();
    let open = "SELECT has_function_privilege('facade_captured_app', 'set_config(text, text, boolean)', 'EXECUTE')";
    let open: bool = sqlx::query_scalar(open).fetch_one(&world.administrator).await.unwrap();
    assert!(!open, "the schema is hardened");

    let dan = Browser::signed_in(&world.router(), 0).await;
    let router = Router::new().route("/silent/{what}", routing::post(silent)).layer(world.layer());
    // An agent that would end the context's text, or change who is in it, if it could.
    let mut browser = dan.before(&router);
    browser.headers.clear();
    let mut browser = browser.header("user-agent", r#"a'"$audit$; {"id":"root"} \"#);
    let page = browser.post("/silent/1", &[]).await;
    assert_eq!((page.status, world.rate(LOADS[0]).await, world.rate(LOADS[1]).await), (StatusCode::OK, 3, 100_000));
    let [line] = world.log("load.update").await.try_into().unwrap();
    assert_eq!((line.actor_kind.as_str(), line.actor_id), ("user", person(0).to_string()));
    assert_eq!((line.method.as_deref(), line.endpoint.as_deref()), (Some("POST"), Some("/silent/{what}")));
    assert_eq!(line.request_id.as_deref(), page.header("x-request-id"));
    assert_eq!(line.ip, Some(vec![4, 203, 0, 113, 7]));
    assert_eq!(line.user_agent.as_deref(), Some(&br#"a'"$audit$; {"id":"root"} \"#[..]));
}
