//! API tokens.

use axum::{Router, routing};
use http::StatusCode;
use sqlx::PgPool;
use stockade::{
    bridge::request::{Program, Refused},
    rbac::Scopes,
    session::{ApiTokenPolicy, Auth, NewApiToken, postgres::PgStore},
};

use crate::{
    app::{Perm, perm},
    browser::Browser,
    install::person,
    world::{LOADS, World, keys},
};

/// What a program changes, with its entry.
async fn edit(program: Program<Perm>) -> Result<(), Refused> {
    let mut work = program.begin().await?;
    let resource = work.resource();
    drop(work.require::<perm::LoadEdit>(&resource, ("load", LOADS[0])).await?);
    sqlx::query("UPDATE desk.loads SET rate_cents = 9").execute(&mut work.tx).await?;
    let entry = work.entry("load.edit").entity("load", LOADS[0]);
    work.record(&entry).await?;
    work.commit().await
}

#[sqlx::test(migrations = false)]
async fn a_token_does_what_its_owner_may_and_its_scopes_say_and_is_named_with_its_owner(pool: PgPool) {
    let mut world = World::new(pool, "tokens").await;
    let policy = ApiTokenPolicy::new("desk", |scope| Scopes::<Perm>::parse([scope]).is_ok()).unwrap();
    world.auth = Auth::builder(PgStore::new(world.gate.clone()), keys()).api_tokens(policy).build().unwrap();
    let router = Router::new().route("/", routing::post(edit)).layer(world.layer());
    let token = async |person_of: usize, scope: &str| {
        let new = NewApiToken::new(person(person_of).into(), "a script", [scope]);
        let issued = world.auth.api_tokens().create(new).await.unwrap();
        (issued.token().id.to_string(), format!("Bearer {}", issued.reveal().as_str()))
    };
    // No browser sent it, so nothing says which site it came from.
    let send = async |bearer: &str| {
        Browser::new(&router).header("authorization", bearer).post_from("none", "/", &[]).await.status
    };

    let (id, bearer) = token(0, "load.edit").await;
    assert_eq!((send(&bearer).await, world.rate(LOADS[0]).await), (StatusCode::OK, 9));
    let [line] = world.log("load.edit").await.try_into().unwrap();
    assert_eq!(
        (line.actor_kind.as_str(), line.actor_id, line.on_behalf_of),
        ("api_token", id, Some(person(0).to_string()))
    );

    assert_eq!(send(&token(0, "load.view").await.1).await, StatusCode::FORBIDDEN, "the scopes do not say so");
    assert_eq!(send(&token(1, "load.edit").await.1).await, StatusCode::FORBIDDEN, "the owner may not");
    assert_eq!(world.log("load.edit").await.iter().filter(|line| line.outcome == "denied").count(), 2);
    world.run("UPDATE stockade.rbac_role_assignment SET role = 'clerk' WHERE user_id = $1", person(0)).await;
    assert_eq!(send(&bearer).await, StatusCode::FORBIDDEN, "the owner may no more");

    assert_eq!(send("Bearer desk_nothing").await, StatusCode::UNAUTHORIZED);
    let dan = Browser::signed_in(&world.router(), 0).await;
    assert_eq!(dan.before(&router).post("/", &[]).await.status, StatusCode::UNAUTHORIZED, "a session is no token");
    let loads = Browser::new(&world.router()).header("authorization", &bearer).get("/loads").await;
    assert_ne!(loads.status, StatusCode::OK, "a token is no session");
}
