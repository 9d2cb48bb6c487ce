//! The grants of two tenants, sound and overgrown on purpose.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection as _, PgPool};
use stockade_posture::{
    ErrorKind, Observation,
    rbac::{Bounds, holders, least, review},
};
use stockade_rbac::{Policy, postgres::migrator};
use uuid::Uuid;

use crate::support::{acting_as, assert_lost, change, lost, measured, shortfalls, told};

stockade_rbac::permissions! {
    /// What a person at the desk may do.
    pub enum Perm {
        View   = "load.view":    Read,  up to Platform;
        Edit   = "load.edit":    Write, up to Tenant;
        Post   = "ledger.post":  Write, up to Tenant;
        Manage = "user.manage":  Write, up to Tenant;
    }
}

const POLICY: &str = r#"
    [[role]]
    name = "viewer"
    grants.tenant = ["load.view"]

    [[role]]
    name = "accountant"
    grants.tenant = ["ledger.post"]

    [[role]]
    name = "auditor"
    grants.office = ["load.view"]

    [[role]]
    name = "owner"
    owner = true
    grants.tenant = ["load.view", "load.edit", "user.manage"]

    [[separation]]
    name = "post-and-audit"
    kind = "static"
    roles = ["accountant", "auditor"]
"#;

/// Five people of a tenant each, of whom one owns and one posts.
const PEOPLE: &str = "
    INSERT INTO stockade.rbac_tenant (tenant_id) VALUES ('00000000-0000-0000-0000-0000000000ac'), ('00000000-0000-0000-0000-0000000000b0');
    INSERT INTO stockade.rbac_member (tenant_id, user_id)
        SELECT t.tenant_id, ('00000000-0000-0000-0000-00000000000' || n)::uuid FROM stockade.rbac_tenant t, generate_series(1, 5) n;
    INSERT INTO stockade.rbac_role_assignment (tenant_id, user_id, role, granted_by, reason)
        SELECT m.tenant_id, m.user_id, (ARRAY['owner', 'accountant', 'viewer', 'viewer', 'auditor'])[right(m.user_id::text, 1)::int], m.user_id, 'test'
        FROM stockade.rbac_member m;";

const ACME: &str = "grants of tenant 00000000-0000-0000-0000-0000000000ac";
const BRIGHT: &str = "grants of tenant 00000000-0000-0000-0000-0000000000b0";

fn policy() -> Policy<Perm> {
    Policy::compile(POLICY).unwrap()
}

