//! Who may change what, and what is recorded of it.

use chrono::{TimeDelta, Utc};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_rbac::postgres::{self, Action, ExceptionKind, Refused, Status};
use stockade_rbac::{Ceiling, ErrorKind, GrantRefusal, Override, Policy, Scope, Scopes};
use uuid::Uuid;

use super::support::{Database, POLICY, Perm, connect, enter, policy, why};

fn guard<T>(result: Result<T, Refused>) -> Option<GrantRefusal> {
    match result {
        Err(Refused::Guard(refusal)) => Some(refusal),
        _ => None,
    }
}

#[sqlx::test(migrations = false)]
async fn a_role_is_given_and_taken_and_each_is_a_record_with_before_and_after(
    pool: PgPoolOptions,
    login: PgConnectOptions,
) {
    let (database, owner) = Database::founded(pool, login).await;
    let target = Uuid::now_v7();
    let admitted = database.as_person(owner, async |mut by| by.admit(target, why()).await).await.unwrap();
    assert_eq!(
        (admitted.action.name(), admitted.before.status, admitted.after.status),
        ("member.admit", None, Some(Status::Active))
    );

    let given =
        database.as_person(owner, async |mut by| by.assign(target, "dispatcher", why(), None).await).await.unwrap();
    assert_eq!((given.by, given.target, given.tenant), (owner.into(), target.into(), database.tenant.into()));
    assert_eq!((given.before.roles.len(), given.reason), (0, why()));
    let held = &given.after.roles[0];
    assert_eq!(
        (held.role.as_str(), held.granted_by, &held.reason, held.expires_at),
        ("dispatcher", owner.into(), &why(), None)
    );
    assert!(given.at <= held.granted_at && given.action.name() == "role.assign");
    assert_eq!(database.actor(target).await.scope(Perm::Edit), Scope::Team);

    let taken = database.as_person(owner, async |mut by| by.revoke(target, "dispatcher", why()).await).await.unwrap();
    assert_eq!((taken.before, taken.after.roles), (given.after, vec![]));
    assert_eq!(taken.action, Action::Revoke { role: "dispatcher".to_owned() });
    let again = database.as_person(owner, async |mut by| by.revoke(target, "dispatcher", why()).await).await;
    assert_eq!(again.unwrap_err(), Refused::NothingToChange);
}

#[sqlx::test(migrations = false)]
async fn nobody_gives_what_they_lack_nor_touches_somebody_above_nor_promotes_themselves(
    pool: PgPoolOptions,
    login: PgConnectOptions,
) {
    let (database, owner) = Database::founded(pool, login).await;
    let (admin, viewer) = (database.person("admin").await, database.person("viewer").await);
    let lacks = database.as_person(admin, async |mut by| by.assign(viewer, "accountant", why(), None).await).await;
    assert!(matches!(guard(lacks), Some(GrantRefusal::Lacks { permission: "ledger.post", .. })));
    let above = database.as_person(admin, async |mut by| by.suspend(owner, why()).await).await;
    assert_eq!(guard(above), Some(GrantRefusal::OwnerOnly));
    let own = database.as_person(admin, async |mut by| by.assign(admin, "viewer", why(), None).await).await;
    assert_eq!(guard(own), Some(GrantRefusal::OwnPromotion));
    let staff = database.as_person(owner, async |mut by| by.assign(viewer, "support", why(), None).await).await;
    assert_eq!(guard(staff), Some(GrantRefusal::StaffOnly));
    let unknown = database.as_person(owner, async |mut by| by.assign(viewer, "night-shift", why(), None).await).await;
    assert_eq!(guard(unknown), Some(GrantRefusal::NotAssignable));
    let plain = database.as_person(viewer, async |mut by| by.revoke(admin, "admin", why()).await).await;
    assert!(matches!(guard(plain), Some(GrantRefusal::NotPermitted(_))));
    let absent = database.as_person(owner, async |mut by| by.assign(Uuid::now_v7(), "viewer", why(), None).await).await;
    assert_eq!(absent.unwrap_err(), Refused::NoSuchMember);
    let member = database.as_person(owner, async |mut by| by.admit(viewer, why()).await).await;
    assert_eq!(member.unwrap_err(), Refused::AlreadyMember);
}

