//! Which rows a person reaches: the list, the decision about one row and row-level security say the same.

use std::collections::BTreeSet;

use http::StatusCode;
use sample_app::{
    app::App,
    desk::Desk,
    domain::{accounts, drivers, loads},
    permissions::Perm,
    seed::{
        self, ACCOUNTANT, ACME, ADMIN, BRIGHT, DISPATCHER, FAR_DISPATCHER, GUEST, MANAGER, OWNER, Person, Tenant,
        VIEWER,
    },
};
use sqlx::PgPool;
use stockade::{
    bridge::request::{Asked, Refused},
    session::{ClientInfo, Session, Step, TotpStep},
};
use uuid::Uuid;

use crate::browser::{Browser, app};

async fn session(app: &App, tenant: &Tenant, person: &Person) -> Session {
    let client = ClientInfo { ip: [203, 0, 113, 9].into(), user_agent: None };
    let flow = app.auth.begin(&tenant.email(person), &client).await.unwrap();
    match flow.verify_password(seed::PASSWORD.to_owned().into()).await.unwrap() {
        Step::Done(flow) => app.auth.issue(flow).await.unwrap().session().clone(),
        Step::TotpRequired(flow) => match flow.verify_totp(&seed::current_code(person).unwrap()).await.unwrap() {
            TotpStep::Done(flow) => app.auth.issue(flow).await.unwrap().session().clone(),
            TotpStep::Rejected(_) => panic!("the code of {} was wrong", person.name),
        },
        _ => panic!("{} could not sign in", person.name),
    }
}

async fn desk(app: &App, session: &Session) -> Desk {
    let visitor = app.visitor(session.clone(), Asked::default()).await.unwrap().unwrap();
    app.desk(&visitor).await.unwrap()
}

/// Shares of rows with single people and with offices, one of them over.
async fn share(pool: &PgPool, kind: &str, row: Uuid, with: (&str, Uuid), level: &str, until: &str) {
    let add = "INSERT INTO stockade.rbac_share (share_id, tenant_id, kind, row_id, user_id, office_id, level, reason, granted_by, granted_at, expires_at)
        VALUES (gen_random_uuid(), $1, $2, $3, CASE $4 WHEN 'user' THEN $5 END, CASE $4 WHEN 'office' THEN $5 END, $6, 'test', $3,
            now() - interval '2 days', now() + $7::interval)";
    sqlx::query(add)
        .bind(ACME.id)
        .bind(kind)
        .bind(row)
        .bind(with.0)
        .bind(with.1)
        .bind(level)
        .bind(until)
        .execute(pool)
        .await
        .unwrap();
}

/// What is shared with a person, as the table says it: row and level.
async fn shared(pool: &PgPool, person: Uuid) -> Vec<(Uuid, String)> {
    let all = "SELECT s.row_id, min(s.level) FROM stockade.rbac_share s WHERE (s.expires_at IS NULL OR s.expires_at > now())
        AND (s.user_id = $1 OR s.office_id IN (SELECT o.office_id FROM stockade.rbac_office_member o WHERE o.user_id = $1)) GROUP BY 1";
    sqlx::query_as(all).bind(person).fetch_all(pool).await.unwrap()
}

async fn ids(desk: &mut Desk, unfiltered: &'static str) -> BTreeSet<Uuid> {
    sqlx::query_scalar(unfiltered).fetch_all(&mut desk.tx).await.unwrap().into_iter().collect()
}

