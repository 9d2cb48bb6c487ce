//! Drift: every way to break a schema is a difference, and a sound schema has none.

use sqlx::{Connection as _, PgPool};
use stockade_rls_migrations::Change::{self, Foreign, Missing, Narrowed, Widened};
use stockade_rls_migrations::Difference;

use crate::support::{connect, freight, protected, run};

/// What is changed, and the difference that it must be: in which direction, of what.
const MUTATIONS: &[(&str, Change, &str)] = &[
    ("ALTER TABLE freight.loads DISABLE ROW LEVEL SECURITY", Widened, "freight.loads"),
    ("ALTER TABLE freight.loads NO FORCE ROW LEVEL SECURITY", Widened, "freight.loads"),
    ("DROP POLICY stockade_tenant ON freight.loads", Missing, "freight.loads"),
    ("ALTER POLICY stockade_tenant ON freight.loads USING (true)", Widened, "freight.loads"),
    ("ALTER POLICY stockade_tenant ON freight.loads WITH CHECK (true)", Widened, "freight.loads"),
    ("ALTER POLICY stockade_tenant ON freight.loads TO rls_test_app", Widened, "freight.loads"),
    (
        "DROP POLICY stockade_tenant ON freight.loads; CREATE POLICY stockade_tenant ON freight.loads AS RESTRICTIVE FOR SELECT
         USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c))",
        Widened,
        "freight.loads",
    ),
    (
        "DROP POLICY stockade_tenant ON freight.loads; CREATE POLICY stockade_tenant ON freight.loads AS PERMISSIVE
         USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c))
         WITH CHECK (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c))",
        Widened,
        "freight.loads",
    ),
    ("DROP POLICY stockade_access ON freight.loads", Narrowed, "freight.loads"),
    ("ALTER POLICY stockade_access ON freight.loads TO PUBLIC", Widened, "freight.loads"),
    ("CREATE POLICY more ON freight.loads USING (true)", Foreign, "freight.loads"),
    ("CREATE POLICY less ON freight.loads AS RESTRICTIVE USING (id > 0)", Foreign, "freight.loads"),
    ("CREATE TABLE freight.new (tenant_id uuid)", Foreign, "freight.new"),
    ("CREATE TABLE freight.copy AS SELECT * FROM freight.loads", Foreign, "freight.copy"),
    ("DROP TABLE freight.stops", Missing, "freight.stops"),
    ("ALTER TABLE freight.loads OWNER TO rls_test_app", Widened, "freight.loads"),
    ("ALTER SCHEMA freight OWNER TO rls_test_app", Widened, "freight"),
    ("GRANT TRUNCATE ON freight.loads TO rls_test_app", Widened, "freight.loads"),
    ("GRANT SELECT ON freight.loads TO PUBLIC", Widened, "freight.loads"),
    ("GRANT UPDATE (body) ON freight.load_note TO rls_test_app", Widened, "freight.load_note"),
    ("GRANT DELETE ON freight.countries TO rls_test_app", Widened, "freight.countries"),
    ("GRANT SELECT ON freight.loads TO rls_test_reader WITH GRANT OPTION", Widened, "freight.loads"),
    ("GRANT SELECT ON freight.loads TO pg_monitor", Foreign, "freight.loads"),
    ("GRANT UPDATE ON SEQUENCE freight.load_note_id_seq TO rls_test_app", Widened, "freight.load_note_id_seq"),
    ("GRANT CREATE ON SCHEMA freight TO rls_test_app", Widened, "freight"),
    ("GRANT USAGE ON SCHEMA freight TO PUBLIC", Widened, "freight"),
    ("REVOKE INSERT ON freight.loads FROM rls_test_app", Narrowed, "freight.loads"),
    ("REVOKE SELECT ON freight.loads FROM rls_test_reader", Narrowed, "freight.loads"),
    ("REVOKE USAGE ON SEQUENCE freight.load_note_id_seq FROM rls_test_app", Narrowed, "freight.load_note_id_seq"),
    ("REVOKE USAGE ON SCHEMA freight FROM rls_test_app", Narrowed, "freight"),
    ("ALTER ROLE rls_test_app BYPASSRLS", Widened, "rls_test_app"),
    ("ALTER ROLE rls_test_app REPLICATION", Widened, "rls_test_app"),
    ("GRANT rls_test_owner TO rls_test_app", Widened, "rls_test_app"),
    ("ALTER ROLE rls_test_owner LOGIN", Widened, "rls_test_owner"),
    ("ALTER ROLE rls_test_reader RENAME TO rls_drift_renamed", Missing, "rls_test_reader"),
    ("ALTER ROLE rls_test_app SET stockade.tenant_id = '00000000-0000-0000-0000-00000000000a'", Foreign, "rls_test_app"),
    (
        "CREATE OR REPLACE VIEW stockade.current_tenant AS SELECT '00000000-0000-0000-0000-00000000000a'::uuid AS tenant_id",
        Widened,
        "stockade.current_tenant",
    ),
    ("ALTER VIEW stockade.current_tenant OWNER TO rls_test_app", Widened, "stockade.current_tenant"),
    ("REVOKE SELECT ON stockade.current_tenant FROM PUBLIC", Narrowed, "stockade.current_tenant"),
    ("DROP TRIGGER stockade_append_only ON freight.load_note", Missing, "freight.load_note"),
    ("ALTER TABLE freight.load_note DISABLE TRIGGER stockade_append_only", Widened, "freight.load_note"),
    ("ALTER TABLE freight.load_note ENABLE TRIGGER stockade_append_only_all", Widened, "freight.load_note"),
    ("DROP TRIGGER stockade_period_delete ON freight.gl_posting", Missing, "freight.gl_posting"),
    (
        "CREATE OR REPLACE FUNCTION stockade.rls_refuse_change() RETURNS trigger LANGUAGE plpgsql
         SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NEW; END'",
        Widened,
        "stockade.rls_refuse_change",
    ),
    ("ALTER FUNCTION stockade.rls_period_change_freight_fiscal_period_742aebf7ae5448c2() SECURITY INVOKER", Widened, "stockade.rls_period_change_freight_fiscal_period_742aebf7ae5448c2"),
    ("DROP FUNCTION stockade.rls_period_change_freight_fiscal_period_742aebf7ae5448c2() CASCADE", Missing, "stockade.rls_period_change_freight_fiscal_period_742aebf7ae5448c2"),
    ("DROP POLICY stockade_guard ON freight.fiscal_period", Narrowed, "freight.fiscal_period"),
    ("ALTER TABLE stockade.rls_period_lock OWNER TO rls_test_app", Widened, "stockade.rls_period_lock"),
    (
        "DO $$ BEGIN EXECUTE (SELECT format('ALTER TABLE freight.stops DROP CONSTRAINT %I', conname) FROM pg_constraint
                               WHERE conrelid = 'freight.stops'::regclass AND contype = 'f'); END $$",
        Missing,
        "freight.stops",
    ),
    ("CREATE TABLE freight.loads_child () INHERITS (freight.loads)", Missing, "freight.loads_child"),
    ("ALTER DEFAULT PRIVILEGES FOR ROLE rls_test_owner GRANT SELECT ON TABLES TO rls_test_app", Missing, "freight"),
    // Found by what the plan would do about it.
    ("GRANT EXECUTE ON FUNCTION set_config TO PUBLIC", Missing, "freight"),
    ("DO $$ BEGIN EXECUTE format('GRANT TEMP ON DATABASE %I TO PUBLIC', current_database()); END $$", Missing, "freight"),
    ("GRANT USAGE ON SCHEMA public TO PUBLIC", Missing, "freight"),
    ("ALTER SCHEMA stockade OWNER TO rls_test_app", Missing, "freight"),
    ("REVOKE USAGE ON SCHEMA stockade FROM PUBLIC", Missing, "freight"),
];

