//! The same desks where no request is: jobs, streams, tests.

use sqlx::PgPool;
use stockade::{
    bridge::request::{Asked, Reads, Refused, Viewer},
    session::{ClientInfo, tower::Refusal},
};

use crate::{
    app::{HOME, Perm, perm},
    impersonation::{DAN, SAM, impersonation},
    install::{TENANTS, person},
    world::{LOADS, World},
};

const CLEO: usize = 1;

#[sqlx::test(migrations = false)]
async fn what_is_refused_outside_of_a_request_is_recorded_with_what_is_known_of_it(pool: PgPool) {
    let world = World::new(pool, "outside").await;
    let (layer, session) = (world.layer(), world.session(CLEO).await);
    let client = ClientInfo { ip: [198, 51, 100, 7].into(), user_agent: Some("tour\u{7}".to_owned()) };
    let known = Asked::from(&client).at("POST", "/loads/{id}");
    for asked in [known, Asked::default()] {
        let desk = layer.desk(session.clone(), asked.clone()).named("Cleo");
        let work = desk.begin().await.unwrap();
        work.ask(Perm::LoadEdit, &work.resource(), ("load", LOADS[0])).unwrap_err();
        work.rollback().await.unwrap();
        asked.settle().await.unwrap();
    }
    let [known, unknown] = world.log("load.edit").await.try_into().unwrap();
    assert_eq!((known.tenant_id, known.outcome.as_str()), (TENANTS[0], "denied"));
    assert_eq!((known.method.as_deref(), known.endpoint.as_deref()), (Some("POST"), Some("/loads/{id}")));
    assert_eq!((known.ip, known.user_agent.as_deref()), (Some(vec![4, 198, 51, 100, 7]), Some(&b"tour"[..])));
    assert_eq!((unknown.endpoint, unknown.ip, unknown.user_agent), (None, None, None));
    assert!(known.request_id.is_some() && unknown.request_id.is_some() && known.request_id != unknown.request_id);
    assert_eq!((known.name.as_deref(), unknown.name.as_deref()), (Some(&b"Cleo"[..]), Some(&b"Cleo"[..])));
}

#[sqlx::test(migrations = false)]
async fn a_refusal_that_cannot_be_recorded_is_told_to_whoever_settles(pool: PgPool) {
    let world = World::new(pool, "unsettled").await;
    let desk = world.layer().desk(world.session(CLEO).await, Asked::default());
    sqlx::query("REVOKE INSERT ON stockade.audit_entry FROM stockade_app").execute(&world.administrator).await.unwrap();
    let work = desk.begin().await.unwrap();
    work.ask(Perm::LoadEdit, &work.resource(), ("load", LOADS[0])).unwrap_err();
    work.rollback().await.unwrap();
    assert!(matches!(desk.asked().settle().await, Err(Refused::Failed(_))));
    desk.asked().settle().await.unwrap();
}

/// A guard reads, and the handler behind it again: that is one look of the staff.
#[sqlx::test(migrations = false)]
async fn a_viewer_that_reads_twice_has_one_entry_under_the_names_of_both(pool: PgPool) {
    let world = World::new(pool, "twice").await;
    let layer = world.layer().with_staff::<perm::Support>(HOME);
    let impersonation = impersonation(&world).await.impersonation().clone();
    let viewer = |asked: &Asked| layer.viewer(impersonation.clone(), asked.clone());
    let asked = Asked::default();
    let named = viewer(&asked).named("Sam");
    for viewer in [&named, &named.clone()] {
        let look = viewer.read().await.unwrap();
        assert_eq!(
            (look.tx.tenant_id().as_uuid(), viewer.user(), viewer.tenant()),
            (TENANTS[0], person(DAN), TENANTS[0])
        );
        look.close().await.unwrap();
    }
    let [line] = world.log("impersonation.look").await.try_into().unwrap();
    assert_eq!((line.actor_id, line.on_behalf_of), (person(SAM).to_string(), Some(person(DAN).to_string())));
    assert_eq!((line.name.as_deref(), line.actor_role.as_deref()), (Some(&b"Sam"[..]), Some("support")));
    viewer(&asked).read().await.unwrap().close().await.unwrap();
    assert_eq!(world.log("impersonation.look").await.len(), 2, "another viewer is another look");

    let refused = named.desk().unwrap_err();
    assert!(matches!(refused, Refused::Session(Refusal::Impersonating)), "{refused}");
    asked.settle().await.unwrap();
    assert_eq!(world.log("impersonation.write").await.len(), 1);
    let own: Viewer<Perm> = layer.desk(world.session(CLEO).await, Asked::default()).into();
    assert_eq!((own.desk().unwrap().user(), own.user()), (person(CLEO), person(CLEO)));
}