/// For each person: what the list shows, what is decided of each row of every tenant, and what a query shows that does not filter.
#[sqlx::test(migrations = false)]
async fn a_list_a_decision_and_a_query_without_a_filter_show_the_same_loads(pool: PgPool) {
    let app = app(&pool).await;
    let all: Vec<loads::Load> =
        sqlx::query_as("SELECT *, NULL AS shared FROM freight.loads").fetch_all(&pool).await.unwrap();
    let of = |owner: &Person| all.iter().find(|load| load.owner_id == ACME.person(owner)).unwrap().id;
    share(&pool, "load", of(&DISPATCHER), ("user", ACME.person(&FAR_DISPATCHER)), "view", "1 day").await;
    share(&pool, "load", of(&FAR_DISPATCHER), ("office", ACME.office(0)), "edit", "1 day").await;
    share(&pool, "load", of(&OWNER), ("user", ACME.person(&FAR_DISPATCHER)), "edit", "-1 day").await;
    share(&pool, "load", of(&OWNER), ("user", ACME.person(&GUEST)), "edit", "1 day").await;

    let mut seen = Vec::new();
    for person in [&OWNER, &ADMIN, &ACCOUNTANT, &VIEWER, &MANAGER, &DISPATCHER, &FAR_DISPATCHER, &GUEST] {
        let session = session(&app, &ACME, person).await;
        let shared = shared(&pool, ACME.person(person)).await;
        let mut desk = desk(&app, &session).await;
        let listed: BTreeSet<Uuid> = loads::all(&mut desk).await.unwrap().into_iter().map(|load| load.id).collect();
        let unfiltered = ids(&mut desk, "SELECT id FROM freight.loads").await;
        assert_eq!(listed, unfiltered, "{}: leaving the filter away shows other rows", person.name);
        for load in &all {
            let level = shared.iter().find(|(row, _)| *row == load.id).map(|(_, level)| level.clone());
            let resource = loads::Load { shared: level, ..load.clone() }.resource(desk.user.id);
            assert_eq!(
                desk.may(Perm::LoadView, &resource),
                listed.contains(&load.id),
                "{} sees {}",
                person.name,
                load.reference
            );
            assert_eq!(loads::find(&mut desk, load.id).await.unwrap().is_some(), listed.contains(&load.id));
            let changed = sqlx::query("UPDATE freight.loads SET rate_cents = rate_cents WHERE id = $1").bind(load.id);
            let changed = changed.execute(&mut desk.tx).await.unwrap().rows_affected();
            assert_eq!(changed == 1, desk.may(Perm::LoadEdit, &resource), "{} edits {}", person.name, load.reference);
        }
        desk.rollback().await.unwrap();
        seen.push(listed.len());
    }
    // The control: people do see different rows, and nobody the eighteen that are there.
    assert_eq!(seen, [6, 6, 6, 6, 3, 3, 4, 0]);
    // And it is the policies that hold the query that does not filter.
    let drop = "DROP POLICY rbac_select ON freight.loads";
    sqlx::query(drop).execute(&pool).await.unwrap();
    let session = session(&app, &ACME, &GUEST).await;
    let mut desk = desk(&app, &session).await;
    assert_eq!(ids(&mut desk, "SELECT id FROM freight.loads").await.len(), 6);
    assert!(loads::all(&mut desk).await.unwrap().is_empty());
    desk.rollback().await.unwrap();
}

#[sqlx::test(migrations = false)]
async fn another_office_sees_an_account_that_is_shared_with_it_and_no_other(pool: PgPool) {
    let app = app(&pool).await;
    let names = async |person: &Person| {
        let session = session(&app, &ACME, person).await;
        let mut desk = desk(&app, &session).await;
        let listed = accounts::all(&mut desk).await.unwrap();
        let unfiltered = ids(&mut desk, "SELECT id FROM freight.accounts").await;
        assert_eq!(listed.iter().map(|account| account.id).collect::<BTreeSet<_>>(), unfiltered);
        let own = desk.user.id;
        assert!(listed.iter().all(|account| desk.may(Perm::AccountView, &account.resource(own))));
        desk.rollback().await.unwrap();
        listed.into_iter().map(|account| account.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&DISPATCHER).await, ["Harbor Foods", "Northline Steel", "Palmetto Paper"]);
    assert_eq!(names(&FAR_DISPATCHER).await, ["Juniper Home", "Northline Steel"]);
    assert_eq!(names(&GUEST).await, [] as [&str; 0]);
    let over = "UPDATE stockade.rbac_share SET granted_at = now() - interval '2 days', expires_at = now() - interval '1 second'";
    sqlx::query(over).execute(&pool).await.unwrap();
    assert_eq!(names(&DISPATCHER).await, ["Harbor Foods", "Palmetto Paper"]);
}