#[sqlx::test(migrations = false)]
async fn a_session_gives_what_its_person_has_now_and_not_what_the_session_began_with(
    pool: PgPoolOptions,
    login: PgConnectOptions,
) {
    let (database, owner) = Database::founded(pool, login).await;
    let (admin, viewer) = (database.person("admin").await, database.person("viewer").await);
    let (session, members) = (database.actor(admin).await, database.members());
    let attempt = async || {
        members.by(&session, &mut *database.begin().await).assign(viewer, "dispatcher", why(), None).await.unwrap()
    };
    assert!(attempt().await.is_ok());

    let _ = database.as_person(owner, async |mut by| by.revoke(admin, "admin", why()).await).await.unwrap();
    assert!(
        session.decide(Perm::Manage, &stockade_rbac::Resource::in_tenant(database.tenant)).is_allowed(),
        "the old actor believes so"
    );
    assert!(matches!(guard(attempt().await), Some(GrantRefusal::NotPermitted(_))));
    let _ = database.as_person(owner, async |mut by| by.assign(admin, "admin", why(), None).await).await.unwrap();
    let _ = database.as_person(owner, async |mut by| by.suspend(admin, why()).await).await.unwrap();
    assert_eq!(attempt().await.unwrap_err(), Refused::GranterNotActive);
    let _ = database.as_person(owner, async |mut by| by.remove(admin, why()).await).await.unwrap();
    assert_eq!(attempt().await.unwrap_err(), Refused::GranterNotActive);
}

#[sqlx::test(migrations = false)]
async fn the_limits_of_a_session_stay_whatever_its_person_has(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, owner) = Database::founded(pool, login).await;
    let viewer = database.person("viewer").await;
    let (members, policy) = (database.members(), policy());
    let loaded = database.load(&policy, owner).await.unwrap();
    let sessions = [
        loaded.clone().actor().multi_factor().build().attenuate(&Scopes::all()),
        loaded.clone().actor().multi_factor().ceiling(Ceiling::Session, &Scopes::reads()).build(),
        loaded.actor().build(),
    ];
    let mut refusals = Vec::new();
    for session in &sessions {
        let mut tx = database.begin().await;
        refusals.push(members.by(session, &mut *tx).assign(viewer, "owner", why(), None).await.unwrap().unwrap_err());
    }
    assert!(
        matches!(
            &refusals[..],
            [
                Refused::Guard(GrantRefusal::Token),
                Refused::Guard(GrantRefusal::NotPermitted(_)),
                Refused::Guard(GrantRefusal::Lacks { permission: "ledger.close", .. })
            ]
        ),
        "{refusals:?}"
    );
}

#[sqlx::test(migrations = false)]
async fn an_exception_that_holds_is_not_overwritten_by_a_weaker_one(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, owner) = Database::founded(pool, login).await;
    let admin = database.person("admin").await;
    let deny = Override::deny(Perm::Edit, why());
    let set = database.as_person(owner, async |mut by| by.except(admin, &deny).await).await.unwrap();
    assert_eq!(set.action, Action::Except { permission: "load.edit", scope: None, until: None });
    assert_eq!(database.actor(admin).await.scope(Perm::Edit), Scope::None);

    // To deny oneself something is nobody else's business. To replace the owner's denial by one of a second is.
    let brief = Override::deny_until(Perm::Edit, why(), Utc::now() + TimeDelta::seconds(1));
    let weakened = database.as_person(admin, async |mut by| by.except(admin, &brief).await).await;
    assert_eq!(weakened.unwrap_err(), Refused::AlreadyHeld);
    let lifted =
        database.as_person(admin, async |mut by| by.lift(admin, Perm::Edit, ExceptionKind::Deny, why()).await).await;
    assert_eq!(guard(lifted), Some(GrantRefusal::OwnPromotion));

    let lifted = database
        .as_person(owner, async |mut by| by.lift(admin, Perm::Edit, ExceptionKind::Deny, why()).await)
        .await
        .unwrap();
    assert_eq!(lifted.action, Action::Lift { permission: "load.edit", scope: None });
    assert_eq!(database.actor(admin).await.scope(Perm::Edit), Scope::Tenant);
    let past = Override::allow(Perm::Post, Scope::Tenant, why(), Utc::now() - TimeDelta::hours(1)).unwrap();
    let past = database.as_person(owner, async |mut by| by.except(admin, &past).await).await;
    assert_eq!(past.unwrap_err(), Refused::EndsInThePast);
    let allow = Override::allow(Perm::Post, Scope::Tenant, why(), Utc::now() + TimeDelta::hours(1)).unwrap();
    let _ = database.as_person(owner, async |mut by| by.except(admin, &allow).await).await.unwrap();
    assert_eq!(database.actor(admin).await.scope(Perm::Post), Scope::Tenant);
    let own =
        database.as_person(admin, async |mut by| by.lift(admin, Perm::Post, ExceptionKind::Allow, why()).await).await;
    assert!(own.is_ok(), "to give something up is nobody else's business");
}

