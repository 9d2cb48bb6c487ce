//! Tables and their policies.

use sqlx::PgPool;
use stockade_posture::{Assessment, ControlId, Standing, postgres};

use super::{broken, measured, remedies, scope, shortfalls, sound};

#[sqlx::test]
async fn a_sound_schema_passes(pool: PgPool) {
    let seen = measured(postgres::rls(&mut sound(&pool).await, &scope())).await;
    assert_eq!(shortfalls(&seen), Vec::<String>::new());
    let names = |id| seen.iter().filter(|o| o.control() == id).map(|o| o.subject().as_str()).collect::<Vec<_>>();
    let tables = ["freight.\"Odd Name\"", "freight.event", "freight.event_2026", "freight.loads"];
    assert_eq!(names(ControlId::RLS_ENABLED), tables);
    assert_eq!(names(ControlId::RLS_FORCED), tables);
    assert_eq!(names(ControlId::RLS_POLICIES), tables);
    assert_eq!(names(ControlId::RLS_ROLE), ["role posture_test_app on schema freight", "view freight.v_loads"]);

    let assessment = Assessment::builder(chrono::Utc::now()).observe(seen).build();
    for id in [ControlId::RLS_ENABLED, ControlId::RLS_FORCED, ControlId::RLS_POLICIES, ControlId::RLS_ROLE] {
        assert_eq!(assessment.result(id).unwrap().standing(), Standing::InPlace);
    }
}

#[sqlx::test]
async fn row_level_security_off_is_found(pool: PgPool) {
    let seen = broken(&pool, "ALTER TABLE freight.\"Odd Name\" DISABLE ROW LEVEL SECURITY").await;
    assert_eq!(
        shortfalls(&seen),
        [
            "rls.enabled freight.\"Odd Name\" fail: row-level security is not enabled",
            // The flag is still set, and means nothing.
            "rls.forced freight.\"Odd Name\" fail: it is forced but not enabled, which has no effect",
        ]
    );
    assert_eq!(remedies(&seen), ["ALTER TABLE freight.\"Odd Name\" ENABLE ROW LEVEL SECURITY;"]);
}

#[sqlx::test]
async fn row_level_security_not_forced_is_found(pool: PgPool) {
    let seen = broken(&pool, "ALTER TABLE freight.event_2026 NO FORCE ROW LEVEL SECURITY").await;
    assert_eq!(shortfalls(&seen), ["rls.forced freight.event_2026 fail: the owner of the table is not bound"]);
    assert_eq!(remedies(&seen), ["ALTER TABLE freight.event_2026 FORCE ROW LEVEL SECURITY;"]);
}

#[sqlx::test]
async fn a_table_born_without_row_level_security_is_found(pool: PgPool) {
    let seen = broken(&pool, "CREATE TABLE freight.naked (tenant_id uuid)").await;
    assert_eq!(
        shortfalls(&seen),
        [
            "rls.enabled freight.naked fail: row-level security is not enabled",
            "rls.forced freight.naked fail: the owner of the table is not bound",
            "rls.policies freight.naked fail: no policy applies to the role of the application",
        ]
    );
}

#[sqlx::test]
async fn a_foreign_table_is_found(pool: PgPool) {
    let change = "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;
                  CREATE FOREIGN TABLE freight.remote (tenant_id uuid) SERVER s";
    let seen = broken(&pool, change).await;
    assert_eq!(shortfalls(&seen), ["rls.enabled freight.remote fail: a foreign table cannot have row-level security"]);
}

#[sqlx::test]
async fn a_floor_that_is_gone_is_found(pool: PgPool) {
    let seen = broken(&pool, "DROP POLICY tenant ON freight.loads").await;
    assert_eq!(shortfalls(&seen), ["rls.policies freight.loads fail: policy access allows reading rows of any tenant"]);
}

#[sqlx::test]
async fn a_floor_for_others_does_not_count(pool: PgPool) {
    let seen = broken(&pool, "ALTER POLICY tenant ON freight.loads TO posture_test_owner").await;
    assert_eq!(shortfalls(&seen), ["rls.policies freight.loads fail: policy access allows reading rows of any tenant"]);
}

#[sqlx::test]
async fn a_check_that_allows_anything_is_found(pool: PgPool) {
    let seen = broken(&pool, "ALTER POLICY tenant ON freight.loads WITH CHECK (true)").await;
    assert_eq!(
        shortfalls(&seen),
        ["rls.policies freight.loads fail: policy access allows inserting rows for any tenant"]
    );
}

/// The policy is for a group; the application inherits from it.
#[sqlx::test]
async fn a_policy_for_a_group_of_the_role_is_found(pool: PgPool) {
    let change = "DROP POLICY access ON freight.loads; DROP POLICY tenant ON freight.loads;
                  CREATE POLICY tenant ON freight.loads TO posture_test_app USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c));
                  CREATE POLICY careless ON freight.loads FOR SELECT TO posture_test_reader USING (name = 'public')";
    let seen = broken(&pool, change).await;
    assert_eq!(
        shortfalls(&seen),
        ["rls.policies freight.loads fail: policy careless allows reading rows of any tenant"]
    );
}

#[sqlx::test]
async fn a_correlated_sub_select_is_not_believed(pool: PgPool) {
    let change = "ALTER POLICY tenant ON freight.loads USING (tenant_id = (SELECT tenant_id)) WITH CHECK (tenant_id = (SELECT tenant_id));
                  DROP POLICY access ON freight.loads;
                  CREATE POLICY access ON freight.loads USING (tenant_id = (SELECT loads.tenant_id FROM stockade.current_tenant))";
    let seen = broken(&pool, change).await;
    assert_eq!(
        shortfalls(&seen),
        ["rls.policies freight.loads unknown: policy access: its rule for reading has a form that is not recognised"]
    );
}

#[sqlx::test]
async fn commands_without_a_policy_are_refused_and_listed(pool: PgPool) {
    let change = "DROP POLICY access ON freight.loads; CREATE POLICY access ON freight.loads FOR SELECT TO posture_test_app USING (true)";
    let seen = broken(&pool, change).await;
    assert_eq!(shortfalls(&seen), Vec::<String>::new());
    let loads = seen
        .iter()
        .find(|o| o.control() == ControlId::RLS_POLICIES && o.subject().as_str() == "freight.loads")
        .unwrap();
    assert_eq!(loads.facts()["refused"], "inserting, updating, moving, deleting".into());
}