#[sqlx::test]
async fn every_mutation_is_a_difference(pool: PgPool) {
    let mut conn = protected(&pool).await;
    assert_eq!(freight().drift(&mut conn).await.unwrap().differences(), []);
    for (mutation, change, object) in MUTATIONS {
        let mut conn = conn.begin().await.unwrap();
        run(&mut conn, mutation).await.unwrap_or_else(|error| panic!("{mutation}: {error}"));
        let drift = freight().drift(&mut conn).await.unwrap();
        let found = drift.differences().iter().any(|found| found.change() == *change && found.object() == *object);
        assert!(found, "{mutation}\n{drift}");
        conn.rollback().await.unwrap();
    }
    assert!(MUTATIONS.len() >= 25);
    assert!(freight().drift(&mut conn).await.unwrap().is_none());
}

/// Drift compares nothing itself, so it cannot disagree with the plan: where the plan has something to do there is drift,
/// and when it is done there is none but what nobody declared.
#[sqlx::test]
async fn drift_and_the_plan_agree(pool: PgPool) {
    let mut conn = protected(&pool).await;
    for (mutation, _, _) in MUTATIONS {
        let mut conn = conn.begin().await.unwrap();
        run(&mut conn, mutation).await.unwrap();
        let Ok(plan) = freight().plan(&mut conn).await else { continue };
        plan.apply(&mut conn).await.unwrap();
        let left = freight().drift(&mut conn).await.unwrap();
        // A view of the context that the plan does not know may be somebody's, so it says so and leaves it.
        let own = |left: &&Difference| left.change() != Foreign && left.object() != "stockade.current_tenant";
        let planned = left.differences().iter().find(own);
        assert!(planned.is_none(), "{mutation}\n{left}");
        conn.rollback().await.unwrap();
    }
}

/// A table that was never protected differs in everything that was declared for it.
#[sqlx::test]
async fn an_unprotected_schema_is_all_drift(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    run(&mut conn, crate::support::TABLES).await.unwrap();
    let drift = freight().drift(&mut conn).await.unwrap();
    let shown = drift.to_string();
    for line in [
        "missing: `freight.loads`: policy stockade_tenant is missing",
        "widened: `freight.loads`: row-level security is off",
        "missing: `stockade.current_tenant`: no such view",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
    assert!(!drift.is_none());
}
