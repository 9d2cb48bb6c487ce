//! From rows to an actor.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_rbac::postgres::{self, Orphan};
use stockade_rbac::{ErrorKind, Resource, Scope};
use uuid::Uuid;

use super::support::{Database, Perm, add, policy};

#[sqlx::test(migrations = false)]
async fn a_member_is_loaded_with_roles_exceptions_teams_and_offices(pool: PgPoolOptions, login: PgConnectOptions) {
    let database = Database::install(pool, login).await;
    let user = database.person("dispatcher").await;
    let (team, office) = (Uuid::now_v7(), Uuid::now_v7());
    database
        .run("INSERT INTO stockade.rbac_team_member VALUES ($1, $2, $3)", &[database.tenant, user, team])
        .await
        .unwrap();
    database
        .run("INSERT INTO stockade.rbac_office_member VALUES ($1, $2, $3)", &[database.tenant, user, office])
        .await
        .unwrap();
    let allow = "INSERT INTO stockade.rbac_override (tenant_id, user_id, permission, effect, scope, granted_by, reason, expires_at)
        VALUES ($1, $2, 'ledger.post', 'allow', 'tenant', $2, 'cover', now() + interval '1 hour')";
    database.run(allow, &[database.tenant, user]).await.unwrap();
    let deny = "INSERT INTO stockade.rbac_override (tenant_id, user_id, permission, effect, granted_by, reason)
        VALUES ($1, $2, 'load.view', 'deny', $2, 'dispute')";
    database.run(deny, &[database.tenant, user]).await.unwrap();

    let loaded = database.load(&policy(), user).await.unwrap();
    assert_eq!(loaded.orphans(), []);
    let until = loaded.valid_until().unwrap();
    assert!(loaded.loaded_at() < until && loaded.subject_version().is_some());
    let version = loaded.subject_version();
    let actor = loaded.build();
    assert!(actor.roles().eq(["dispatcher"]));
    assert_eq!((actor.subject_version(), actor.valid_until()), (version, Some(until)));
    let scopes = [Perm::View, Perm::Edit, Perm::Post, Perm::Manage].map(|permission| actor.scope(permission));
    assert_eq!(scopes, [Scope::None, Scope::Team, Scope::Tenant, Scope::None]);
    let of_team = Resource::in_tenant(database.tenant).team(team);
    let decision = actor.decide(Perm::Edit, &of_team);
    assert!(decision.is_allowed() && decision.subject_version() == version);
    assert!(!actor.decide(Perm::Edit, &Resource::in_tenant(database.tenant).office(office)).is_allowed());
    assert_eq!(actor.subject().offices(), [office.into()]);
}

#[sqlx::test(migrations = false)]
async fn whoever_is_absent_suspended_or_of_another_tenant_is_no_actor(pool: PgPoolOptions, login: PgConnectOptions) {
    let database = Database::install(pool, login).await;
    let user = database.person("viewer").await;
    let policy = policy();
    assert!(database.load(&policy, user).await.is_some());
    assert!(database.load(&policy, Uuid::now_v7()).await.is_none());
    let elsewhere = postgres::load(&mut *database.begin_in(Uuid::now_v7()).await, &policy, user).await;
    assert!(elsewhere.unwrap().is_none());

    let suspend = "UPDATE stockade.rbac_member SET status = 'suspended' WHERE user_id = $1";
    database.run(suspend, &[user]).await.unwrap();
    assert!(database.load(&policy, user).await.is_none());
}

#[sqlx::test(migrations = false)]
async fn a_transaction_without_a_tenant_is_an_error(pool: PgPoolOptions, login: PgConnectOptions) {
    let database = Database::install(pool, login).await;
    let user = database.person("viewer").await;
    let mut tx = database.app.begin().await.unwrap();
    let error = postgres::load(&mut *tx, &policy(), user).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::NoTransaction, "the transaction has no tenant"));
}

#[sqlx::test(migrations = false)]
async fn a_role_that_the_policy_lost_is_reported_and_gives_nothing(pool: PgPoolOptions, login: PgConnectOptions) {
    let database = Database::install(pool, login).await;
    let user = Uuid::now_v7();
    let mut tx = database.begin().await;
    add(&mut tx, database.tenant, user, &["viewer", "night-shift"]).await;
    let overrides = "INSERT INTO stockade.rbac_override (tenant_id, user_id, permission, effect, scope, granted_by, reason, expires_at)
        VALUES ($1, $2, 'load.scan', 'allow', 'tenant', $2, 'cover', now() + interval '1 hour'),
               ($1, $2, 'load.seal', 'deny', NULL, $2, 'cover', NULL),
               ($1, $2, 'load.edit', 'deny', NULL, $2, E'two\\nlines', NULL)";
    sqlx::query(overrides).bind(database.tenant).bind(user).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();

    let policy = policy();
    let loaded = database.load(&policy, user).await.unwrap();
    let mut orphans = loaded.orphans().to_vec();
    orphans.sort_by_key(|orphan| format!("{orphan:?}"));
    let [scan, seal] = ["load.scan", "load.seal"].map(|key| Orphan::Override(key.to_owned()));
    assert_eq!(orphans, [scan, seal, Orphan::Role("night-shift".to_owned())]);
    let actor = loaded.actor().role("admin").unwrap().build();
    assert!(actor.roles().eq(["viewer", "admin"]));
    assert_eq!(actor.scope(Perm::Edit), Scope::None, "a denial holds, whatever its reason looks like");
}

