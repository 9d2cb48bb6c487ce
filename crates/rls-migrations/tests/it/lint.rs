//! Every rule, on a schema that is broken for it.

use std::collections::BTreeSet;

use sqlx::{Connection as _, PgPool};
use stockade_rls_migrations::{Rule, Severity};

use crate::support::{connect, freight, protected, run};

/// What to break, which rule must fire, and on what. Roles are the cluster's, so what breaks them does it inside a
/// transaction that is rolled back, as everything here.
const BREAKS: &[(&str, Rule, &str)] = &[
    ("CREATE TABLE freight.new (tenant_id uuid)", Rule::UndeclaredTable, "freight.new"),
    ("DROP TABLE freight.stops", Rule::UnprotectableTable, "freight.stops"),
    ("ALTER TABLE freight.loads DISABLE ROW LEVEL SECURITY", Rule::SecurityDisabled, "freight.loads"),
    ("ALTER TABLE freight.loads NO FORCE ROW LEVEL SECURITY", Rule::SecurityNotForced, "freight.loads"),
    ("DROP POLICY stockade_tenant ON freight.loads", Rule::TenantPolicy, "freight.loads"),
    (
        "ALTER POLICY stockade_tenant ON freight.loads USING (true)",
        Rule::TenantPolicy,
        "freight.loads",
    ),
    ("ALTER POLICY stockade_tenant ON freight.loads WITH CHECK (true)", Rule::TenantPolicy, "freight.loads"),
    ("ALTER POLICY stockade_tenant ON freight.loads TO rls_test_app", Rule::TenantPolicy, "freight.loads"),
    (
        "ALTER POLICY stockade_tenant ON freight.loads
         USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c) OR name IS NULL)",
        Rule::TenantPolicy,
        "freight.loads",
    ),
    ("DROP POLICY stockade_access ON freight.loads", Rule::AccessPolicy, "freight.loads"),
    ("ALTER POLICY stockade_access ON freight.loads TO PUBLIC", Rule::AccessPolicy, "freight.loads"),
    ("ALTER ROLE rls_test_app BYPASSRLS", Rule::RoleBypasses, "rls_test_app"),
    ("ALTER ROLE rls_test_reader SUPERUSER", Rule::RoleBypasses, "rls_test_reader"),
    ("GRANT rls_test_owner TO rls_test_app", Rule::RoleBypasses, "rls_test_app"),
    (
        "CREATE ROLE rls_lint_between IN ROLE stockade_owner; GRANT rls_lint_between TO rls_test_app",
        Rule::RoleBypasses,
        "rls_test_app",
    ),
    ("ALTER ROLE rls_test_reader RENAME TO rls_lint_renamed", Rule::RoleMissing, "rls_test_reader"),
    ("ALTER ROLE rls_test_owner LOGIN", Rule::OwnerLogin, "rls_test_owner"),
    ("ALTER TABLE freight.loads OWNER TO rls_test_app", Rule::WrongOwner, "freight.loads"),
    ("ALTER SCHEMA freight OWNER TO rls_test_app", Rule::WrongOwner, "freight"),
    ("GRANT TRUNCATE ON freight.loads TO rls_test_app", Rule::ExcessPrivilege, "freight.loads"),
    ("GRANT SELECT ON freight.loads TO PUBLIC", Rule::ExcessPrivilege, "freight.loads"),
    ("GRANT UPDATE (body) ON freight.load_note TO rls_test_app", Rule::ExcessPrivilege, "freight.load_note"),
    ("GRANT SELECT ON freight.loads TO rls_test_reader WITH GRANT OPTION", Rule::ExcessPrivilege, "freight.loads"),
    ("GRANT CREATE ON SCHEMA freight TO rls_test_app", Rule::SchemaCreate, "freight"),
    (
        "CREATE OR REPLACE VIEW stockade.current_tenant AS
         SELECT coalesce(nullif(current_setting('stockade.tenant_id', true), '')::uuid, gen_random_uuid()) AS tenant_id",
        Rule::ContextView,
        "stockade.current_tenant",
    ),
    ("ALTER VIEW stockade.current_tenant OWNER TO rls_test_app", Rule::ContextView, "stockade.current_tenant"),
    ("ALTER ROLE rls_test_app SET stockade.tenant_id = '00000000-0000-0000-0000-00000000000a'", Rule::ContextPreset, "rls_test_app"),
    ("DROP TRIGGER stockade_append_only ON freight.load_note", Rule::GuardBroken, "freight.load_note"),
    ("ALTER TABLE freight.load_note DISABLE TRIGGER stockade_append_only_all", Rule::GuardBroken, "freight.load_note"),
    ("ALTER TABLE freight.load_note ENABLE TRIGGER stockade_append_only", Rule::GuardBroken, "freight.load_note"),
    (
        "CREATE OR REPLACE TRIGGER stockade_append_only BEFORE UPDATE OR DELETE ON freight.load_note FOR EACH ROW
         WHEN (old.body IS NULL) EXECUTE FUNCTION stockade.rls_refuse_change('append-only');
         ALTER TABLE freight.load_note ENABLE ALWAYS TRIGGER stockade_append_only",
        Rule::GuardBroken,
        "freight.load_note",
    ),
    ("DROP TRIGGER stockade_period_delete ON freight.gl_posting", Rule::GuardBroken, "freight.gl_posting"),
    ("DROP TRIGGER stockade_period_change ON freight.fiscal_period", Rule::GuardBroken, "freight.fiscal_period"),
    (
        "CREATE OR REPLACE FUNCTION stockade.rls_refuse_change() RETURNS trigger LANGUAGE plpgsql
         SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NEW; END'",
        Rule::GuardBroken,
        "stockade.rls_refuse_change",
    ),
    ("ALTER FUNCTION stockade.rls_period_change() SET search_path = public", Rule::GuardBroken, "stockade.rls_period_change"),
    ("ALTER FUNCTION stockade.rls_period_change() OWNER TO rls_test_app", Rule::GuardBroken, "stockade.rls_period_change"),
    ("GRANT EXECUTE ON FUNCTION stockade.rls_period_change() TO PUBLIC", Rule::GuardBroken, "stockade.rls_period_change"),
    ("DROP POLICY stockade_guard ON stockade.rls_period_lock", Rule::GuardBroken, "stockade.rls_period_lock"),
    ("DROP POLICY stockade_guard ON freight.fiscal_period", Rule::GuardBroken, "freight.fiscal_period"),
    (
        "CREATE POLICY hide ON freight.fiscal_period AS RESTRICTIVE USING (closed_at IS NULL)",
        Rule::PeriodsHidden,
        "freight.fiscal_period.hide",
    ),
    ("ALTER TABLE stockade.rls_period_lock OWNER TO rls_test_app", Rule::GuardBroken, "stockade.rls_period_lock"),
    ("REVOKE USAGE ON SCHEMA freight FROM stockade_owner", Rule::GuardBroken, "freight"),
    ("REVOKE SELECT ON freight.fiscal_period FROM stockade_owner", Rule::GuardBroken, "freight.fiscal_period"),
    (
        "DO $$ BEGIN EXECUTE (SELECT format('ALTER TABLE freight.stops DROP CONSTRAINT %I', conname) FROM pg_constraint
                               WHERE conrelid = 'freight.stops'::regclass AND contype = 'f'); END $$",
        Rule::ParentKeyMissing,
        "freight.stops",
    ),
    ("CREATE POLICY open ON freight.loads USING (true) WITH CHECK (id > 0)", Rule::OpenPolicy, "freight.loads.open"),
    ("CREATE POLICY one_sided ON freight.loads USING (id > 0)", Rule::PolicyWithoutCheck, "freight.loads.one_sided"),
    (
        "CREATE POLICY slow ON freight.loads FOR SELECT USING (tenant_id = current_setting('stockade.tenant_id')::uuid)",
        Rule::BareSetting,
        "freight.loads.slow",
    ),
    ("CREATE VIEW freight.v AS SELECT * FROM freight.loads", Rule::DefinerView, "freight.v"),
    ("CREATE VIEW public.v AS SELECT 1 FROM freight.countries, freight.loads", Rule::DefinerView, "public.v"),
    ("CREATE MATERIALIZED VIEW freight.m AS SELECT * FROM freight.loads", Rule::MaterializedView, "freight.m"),
    (
        "CREATE FUNCTION freight.f(int) RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
        Rule::DefinerSearchPath,
        "freight.f(integer)",
    ),
    ("CREATE UNIQUE INDEX by_name ON freight.gl_posting (cents)", Rule::UniqueWithoutTenant, "freight.by_name"),
    (
        "DELETE FROM freight.stops; DELETE FROM freight.loads; ALTER TABLE freight.loads ADD UNIQUE (id);
         ALTER TABLE freight.gl_posting ADD CONSTRAINT naked FOREIGN KEY (id) REFERENCES freight.loads (id)",
        Rule::ForeignKeyWithoutTenant,
        "freight.gl_posting.naked",
    ),
    ("ALTER TABLE freight.stops DROP CONSTRAINT stops_pkey", Rule::TenantNotIndexed, "freight.stops"),
    (
        "ALTER TABLE freight.stops DROP CONSTRAINT stops_pkey; ALTER TABLE freight.stops ALTER tenant_id DROP NOT NULL",
        Rule::TenantNullable,
        "freight.stops",
    ),
    ("GRANT EXECUTE ON FUNCTION set_config TO PUBLIC", Rule::SetConfig, "pg_catalog.set_config"),
    (
        "DO $$ BEGIN EXECUTE format('GRANT TEMP ON DATABASE %I TO PUBLIC', current_database()); END $$",
        Rule::TempTables,
        "database",
    ),
];

