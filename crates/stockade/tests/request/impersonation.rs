//! Staff of the platform look and change nothing, under both names.

use std::time::Duration;

use axum::{Router, routing};
use http::StatusCode;
use sqlx::PgPool;
use stockade::{
    bridge::request::{Refused, Viewer},
    session::{ClientInfo, Cookies, ImpersonationStart, IssuedImpersonation},
};

use crate::{
    app::{HOME, Perm, perm},
    browser::Browser,
    install::{TENANTS, person},
    world::{LOADS, World},
};

pub(crate) const DAN: usize = 0;
pub(crate) const SAM: usize = 3;

/// A browser in which Sam looks as Dan.
async fn looking(world: &World, router: &Router) -> (Browser, String) {
    let sam = Browser::signed_in(router, SAM).await;
    let issued = impersonation(world).await;
    let id = issued.impersonation().id.to_string();
    (sam.cookie(&Cookies::host().impersonation(issued.token())), id)
}

/// Sam's, as Dan, in a session that Sam has.
pub(crate) async fn impersonation(world: &World) -> IssuedImpersonation {
    if world.auth.sessions(person(SAM).into()).await.unwrap().is_empty() {
        drop(world.session(SAM).await);
    }
    // As if the sign-in had had a code.
    world.run("UPDATE stockade.auth_session SET assurance = 'password+totp' WHERE user_id = $1", person(SAM)).await;
    let session = world.auth.sessions(person(SAM).into()).await.unwrap().remove(0);
    let client = ClientInfo { ip: [203, 0, 113, 7].into(), user_agent: None };
    let minutes = Duration::from_secs(600);
    let impersonations = world.auth.impersonations();
    let started = impersonations.start(&session, person(DAN).into(), "ticket 4711", minutes, &client);
    let ImpersonationStart::Started(issued) = started.await.unwrap() else { panic!("refused") };
    issued
}

#[sqlx::test(migrations = false)]
async fn staff_see_what_the_person_sees_after_an_entry_under_both_names(pool: PgPool) {
    let world = World::new(pool, "staff").await;
    let (mut sam, id) = looking(&world, &world.router()).await;
    let page = sam.get("/loads").await;
    assert_eq!((page.status, page.text.as_str()), (StatusCode::OK, "L-1 100000"));
    let [line] = world.log("impersonation.look").await.try_into().unwrap();
    assert_eq!(
        (line.tenant_id, line.actor_id, line.on_behalf_of),
        (TENANTS[0], person(SAM).to_string(), Some(person(DAN).to_string()))
    );
    assert_eq!((line.impersonation, line.endpoint.as_deref()), (Some(id), Some("/loads")));
    assert_eq!(line.request_id.as_deref(), page.header("x-request-id"));
    assert_eq!(line.after.unwrap()["reason"], "ticket 4711");
}

#[sqlx::test(migrations = false)]
async fn an_impersonated_write_is_refused_and_in_the_log(pool: PgPool) {
    let world = World::new(pool, "staffwrite").await;
    let (mut sam, id) = looking(&world, &world.router()).await;
    let page = sam.post(&format!("/loads/{}", LOADS[0]), &[("cents", "1")]).await;
    assert_eq!((page.status, world.rate(LOADS[0]).await), (StatusCode::FORBIDDEN, 100_000));
    let [line] = world.log("impersonation.write").await.try_into().unwrap();
    assert_eq!((line.tenant_id, line.severity, line.outcome.as_str()), (TENANTS[0], 2, "denied"));
    assert_eq!((line.actor_id, line.on_behalf_of), (person(SAM).to_string(), Some(person(DAN).to_string())));
    assert_eq!((line.impersonation, line.entity_id.as_deref()), (Some(id), Some("/loads/{id}")));
}

/// A page that may be looked at, whose author forgot that.
async fn writes(viewer: Viewer<Perm>) -> Result<String, Refused> {
    let mut look = viewer.read().await?;
    let written = sqlx::query("UPDATE desk.loads SET rate_cents = 1").execute(&mut look.tx).await;
    Ok(written.unwrap_err().as_database_error().unwrap().code().unwrap().into_owned())
}

#[sqlx::test(migrations = false)]
async fn a_page_that_tries_to_write_is_refused_by_the_database(pool: PgPool) {
    let world = World::new(pool, "staffpage").await;
    let (sam, _) = looking(&world, &world.router()).await;
    let layer = world.layer().with_staff::<perm::Support>(HOME);
    let router = Router::new().route("/", routing::post(writes)).layer(layer);
    let page = sam.before(&router).post("/", &[]).await;
    assert_eq!((page.status, page.text.as_str()), (StatusCode::OK, "25006"), "read_only_sql_transaction");
}

#[sqlx::test(migrations = false)]
async fn nobody_impersonates_where_the_layer_names_no_staff_or_the_role_is_gone(pool: PgPool) {
    let world = World::new(pool, "nostaff").await;
    let (sam, _) = looking(&world, &world.router()).await;
    let router = Router::new().route("/", routing::get(writes)).layer(world.layer());
    assert_eq!(sam.before(&router).get("/").await.status, StatusCode::FORBIDDEN);
    let mut sam = sam.before(&world.router());
    assert_eq!(sam.get("/loads").await.status, StatusCode::OK);
    world.run("DELETE FROM stockade.rbac_role_assignment WHERE user_id = $1", person(SAM)).await;
    assert_eq!(sam.get("/loads").await.status, StatusCode::FORBIDDEN);
    let [line] = world.log("user.impersonate").await.try_into().unwrap();
    assert_eq!(
        (line.tenant_id, line.severity, line.outcome.as_str()),
        (TENANTS[0], 2, "denied"),
        "an audited permission"
    );
    assert_eq!(world.log("impersonation.look").await.len(), 1);
}