#[sqlx::test(migrations = false)]
async fn the_last_owner_cannot_go_by_any_way(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, owner) = Database::founded(pool, login).await;
    let last = Some(GrantRefusal::LastOwner);
    assert_eq!(guard(database.as_person(owner, async |mut by| by.revoke(owner, "owner", why()).await).await), last);
    assert_eq!(guard(database.as_person(owner, async |mut by| by.suspend(owner, why()).await).await), last);
    assert_eq!(guard(database.as_person(owner, async |mut by| by.remove(owner, why()).await).await), last);

    // Who is owner for a day does not count, and does not take the last owner's place.
    let second = database.person("viewer").await;
    let tomorrow = Utc::now() + TimeDelta::days(1);
    let _ = database
        .as_person(owner, async |mut by| by.assign(second, "owner", why(), Some(tomorrow)).await)
        .await
        .unwrap();
    assert_eq!(guard(database.as_person(owner, async |mut by| by.remove(owner, why()).await).await), last);
    assert_eq!(guard(database.as_person(second, async |mut by| by.suspend(owner, why()).await).await), last);
    let shortened =
        database.as_person(second, async |mut by| by.assign(owner, "owner", why(), Some(tomorrow)).await).await;
    assert_eq!(shortened.unwrap_err(), Refused::AlreadyHeld);

    let _ = database.as_person(owner, async |mut by| by.revoke(second, "owner", why()).await).await.unwrap();
    let _ = database.as_person(owner, async |mut by| by.assign(second, "owner", why(), None).await).await.unwrap();
    assert!(database.as_person(owner, async |mut by| by.remove(owner, why()).await).await.is_ok());
    assert_eq!(guard(database.as_person(second, async |mut by| by.remove(second, why()).await).await), last);
}

#[sqlx::test(migrations = false)]
async fn a_suspended_member_keeps_roles_and_is_still_above_those_below(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, owner) = Database::founded(pool, login).await;
    let (second, admin) = (database.person("owner").await, database.person("admin").await);
    let _ = database.as_person(owner, async |mut by| by.suspend(second, why()).await).await.unwrap();
    let above = database.as_person(admin, async |mut by| by.revoke(second, "owner", why()).await).await;
    assert_eq!(guard(above), Some(GrantRefusal::OwnerOnly));
    let back = database.as_person(owner, async |mut by| by.reinstate(second, why()).await).await.unwrap();
    assert_eq!((back.before.status, back.after.status), (Some(Status::Suspended), Some(Status::Active)));
    assert!(database.actor(second).await.roles().eq(["owner"]));
    let again = database.as_person(owner, async |mut by| by.reinstate(second, why()).await).await;
    assert_eq!(again.unwrap_err(), Refused::NothingToChange);
}

#[sqlx::test(migrations = false)]
async fn what_is_kept_apart_is_not_given_together(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, owner) = Database::founded(pool, login).await;
    let clerk = database.person("accountant").await;
    let both = database.as_person(owner, async |mut by| by.assign(clerk, "auditor", why(), None).await).await;
    assert_eq!(guard(both), Some(GrantRefusal::Separation { name: "post-and-audit".to_owned() }));
}

