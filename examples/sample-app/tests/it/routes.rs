//! The table of routes, walked: nothing answers whoever may not ask.

use http::{Method, StatusCode};
use sample_app::{
    permissions::Perm,
    seed::{ACME, BRIGHT, GUEST, OWNER},
    web::{self, Guard, Route},
};
use sqlx::PgPool;

use crate::browser::{Browser, Page, app};

/// What answers without a session. A route that joins them is a decision, and is written here as well.
const PUBLIC: [(Method, &str); 21] = [
    (Method::GET, "/"),
    (Method::GET, "/sign-in"),
    (Method::POST, "/sign-in"),
    (Method::GET, "/sign-in/code"),
    (Method::POST, "/sign-in/code"),
    (Method::GET, "/sign-in/recovery"),
    (Method::POST, "/sign-in/recovery"),
    (Method::GET, "/reset"),
    (Method::POST, "/reset"),
    (Method::GET, "/reset/password"),
    (Method::POST, "/reset/password"),
    (Method::GET, "/enrol"),
    (Method::POST, "/enrol"),
    (Method::POST, "/enrol/confirm"),
    (Method::POST, "/sign-out"),
    (Method::GET, "/invitations/accept"),
    (Method::POST, "/invitations/accept"),
    (Method::GET, "/style.css"),
    (Method::GET, "/posture.css"),
    (Method::GET, "/live.js"),
    (Method::GET, "/icon.svg"),
];

/// A path with something in its places.
fn filled(path: &str) -> String {
    path.replace("{id}", "00000000-0000-0000-0000-000000000001")
        .replace("{share}", "00000000-0000-0000-0000-000000000002")
        .replace("{seq}", "1")
}

async fn ask(browser: &mut Browser, route: &Route) -> Page {
    match route.method {
        Method::GET => browser.get(&filled(route.path)).await,
        _ => browser.post(&filled(route.path), &[]).await,
    }
}

#[test]
fn every_route_names_its_permission_or_is_on_the_list_of_public_ones() {
    let public: Vec<_> = web::routes()
        .into_iter()
        .filter(|route| matches!(route.guard, Guard::Public(_)))
        .map(|route| (route.method, route.path))
        .collect();
    assert_eq!(public, PUBLIC);
    for route in web::routes() {
        if let Guard::Public(why) | Guard::Own(why) = route.guard {
            assert!(!why.is_empty(), "{} {}", route.method, route.path);
        }
    }
    // Nothing is added to the router but from the table.
    let sources = [include_str!("../../src/web.rs"), include_str!("../../src/web/routes.rs")];
    let added: usize = sources.iter().map(|source| source.matches(".route(").count()).sum();
    let merged = sources
        .iter()
        .map(|source| source.matches(".merge(").count() + source.matches(".nest(").count())
        .sum::<usize>();
    assert_eq!((added, merged), (1, 0));
}

#[sqlx::test(migrations = false)]
async fn nothing_opens_without_a_session(pool: PgPool) {
    let app = app(&pool).await;
    let mut nobody = Browser::new(&app);
    for route in web::routes() {
        let page = ask(&mut nobody, &route).await;
        match route.guard {
            Guard::Public(_) => {
                assert!(!page.status.is_server_error(), "{} {}: {}", route.method, route.path, page.text);
            }
            Guard::Token(_) => assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{} {}", route.method, route.path),
            _ => assert_eq!(page.location.as_deref(), Some("/sign-in"), "{} {}", route.method, route.path),
        }
    }
    assert_eq!(nobody.get("/nowhere").await.status, StatusCode::NOT_FOUND);
    assert_eq!(nobody.get("/sign-out").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

/// A member without any permission is refused by every route that names one, and each refusal is in the log.
#[sqlx::test(migrations = false)]
async fn a_person_without_permissions_is_refused_everywhere(pool: PgPool) {
    let app = app(&pool).await;
    let mut guest = Browser::signed_in(&app, &ACME, &GUEST).await;
    let mut refused = 0;
    for route in web::routes() {
        let Some(permission) = route.guard.permission() else { continue };
        let page = ask(&mut guest, &route).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{} {}: {}", route.method, route.path, page.text);
        let key = stockade::rbac::Permission::key(permission);
        assert!(
            page.text.contains(&format!("no role grants `{key}`")),
            "{} {}: {}",
            route.method,
            route.path,
            page.text
        );
        refused += 1;
    }
    assert!(refused > 40, "{refused}");
    assert_eq!(denials(&pool).await, refused);
}

/// The table is what refuses: with the roles of an owner the same requests get further.
#[sqlx::test(migrations = false)]
async fn the_same_requests_of_an_owner_are_not_refused(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    for route in reading() {
        let page = ask(&mut owner, &route).await;
        assert!(page.status != StatusCode::FORBIDDEN, "{} {}: {}", route.method, route.path, page.text);
        assert!(!page.status.is_server_error(), "{} {}: {}", route.method, route.path, page.text);
    }
    assert_eq!(denials(&pool).await, 0);
}

/// Whoever is suspended is put out by the next request, and whoever is of another tenant has no authority here at all.
#[sqlx::test(migrations = false)]
async fn a_suspended_member_is_refused_with_the_next_request(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &BRIGHT, &OWNER).await;
    assert_eq!(owner.get("/loads").await.status, StatusCode::OK);
    let suspend = "UPDATE stockade.rbac_role_assignment SET role = 'guest' WHERE tenant_id = $1 AND user_id = $2";
    sqlx::query(suspend).bind(ACME.id).bind(ACME.person(&GUEST)).execute(&pool).await.unwrap();
    let mut guest = Browser::signed_in(&app, &ACME, &GUEST).await;
    assert_eq!(guest.get("/loads").await.status, StatusCode::FORBIDDEN);
    sqlx::query("UPDATE stockade.rbac_member SET status = 'suspended' WHERE user_id = $1")
        .bind(ACME.person(&GUEST))
        .execute(&pool)
        .await
        .unwrap();
    let page = guest.get("/loads").await;
    assert!(page.status == StatusCode::FORBIDDEN && page.text.contains("suspended"), "{}", page.text);
    assert_eq!(owner.get("/loads").await.status, StatusCode::OK);
}

/// What somebody of a tenant can be let to read: what the platform's own people have is out of an owner's reach.
fn reading() -> impl Iterator<Item = Route> {
    let platform = [Perm::Impersonate, Perm::OutboxView];
    web::routes().into_iter().filter(move |route| {
        route.method == Method::GET
            && route.guard.permission().is_some_and(|permission| !platform.contains(&permission))
    })
}

async fn denials(pool: &PgPool) -> i64 {
    let count = "SELECT count(*) FROM stockade.audit_entry WHERE outcome = 'denied' AND tenant_id = $1";
    sqlx::query_scalar(count).bind(ACME.id).fetch_one(pool).await.unwrap()
}