/// The server under test is new enough; this rule has a unit test.
const UNTESTED_HERE: [Rule; 1] = [Rule::ServerVersion];

#[sqlx::test]
async fn each_rule_fires_on_the_schema_that_breaks_it(pool: PgPool) {
    let mut conn = protected(&pool).await;
    for (break_it, rule, object) in BREAKS {
        let mut conn = conn.begin().await.unwrap();
        run(&mut conn, break_it).await.unwrap_or_else(|error| panic!("{break_it}: {error}"));
        let findings = freight().lint(&mut conn).await.unwrap();
        let fired = findings.iter().any(|finding| finding.rule() == *rule && finding.object() == *object);
        assert!(fired, "{break_it}\ngave {findings:?}");
        let health = freight().health(&mut conn).await.unwrap();
        let unsound = rule.severity() == Severity::Error;
        assert_eq!(health.is_sound(), !unsound, "{break_it}: {:?}", health.findings());
        conn.rollback().await.unwrap();
    }
    let tested: BTreeSet<Rule> = BREAKS.iter().map(|(_, rule, _)| *rule).chain(UNTESTED_HERE).collect();
    assert_eq!(tested, Rule::ALL.iter().copied().collect(), "a rule has no broken schema");
}

#[sqlx::test]
async fn a_sound_schema_has_no_finding(pool: PgPool) {
    let mut conn = protected(&pool).await;
    assert_eq!(freight().lint(&mut conn).await.unwrap(), []);
}

