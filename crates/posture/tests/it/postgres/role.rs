//! The role of the application, and views that lend it the rights of another.

use sqlx::PgPool;
use stockade_posture::{
    ControlId,
    postgres::{self, RlsScope},
};

use super::{broken, measured, remedies, shortfalls, sound};

async fn role_of(pool: &PgPool, role: &str) -> (String, Option<String>) {
    let seen = measured(postgres::rls(&mut sound(pool).await, &RlsScope::new("freight", "tenant_id", role))).await;
    let role = seen
        .into_iter()
        .find(|o| o.control() == ControlId::RLS_ROLE && o.subject().as_str().starts_with("role"))
        .unwrap();
    (role.outcome().reason().unwrap_or("pass").to_owned(), role.suggested_remedy().map(str::to_owned))
}

#[sqlx::test]
async fn a_role_that_can_step_around_is_found(pool: PgPool) {
    let remedy = |sql: &str| Some(sql.to_owned());
    let found = role_of(&pool, "posture_test_super").await;
    assert_eq!(found, ("it is a superuser".into(), remedy("ALTER ROLE posture_test_super NOSUPERUSER;")));
}

#[sqlx::test]
async fn a_role_with_bypassrls_is_found(pool: PgPool) {
    let found = role_of(&pool, "posture_test_bypass").await;
    assert_eq!(found, ("it has BYPASSRLS".into(), Some("ALTER ROLE posture_test_bypass NOBYPASSRLS;".into())));
}

#[sqlx::test]
async fn a_role_that_may_become_one_with_bypassrls_is_found(pool: PgPool) {
    let (reason, _) = role_of(&pool, "posture_test_climber").await;
    assert_eq!(reason, "it is a member of posture_test_bypass, which bypasses row-level security");
}

#[sqlx::test]
async fn an_owner_is_found(pool: PgPool) {
    let (reason, _) = role_of(&pool, "posture_test_owner").await;
    assert_eq!(reason, "it owns the table Odd Name or is a member of its owner");
}

#[sqlx::test]
async fn a_member_of_the_owner_is_found(pool: PgPool) {
    let (reason, _) = role_of(&pool, "posture_test_member").await;
    assert_eq!(reason, "it owns the table Odd Name or is a member of its owner");
}

#[sqlx::test]
async fn a_role_that_grants_itself_roles_is_found(pool: PgPool) {
    let (reason, _) = role_of(&pool, "posture_test_creator").await;
    assert_eq!(reason, "it has CREATEROLE, with which it can grant itself other roles");
}

#[sqlx::test]
async fn a_view_with_the_rights_of_its_owner_is_found(pool: PgPool) {
    let change = "CREATE SCHEMA report; CREATE VIEW report.\"All\" WITH (check_option = local) AS SELECT * FROM freight.loads WHERE id > 0;
                  GRANT SELECT (id) ON report.\"All\" TO posture_test_app";
    let seen = broken(&pool, change).await;
    assert_eq!(
        shortfalls(&seen),
        ["rls.role view report.\"All\" fail: it reads tenant tables with the rights of its owner"]
    );
    assert_eq!(remedies(&seen), ["ALTER VIEW report.\"All\" SET (security_invoker = true);"]);
}

#[sqlx::test]
async fn a_view_that_lost_security_invoker_is_found(pool: PgPool) {
    let seen = broken(&pool, "ALTER VIEW freight.v_loads SET (security_invoker = off)").await;
    assert_eq!(
        shortfalls(&seen),
        ["rls.role view freight.v_loads fail: it reads tenant tables with the rights of its owner"]
    );
}

#[sqlx::test]
async fn a_materialized_view_is_found(pool: PgPool) {
    let change = "CREATE MATERIALIZED VIEW freight.snapshot AS SELECT * FROM freight.loads; GRANT SELECT ON freight.snapshot TO PUBLIC";
    let seen = broken(&pool, change).await;
    assert_eq!(
        shortfalls(&seen),
        [
            "rls.role materialized view freight.snapshot fail: it holds rows of tenant tables and cannot have row-level security"
        ]
    );
}