/// On the pages: a load out of reach looks like one that there is not, and a share opens it for as long as it lasts.
#[sqlx::test(migrations = false)]
async fn a_load_out_of_reach_does_not_exist(pool: PgPool) {
    let app = app(&pool).await;
    let load = crate::browser::loads(&pool, &ACME)
        .await
        .into_iter()
        .find(|load| load.owner_id == ACME.person(&FAR_DISPATCHER))
        .unwrap();
    let mut dispatcher = Browser::signed_in(&app, &ACME, &DISPATCHER).await;
    let page = format!("/loads/{}", load.id);
    assert!(!dispatcher.get("/loads").await.text.contains(&load.reference));
    assert_eq!(dispatcher.get(&page).await.status, StatusCode::NOT_FOUND);
    let form = [("rate", "1"), ("status", "booked")];
    assert_eq!(dispatcher.post(&page, &form).await.status, StatusCode::NOT_FOUND);
    share(&pool, "load", load.id, ("user", ACME.person(&DISPATCHER)), "view", "1 hour").await;
    assert!(dispatcher.get("/loads").await.text.contains(&load.reference));
    let refused = dispatcher.post(&page, &form).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "seen, and not to be changed");
    sqlx::query("UPDATE stockade.rbac_share SET level = 'edit' WHERE row_id = $1")
        .bind(load.id)
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(dispatcher.post(&page, &form).await.status, StatusCode::SEE_OTHER);
    let mut stranger = Browser::signed_in(&app, &BRIGHT, &OWNER).await;
    assert_eq!(stranger.get(&page).await.status, StatusCode::NOT_FOUND);
}

/// Drivers go with their office; whoever reaches the tenant sees all of them, and nobody sees them without scopes.
#[sqlx::test(migrations = false)]
async fn drivers_are_seen_by_policy_as_by_the_list(pool: PgPool) {
    let app = app(&pool).await;
    for (person, count) in [(&OWNER, 3), (&DISPATCHER, 3), (&GUEST, 0)] {
        let session = session(&app, &ACME, person).await;
        let mut desk = desk(&app, &session).await;
        assert_eq!(drivers::all(&mut desk).await.unwrap().len(), count, "{}", person.name);
        assert_eq!(ids(&mut desk, "SELECT id FROM freight.drivers").await.len(), count, "{}", person.name);
        desk.rollback().await.unwrap();
    }
    let mut tx = app.tenants.begin(stockade::tenant_guard::TenantId::new(ACME.id)).await.unwrap();
    let unscoped: i64 = sqlx::query_scalar("SELECT count(*) FROM freight.drivers").fetch_one(&mut tx).await.unwrap();
    assert_eq!(unscoped, 0);
    tx.rollback().await.unwrap();
}

/// What a person may do is asked again in the transaction that writes: a role that went between the two counts no more.
#[sqlx::test(migrations = false)]
async fn authority_that_was_taken_meanwhile_opens_no_desk(pool: PgPool) {
    let app = app(&pool).await;
    let session = session(&app, &ACME, &DISPATCHER).await;
    let mut visitor = app.visitor(session.clone(), Asked::default()).await.unwrap().unwrap();
    // As the guard of a route leaves it.
    visitor.needs = Some(Perm::LoadView);
    app.desk(&visitor).await.unwrap().rollback().await.unwrap();
    let demote = "UPDATE stockade.rbac_role_assignment SET role = 'guest' WHERE user_id = $1";
    sqlx::query(demote).bind(ACME.person(&DISPATCHER)).execute(&pool).await.unwrap();
    let overtaken = app.desk(&visitor).await.unwrap_err();
    assert!(matches!(overtaken.downcast_ref(), Some(Refused::Overtaken)), "{overtaken}");
    visitor.needs = None;
    let desk = app.desk(&visitor).await.unwrap();
    assert!(!desk.may(Perm::LoadView, &desk.resource()), "a desk has what holds now");
    assert_eq!(desk.user.roles, ["guest"]);
    desk.rollback().await.unwrap();
    let visitor = app.visitor(session, Asked::default()).await.unwrap().unwrap();
    assert_eq!(visitor.user.roles, ["guest"]);
}