/// What lint finds and a plan can repair, the next plan repairs.
#[sqlx::test]
async fn the_next_plan_repairs_what_is_the_plans(pool: PgPool) {
    use Rule::{
        AccessPolicy, ExcessPrivilege, GuardBroken, OwnerLogin, ParentKeyMissing, SchemaCreate, SecurityDisabled,
        SecurityNotForced, SetConfig, TempTables, TenantPolicy, WrongOwner,
    };
    let plans = [
        SecurityDisabled,
        SecurityNotForced,
        TenantPolicy,
        AccessPolicy,
        WrongOwner,
        ExcessPrivilege,
        SchemaCreate,
        GuardBroken,
        OwnerLogin,
        ParentKeyMissing,
        SetConfig,
        TempTables,
    ];
    let mut conn = protected(&pool).await;
    for (break_it, rule, _) in BREAKS.iter().filter(|(_, rule, _)| plans.contains(rule)) {
        let mut conn = conn.begin().await.unwrap();
        run(&mut conn, break_it).await.unwrap();
        let plan = freight().plan(&mut conn).await.unwrap();
        plan.apply(&mut conn).await.unwrap();
        let findings = freight().lint(&mut conn).await.unwrap();
        assert!(findings.is_empty(), "{rule}: {break_it}\n{findings:?}\n{}", plan.up_sql());
        conn.rollback().await.unwrap();
    }
}

/// A fix that a finding brings along makes the finding go away.
#[sqlx::test]
async fn fixes_fix(pool: PgPool) {
    let mut conn = protected(&pool).await;
    let mut fixed = 0;
    for (break_it, rule, object) in BREAKS {
        let mut conn = conn.begin().await.unwrap();
        run(&mut conn, break_it).await.unwrap();
        let is_it =
            |finding: &&stockade_rls_migrations::Finding| finding.rule() == *rule && finding.object() == *object;
        let fix = freight()
            .lint(&mut conn)
            .await
            .unwrap()
            .iter()
            .find(is_it)
            .and_then(|finding| finding.fix().map(str::to_owned));
        if let Some(fix) = fix {
            fixed += 1;
            // CONCURRENTLY cannot run inside this transaction.
            run(&mut conn, &fix.replace(" CONCURRENTLY", "")).await.unwrap_or_else(|error| panic!("{fix}: {error}"));
            let findings = freight().lint(&mut conn).await.unwrap();
            assert!(findings.iter().find(is_it).is_none(), "{fix}: {findings:?}");
        }
        conn.rollback().await.unwrap();
    }
    assert!(fixed >= 8, "{fixed}");
}

#[sqlx::test]
async fn an_unprotected_schema_is_not_sound(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    run(&mut conn, crate::support::TABLES).await.unwrap();
    let health = freight().health(&mut conn).await.unwrap();
    let rules: BTreeSet<Rule> = health.findings().iter().map(stockade_rls_migrations::Finding::rule).collect();
    for rule in [Rule::SecurityDisabled, Rule::TenantPolicy, Rule::ContextView, Rule::WrongOwner, Rule::GuardBroken] {
        assert!(rules.contains(&rule), "{rule} in {rules:?}");
    }
    assert!(!health.is_sound());
    let shown = health.findings()[0].to_string();
    assert!(shown.starts_with("error: ") && !shown.contains('\n'), "{shown}");
}
