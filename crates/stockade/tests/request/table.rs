//! A table of routes: permissions that are values, asked before a handler runs, and functions that read in a work or in a look.

use std::time::Duration;

use axum::{
    Router,
    extract::{FromRequestParts, Request},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing,
};
use http::StatusCode;
use sqlx::{PgPool, postgres::PgPoolOptions};
use stockade::{
    bridge::{
        member_entry,
        request::{Asked, Desk, Reads, Refused, Viewer},
    },
    rbac::{Reason, Scope, postgres::Members},
};

use crate::{
    app::{Perm, perm},
    browser::Browser,
    install::{TENANTS, person},
    world::{LOADS, World},
};

const DAN: usize = 0;
const CLEO: usize = 1;

/// What such an application has in front of each handler.
async fn guard(permission: Perm, request: Request, next: Next) -> Result<Response, Refused> {
    let (mut parts, body) = request.into_parts();
    let viewer = Viewer::<Perm>::from_request_parts(&mut parts, &()).await?.named("Somebody");
    let look = viewer.read().await?;
    assert_eq!(look.scope(Perm::Support), Scope::None, "to see how far something reaches asks nothing");
    look.reach(permission, ("page", "loads"))?;
    look.close().await?;
    parts.extensions.insert(viewer);
    Ok(next.run(Request::from_parts(parts, body)).await)
}

fn guarded(world: &World, permission: Perm) -> Router {
    let handler = || async { "reached" };
    let guard = from_fn(move |request: Request, next: Next| guard(permission, request, next));
    Router::new().route("/page", routing::get(handler).layer(guard)).layer(world.layer())
}

#[sqlx::test(migrations = false)]
async fn a_route_whose_permission_reaches_nothing_is_refused_before_its_handler_and_recorded_once(pool: PgPool) {
    let world = World::new(pool, "table").await;
    let cleo = Browser::signed_in(&world.router(), CLEO).await;
    let page = cleo.before(&guarded(&world, Perm::LoadView)).get("/page").await;
    assert_eq!((page.status, page.text.as_str()), (StatusCode::OK, "reached"));
    let page = cleo.before(&guarded(&world, Perm::LoadEdit)).get("/page").await;
    assert_eq!((page.status, page.text.as_str()), (StatusCode::FORBIDDEN, ""));
    let [line] = world.log("load.edit").await.try_into().unwrap();
    assert_eq!((line.outcome.as_str(), line.entity_id.as_deref()), ("denied", Some("loads")));
    assert_eq!((line.endpoint.as_deref(), line.request_id.as_deref()), (Some("/page"), page.header("x-request-id")));
    assert_eq!((line.actor_role.as_deref(), line.name.as_deref()), (Some("clerk"), Some(&b"Somebody"[..])));
    assert!(world.log("load.view").await.is_empty() && world.log("user.impersonate").await.is_empty());
}

/// In whatever transaction.
async fn count(at: &mut impl Reads<Perm>) -> Result<i64, Refused> {
    at.ask(Perm::LoadView, &at.resource(), ("page", "loads"))?;
    Ok(sqlx::query_scalar("SELECT count(*) FROM desk.loads").fetch_one(at.tx()).await?)
}

async fn counts(desk: Desk<Perm>) -> Result<String, Refused> {
    let mut look = desk.read().await?;
    let looked = count(&mut look).await?;
    look.close().await?;
    let mut work = desk.begin().await?;
    assert!(work.may(Perm::LoadEdit, &work.resource()));
    let worked = count(&mut work).await?;
    work.rollback().await?;
    Ok(format!("{looked} {worked}"))
}

#[sqlx::test(migrations = false)]
async fn a_function_reads_in_a_work_and_in_a_look(pool: PgPool) {
    let world = World::new(pool, "either").await;
    let dan = Browser::signed_in(&world.router(), DAN).await;
    let router = Router::new().route("/", routing::get(counts)).layer(world.layer());
    assert_eq!(dan.before(&router).get("/").await.text, "1 1");
    world.run("DELETE FROM stockade.rbac_role_assignment WHERE user_id = $1", person(DAN)).await;
    let page = dan.before(&router).get("/").await;
    assert_eq!((page.status, world.log("load.view").await.len()), (StatusCode::FORBIDDEN, 1));
}

/// Asked, refused, and still in the transaction when the answer is there.
async fn holding(desk: Desk<Perm>) -> Response {
    let work = desk.begin().await.unwrap();
    work.ask(Perm::LoadEdit, &work.resource(), ("load", LOADS[0])).unwrap_err().into_response()
}

#[sqlx::test(migrations = false)]
async fn one_connection_is_enough_for_a_refusal_and_its_record(pool: PgPool) {
    let mut world = World::new(pool, "single").await;
    let single = PgPoolOptions::new().max_connections(1).acquire_timeout(Duration::from_secs(20));
    world.requests = single.connect_lazy_with(world.requests.connect_options().as_ref().clone());
    let cleo = Browser::signed_in(&world.router(), CLEO).await;
    for router in
        [Router::new().route("/page", routing::get(holding)).layer(world.layer()), guarded(&world, Perm::LoadEdit)]
    {
        assert_eq!(cleo.before(&router).get("/page").await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(world.log("load.edit").await.len(), 2);
}

#[sqlx::test(migrations = false)]
async fn members_are_changed_in_a_work_and_not_without_it(pool: PgPool) {
    let world = World::new(pool, "members").await;
    let session = world.session(DAN).await;
    // Who may edit loads may give what they have.
    let members = Members::new(&world.policy(), Perm::LoadEdit);
    let roles = "SELECT count(*) FROM stockade.rbac_role_assignment WHERE user_id = $1 AND role = 'dispatcher'";
    let given =
        async || -> i64 { sqlx::query_scalar(roles).bind(person(CLEO)).fetch_one(&world.administrator).await.unwrap() };
    for kept in [false, true] {
        let desk = world.layer().desk(session.clone(), Asked::default());
        let mut work = desk.begin().await.unwrap();
        let reason = Reason::new("ticket 4711").unwrap();
        let change = work.members(&members).assign(person(CLEO), "dispatcher", reason, None).await.unwrap().unwrap();
        let entry = member_entry(&change, work.author()).request(work.asked().context());
        work.record(&entry).await.unwrap();
        if kept {
            work.commit().await.unwrap();
        } else {
            work.rollback().await.unwrap();
        }
        assert_eq!(given().await, i64::from(kept));
    }
    let [line] = world.log("role.assign").await.try_into().unwrap();
    assert_eq!((line.tenant_id, line.actor_id, line.ip), (TENANTS[0], person(DAN).to_string(), None));
}

/// A permission that is a type gives a permit for the same question.
#[sqlx::test(migrations = false)]
async fn a_value_is_answered_as_its_type_is(pool: PgPool) {
    let world = World::new(pool, "values").await;
    for (who, may) in [(DAN, true), (CLEO, false)] {
        let desk = world.layer().desk(world.session(who).await, Asked::default());
        let mut work = desk.begin().await.unwrap();
        let resource = work.resource();
        assert_eq!(work.ask(Perm::LoadEdit, &resource, ("load", "x")).is_ok(), may);
        assert_eq!(work.require::<perm::LoadEdit>(&resource, ("load", "x")).await.is_ok(), may);
        work.rollback().await.unwrap();
        desk.asked().settle().await.unwrap();
    }
    let denied = world.log("load.edit").await;
    assert_eq!(denied.len(), 2);
    assert!(denied.iter().all(|line| line.outcome == "denied" && line.actor_id == person(CLEO).to_string()));
    assert_eq!(denied[0].after, denied[1].after);
}