/// A policy with a role that may do everything.
fn wild() -> Policy<Perm> {
    let root = "
        [[role]]
        name = \"root\"
        grants.tenant = [\"load.view\", \"load.edit\", \"ledger.post\", \"user.manage\"]";
    Policy::compile(&[POLICY, root].concat()).unwrap()
}

async fn grants(pool: &PgPool) {
    migrator().run(pool).await.unwrap();
    change(pool, PEOPLE).await;
}

async fn distribution(pool: &PgPool, policy: &Policy<Perm>, bounds: Bounds) -> Vec<Observation> {
    let mut connection = pool.acquire().await.unwrap();
    measured(least(&mut connection, policy, bounds)).await
}

async fn reviewed(pool: &PgPool, days_ago: i64) -> Vec<Observation> {
    let at = Utc::now() - TimeDelta::days(days_ago);
    let tenants = [Uuid::from_u128(0xac), Uuid::from_u128(0xb0)];
    let reviews: BTreeMap<Uuid, DateTime<Utc>> = tenants.map(|tenant| (tenant, at)).into();
    let mut connection = pool.acquire().await.unwrap();
    measured(review(&mut connection, &policy(), &reviews)).await
}

#[sqlx::test]
async fn little_that_is_granted_passes(pool: PgPool) {
    grants(&pool).await;
    let seen = distribution(&pool, &policy(), Bounds::default()).await;
    assert_eq!(told(&seen), [format!("rbac.least {ACME} pass"), format!("rbac.least {BRIGHT} pass")]);
    let facts = seen[0].facts();
    assert_eq!((&facts["people"], &facts["owners"], &facts["tenant_wide_writers"]), (&5.into(), &1.into(), &2.into()));
    let seen = distribution(&pool, &wild(), Bounds::default().break_glass("root")).await;
    assert_eq!(shortfalls(&seen), Vec::<String>::new());
    assert_eq!(told(&seen)[0], "rbac.least role root pass");
}

#[sqlx::test]
async fn much_that_is_granted_fails_by_its_role_or_tenant(pool: PgPool) {
    grants(&pool).await;
    let seen = distribution(&pool, &wild(), Bounds::default()).await;
    assert_eq!(shortfalls(&seen), ["rbac.least role root fail: it has every permission, and is not for emergencies"]);
    let assign = "INSERT INTO stockade.rbac_role_assignment (tenant_id, user_id, role, granted_by, reason)
        SELECT m.tenant_id, m.user_id, 'owner', m.user_id, 'test' FROM stockade.rbac_member m
        WHERE m.tenant_id = '00000000-0000-0000-0000-0000000000ac' AND right(m.user_id::text, 1) <> '1'";
    change(&pool, assign).await;
    let seen = distribution(&pool, &policy(), Bounds::default()).await;
    assert_eq!(shortfalls(&seen), [format!("rbac.least {ACME} fail: it has more owners than its bounds say")]);
    let seen = distribution(&pool, &policy(), Bounds::default().owners(1..=5)).await;
    let reason = "more people write in the whole tenant than its bounds say";
    assert_eq!(shortfalls(&seen), [format!("rbac.least {ACME} fail: {reason}")]);
    let seen = distribution(&pool, &policy(), Bounds::default().owners(2..=5).writers_percent(100)).await;
    assert_eq!(shortfalls(&seen), [format!("rbac.least {BRIGHT} fail: it has fewer owners than its bounds say")]);
}

#[sqlx::test]
async fn grants_that_nobody_sees_are_unknown(pool: PgPool) {
    grants(&pool).await;
    let mut app = acting_as(&pool, "stockade_app").await;
    let reason = "no grant is visible to this connection";
    let seen = measured(least(&mut app, &policy(), Bounds::default())).await;
    assert_eq!(told(&seen), [format!("rbac.least rbac.least unknown: {reason}")], "without a tenant's context");
    let mut tx = app.begin().await.unwrap();
    let context = "SELECT set_config('stockade.tenant_id', '00000000-0000-0000-0000-0000000000ac', true)";
    sqlx::query(context).execute(&mut *tx).await.unwrap();
    let seen = measured(least(&mut tx, &policy(), Bounds::default())).await;
    assert_eq!(told(&seen), [format!("rbac.least {ACME} pass")], "the application in its context");
    assert_lost(&measured(least(&mut lost(&pool).await, &policy(), Bounds::default())).await);
}

#[sqlx::test]
async fn reviewed_grants_pass(pool: PgPool) {
    grants(&pool).await;
    let seen = reviewed(&pool, 89).await;
    assert_eq!(told(&seen), [format!("rbac.review {ACME} pass"), format!("rbac.review {BRIGHT} pass")]);
    assert_eq!(seen[0].facts()["reviewed_days_ago"], 89.into());
}

#[sqlx::test]
async fn what_a_review_would_find_fails_by_its_tenant(pool: PgPool) {
    grants(&pool).await;
    let expected = |reason: &str| vec![format!("rbac.review {ACME} fail: {reason}")];
    // From what is left over by itself to what somebody did wrong; each of them is worse than the one before.
    for (breaking, reason) in [
        (
            "UPDATE stockade.rbac_member SET status = 'suspended' WHERE tenant_id = '00000000-0000-0000-0000-0000000000ac' AND right(user_id::text, 1) = '4'",
            "suspended people still have grants",
        ),
        (
            "UPDATE stockade.rbac_role_assignment SET granted_at = now() - interval '2 days', expires_at = now() - interval '1 day'
             WHERE tenant_id = '00000000-0000-0000-0000-0000000000ac' AND right(user_id::text, 1) = '3'",
            "grants have expired and are still there",
        ),
        (
            "INSERT INTO stockade.rbac_override (tenant_id, user_id, permission, effect, granted_by, reason)
             VALUES ('00000000-0000-0000-0000-0000000000ac', '00000000-0000-0000-0000-000000000003', 'load.paint', 'deny', '00000000-0000-0000-0000-000000000001', 'test')",
            "grants name what the policy does not have",
        ),
        (
            "INSERT INTO stockade.rbac_role_assignment (tenant_id, user_id, role, granted_by, reason)
             VALUES ('00000000-0000-0000-0000-0000000000ac', '00000000-0000-0000-0000-000000000005', 'accountant', '00000000-0000-0000-0000-000000000001', 'test')",
            "somebody holds roles that are kept apart",
        ),
    ] {
        change(&pool, breaking).await;
        assert_eq!(shortfalls(&reviewed(&pool, 1).await), expected(reason));
    }
}

#[sqlx::test]
async fn grants_that_were_not_reviewed_fail(pool: PgPool) {
    grants(&pool).await;
    let fails = |reason: &str| {
        vec![format!("rbac.review {ACME} fail: {reason}"), format!("rbac.review {BRIGHT} fail: {reason}")]
    };
    assert_eq!(told(&reviewed(&pool, 91).await), fails("the last review is more than 90 days ago"));
    assert_eq!(told(&reviewed(&pool, -1).await), fails("the last review is dated in the future"));
    let mut connection = pool.acquire().await.unwrap();
    let seen = measured(review(&mut connection, &policy(), &BTreeMap::new())).await;
    assert_eq!(told(&seen), fails("the grants were never reviewed"));
}

#[sqlx::test]
async fn grants_that_cannot_be_read_are_unknown(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let seen = measured(review(&mut connection, &policy(), &BTreeMap::new())).await;
    assert_eq!(told(&seen), ["rbac.review rbac.review unknown: the database answered with error 42P01"]);
    assert_lost(&measured(review(&mut lost(&pool).await, &policy(), &BTreeMap::new())).await);
}

#[sqlx::test]
async fn the_holders_of_privileged_roles_are_found(pool: PgPool) {
    grants(&pool).await;
    let mut connection = pool.acquire().await.unwrap();
    let found = holders(&mut connection, &["owner", "accountant"]).await.unwrap();
    let expected = [(Uuid::from_u128(2), "accountant".to_owned()), (Uuid::from_u128(1), "owner".to_owned())];
    assert_eq!(found, expected);
    change(&pool, "UPDATE stockade.rbac_member SET status = 'suspended' WHERE right(user_id::text, 1) = '2'").await;
    assert_eq!(holders(&mut connection, &["owner", "accountant"]).await.unwrap(), expected[1..]);
    let error = holders(&mut connection, &["root"]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}