#[sqlx::test(migrations = false)]
async fn a_role_that_expired_is_given_anew(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, owner) = Database::founded(pool, login).await;
    let target = database.person("viewer").await;
    let expired = "INSERT INTO stockade.rbac_role_assignment (tenant_id, user_id, role, granted_by, reason, granted_at, expires_at)
        VALUES ($1, $2, 'admin', $2, 'cover', now() - interval '2 hours', now() - interval '1 hour')";
    database.run(expired, &[database.tenant, target]).await.unwrap();
    let until = Utc::now() + TimeDelta::hours(1);
    let given =
        database.as_person(owner, async |mut by| by.assign(target, "admin", why(), Some(until)).await).await.unwrap();
    assert!(given.after.holds("admin", Utc::now()) && !given.before.holds("admin", given.at));
    let again = database.as_person(owner, async |mut by| by.assign(target, "admin", why(), None).await).await;
    assert_eq!(again.unwrap_err(), Refused::AlreadyHeld);
}

#[sqlx::test(migrations = false)]
async fn a_tenant_is_founded_once_and_by_an_owner(pool: PgPoolOptions, login: PgConnectOptions) {
    let database = Database::install(pool, login).await;
    let (members, owner) = (database.members(), Uuid::now_v7());
    let mut tx = database.begin().await;
    let refused = members.found(&mut *tx, owner, "admin", why()).await.unwrap();
    assert_eq!(refused.unwrap_err(), Refused::Guard(GrantRefusal::NotAssignable));
    let founded = members.found(&mut *tx, owner, "owner", why()).await.unwrap().unwrap();
    assert_eq!((founded.action.name(), founded.after.roles.len()), ("tenant.found", 1));
    let again = members.found(&mut *tx, Uuid::now_v7(), "owner", why()).await.unwrap();
    assert_eq!(again.unwrap_err(), Refused::Founded);
}

#[sqlx::test(migrations = false)]
async fn outside_a_transaction_nothing_is_changed(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, owner) = Database::founded(pool, login).await;
    let (actor, members) = (database.actor(owner).await, database.members());
    let mut connection = connect(&database.app).await;
    let context = sqlx::query("SELECT set_config('stockade.tenant_id', $1, false)").bind(database.tenant.to_string());
    context.execute(&mut connection).await.unwrap();
    let error = members.by(&actor, &mut connection).admit(Uuid::now_v7(), why()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoTransaction);
    let count: i64 =
        sqlx::query_scalar("SELECT count(*) FROM stockade.rbac_member").fetch_one(&database.superuser).await.unwrap();
    assert_eq!(count, 1);
}

#[sqlx::test(migrations = false)]
async fn a_database_that_knows_other_owner_roles_is_not_worked_with(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, owner) = Database::founded(pool, login).await;
    let actor = database.actor(owner).await;
    let renamed: Policy<Perm> = Policy::compile(&POLICY.replace("\"owner\"", "\"principal\"")).unwrap();
    let members = postgres::Members::new(&renamed, Perm::Manage);
    let mut tx = database.begin().await;
    let error = members.by(&actor, &mut *tx).admit(Uuid::now_v7(), why()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::NotSynced, false));
    drop(tx);
    // Who is told is told which tenants are without an owner by the new roles.
    let ownerless = postgres::sync(&mut *database.superuser.acquire().await.unwrap(), &renamed).await.unwrap();
    assert_eq!(ownerless, [database.tenant.into()]);
    let mut tx = database.app.begin().await.unwrap();
    enter(&mut tx, database.tenant).await;
    assert_eq!(
        postgres::sync(&mut *tx, &renamed).await.unwrap_err().kind(),
        ErrorKind::Database,
        "not the application"
    );
}

#[sqlx::test(migrations = false)]
async fn the_list_shows_everybody_in_pages_with_what_the_policy_lost(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, owner) = Database::founded(pool, login).await;
    let people = [owner, database.person("viewer").await, database.person("night-shift").await];
    let members = database.members();
    let mut tx = database.begin().await;
    let page = members.list(&mut *tx, None, 2.try_into().unwrap()).await.unwrap();
    assert!(page.iter().map(|member| member.user).eq(people[..2].iter().map(|user| (*user).into())));
    let rest = members.list(&mut *tx, Some(page[1].user), 2.try_into().unwrap()).await.unwrap();
    assert_eq!((rest.len(), rest[0].user), (1, people[2].into()));
    assert_eq!(rest[0].orphans, [postgres::Orphan::Role("night-shift".to_owned())]);
    assert_eq!(rest[0].standing.roles[0].role, "night-shift");
}