#[sqlx::test(migrations = false)]
async fn what_has_expired_is_left_out_and_the_actor_ends_with_the_first_that_will(
    pool: PgPoolOptions,
    login: PgConnectOptions,
) {
    let database = Database::install(pool, login).await;
    let user = database.person("viewer").await;
    let roles = "INSERT INTO stockade.rbac_role_assignment (tenant_id, user_id, role, granted_by, reason, granted_at, expires_at)
        VALUES ($1, $2, 'owner', $2, 'cover', now() - interval '2 hours', now() - interval '1 microsecond'),
               ($1, $2, 'accountant', $2, 'cover', now() - interval '2 hours', now() + interval '1 hour')";
    database.run(roles, &[database.tenant, user]).await.unwrap();
    let overrides = "INSERT INTO stockade.rbac_override (tenant_id, user_id, permission, effect, scope, granted_by, reason, granted_at, expires_at)
        VALUES ($1, $2, 'user.manage', 'allow', 'tenant', $2, 'cover', now() - interval '2 hours', now() - interval '1 microsecond')";
    database.run(overrides, &[database.tenant, user]).await.unwrap();

    let policy = policy();
    let actor = database.load(&policy, user).await.unwrap().build();
    assert!(actor.roles().eq(["viewer", "accountant"]) || actor.roles().eq(["accountant", "viewer"]));
    assert_eq!((actor.scope(Perm::Manage), actor.scope(Perm::Post)), (Scope::None, Scope::Tenant));
    let clock = stockade_rbac::ManualClock::at(actor.valid_until().unwrap());
    let later = policy.with_clock(clock);
    let actor = database.load(&later, user).await.unwrap().build();
    assert_eq!((actor.scope(Perm::Post), actor.valid_until()), (Scope::None, None), "by the policy's clock");
    assert_eq!(actor.scope(Perm::View), Scope::Own);
}

#[sqlx::test(migrations = false)]
async fn every_change_of_a_person_has_a_version_of_its_own(pool: PgPoolOptions, login: PgConnectOptions) {
    let database = Database::install(pool, login).await;
    let (owner, user) = (database.person("owner").await, database.person("viewer").await);
    let (t, thing) = (database.tenant, Uuid::now_v7());
    let changes: [(&'static str, &[Uuid]); 14] = [
        (
            "INSERT INTO stockade.rbac_role_assignment (tenant_id, user_id, role, granted_by, reason) VALUES ($1, $2, 'admin', $2, 'x')",
            &[t, user],
        ),
        ("UPDATE stockade.rbac_role_assignment SET role = 'owner' WHERE user_id = $1 AND role = 'admin'", &[user]),
        ("UPDATE stockade.rbac_role_assignment SET expires_at = now() + interval '1 hour' WHERE user_id = $1", &[user]),
        ("DELETE FROM stockade.rbac_role_assignment WHERE user_id = $1 AND role = 'owner'", &[user]),
        (
            "INSERT INTO stockade.rbac_override (tenant_id, user_id, permission, effect, granted_by, reason) VALUES ($1, $2, 'load.view', 'deny', $2, 'x')",
            &[t, user],
        ),
        ("DELETE FROM stockade.rbac_override WHERE user_id = $1", &[user]),
        ("INSERT INTO stockade.rbac_team_member VALUES ($1, $2, $3)", &[t, user, thing]),
        (
            "INSERT INTO stockade.rbac_share (share_id, tenant_id, kind, row_id, team_id, level, reason, granted_by) VALUES ($1, $2, 'load', $1, $1, 'view', 'x', $1)",
            &[thing, t],
        ),
        ("DELETE FROM stockade.rbac_share", &[]),
        ("DELETE FROM stockade.rbac_team_member WHERE user_id = $1", &[user]),
        ("INSERT INTO stockade.rbac_office_member VALUES ($1, $2, $3)", &[t, user, thing]),
        ("UPDATE stockade.rbac_member SET status = 'suspended' WHERE user_id = $1", &[user]),
        ("UPDATE stockade.rbac_member SET status = 'active' WHERE user_id = $1", &[user]),
        ("DELETE FROM stockade.rbac_member WHERE user_id = $1", &[user]),
    ];
    let version = "SELECT version FROM stockade.rbac_subject_version WHERE user_id = $1";
    let versions = async |user: Uuid| -> i64 {
        sqlx::query_scalar(version).bind(user).fetch_one(&database.superuser).await.unwrap()
    };
    let (mut seen, untouched) = (vec![versions(user).await], versions(owner).await);
    for (sql, ids) in changes {
        assert_ne!(database.run(sql, ids).await.unwrap(), 0, "{sql}");
        let now = versions(user).await;
        assert!(!seen.contains(&now), "{sql}");
        seen.push(now);
    }
    assert_eq!(versions(owner).await, untouched);
}
