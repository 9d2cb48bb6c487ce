//! Every rule, on a schema that is broken for it.

use std::collections::BTreeSet;

use sqlx::{Connection as _, PgPool};
use stockade_rls_migrations::{Rule, Severity};

use crate::support::{connect, freight, run, sound};

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
    ("DROP POLICY own ON freight.stops", Rule::RowPolicy, "freight.stops"),
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
    ("ALTER FUNCTION stockade.rls_adjust_period SET search_path = public", Rule::GuardBroken, "stockade.rls_adjust_period"),
    ("ALTER FUNCTION stockade.rls_reopen_period OWNER TO rls_test_app", Rule::GuardBroken, "stockade.rls_reopen_period"),
    ("GRANT EXECUTE ON FUNCTION stockade.rls_reopen_period TO PUBLIC", Rule::GuardBroken, "stockade.rls_reopen_period"),
    ("GRANT EXECUTE ON FUNCTION stockade.rls_refuse_change TO rls_test_app", Rule::GuardBroken, "stockade.rls_refuse_change"),
    ("DROP POLICY stockade_tenant ON stockade.rls_period_event", Rule::GuardBroken, "stockade.rls_period_event"),
    ("ALTER POLICY stockade_tenant ON stockade.rls_period_event USING (true)", Rule::GuardBroken, "stockade.rls_period_event"),
    ("ALTER TABLE stockade.rls_period_event DISABLE TRIGGER stockade_append_only", Rule::GuardBroken, "stockade.rls_period_event"),
    ("GRANT INSERT ON stockade.rls_period_event TO rls_test_app", Rule::GuardBroken, "stockade.rls_period_event"),
    ("DROP POLICY stockade_read_only_update ON freight.loads", Rule::TenantPolicy, "freight.loads"),
    (
        "ALTER POLICY stockade_read_only_insert ON freight.loads WITH CHECK (true)",
        Rule::TenantPolicy,
        "freight.loads",
    ),
    (
        "CREATE OR REPLACE VIEW stockade.current_actor AS SELECT NULL::uuid AS actor_id, '' AS scopes, false AS read_only",
        Rule::ContextView,
        "stockade.current_actor",
    ),
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
    ("ALTER ROLE rls_test_app CREATEROLE", Rule::RoleAttributes, "rls_test_app"),
    ("ALTER ROLE rls_test_reader REPLICATION", Rule::RoleAttributes, "rls_test_reader"),
    ("GRANT pg_read_all_data TO rls_test_app", Rule::RoleBypasses, "rls_test_app"),
    ("REVOKE INSERT ON freight.loads FROM rls_test_app", Rule::PrivilegeMissing, "freight.loads"),
    ("REVOKE USAGE ON SCHEMA freight FROM rls_test_reader", Rule::PrivilegeMissing, "freight"),
    ("REVOKE USAGE ON SEQUENCE freight.load_note_id_seq FROM rls_test_app", Rule::PrivilegeMissing, "freight.load_note_id_seq"),
    ("CREATE INDEX by_lower ON freight.loads (tenant_id, lower(name))", Rule::LeakyIndex, "freight.by_lower"),
    (
        "CREATE TYPE freight.mood AS ENUM ('a'); ALTER TABLE freight.loads ADD mood freight.mood;
         CREATE INDEX by_mood ON freight.loads (tenant_id, mood)",
        Rule::LeakyIndex,
        "freight.by_mood",
    ),
    (
        "ALTER TABLE freight.loads ADD rate numeric, ADD doc jsonb; CREATE INDEX by_rate ON freight.loads (tenant_id, rate);
         CREATE INDEX by_doc ON freight.loads USING gin (doc)",
        Rule::LeakyIndex,
        "freight.by_doc",
    ),
    (
        "CREATE FUNCTION freight.me() RETURNS uuid IMMUTABLE LANGUAGE sql AS $$SELECT current_setting('x.t')::uuid$$;
         CREATE POLICY folded ON freight.loads FOR SELECT USING (tenant_id = freight.me())",
        Rule::ImmutablePolicy,
        "freight.loads.folded",
    ),
    (
        "CREATE FUNCTION freight.of(int) RETURNS uuid IMMUTABLE LANGUAGE plpgsql AS
         $$BEGIN RETURN (SELECT l.tenant_id FROM freight.stops l LIMIT 1); END$$;
         CREATE POLICY folded ON freight.loads FOR SELECT USING (tenant_id = freight.of(1))",
        Rule::ImmutablePolicy,
        "freight.loads.folded",
    ),
    (
        "CREATE FUNCTION freight.me() RETURNS uuid LANGUAGE sql AS $$SELECT current_setting('x.t')::uuid$$;
         CREATE POLICY slow ON freight.loads FOR SELECT USING (tenant_id = freight.me())",
        Rule::PolicyFunction,
        "freight.loads.slow",
    ),
    (
        "CREATE POLICY soft ON freight.loads FOR SELECT
         USING ((SELECT current_setting('x.t', true)) IS NULL OR tenant_id = (SELECT current_setting('x.t', true)::uuid))",
        Rule::FailOpenPolicy,
        "freight.loads.soft",
    ),
    (
        "CREATE POLICY soft ON freight.loads FOR SELECT
         USING (tenant_id = coalesce((SELECT c.tenant_id FROM stockade.current_tenant c), tenant_id))",
        Rule::FailOpenPolicy,
        "freight.loads.soft",
    ),
    ("CREATE POLICY debug ON freight.loads FOR SELECT USING (id = 1 OR true)", Rule::FailOpenPolicy, "freight.loads.debug"),
    (
        "CREATE POLICY cast_it ON freight.loads FOR SELECT USING (tenant_id::text = (SELECT current_setting('x.t', true)))",
        Rule::SlowPolicy,
        "freight.loads.cast_it",
    ),
    (
        "CREATE POLICY members ON freight.loads FOR SELECT USING (tenant_id IN (SELECT s.tenant_id FROM freight.stops s))",
        Rule::SlowPolicy,
        "freight.loads.members",
    ),
    ("GRANT SELECT ON SEQUENCE freight.load_note_id_seq TO rls_test_reader", Rule::SequenceReadable, "freight.load_note_id_seq"),
    ("CREATE SEQUENCE freight.invoice_no; GRANT UPDATE ON SEQUENCE freight.invoice_no TO PUBLIC", Rule::SequenceReadable, "freight.invoice_no"),
    ("CREATE PUBLICATION rls_lint_all FOR ALL TABLES", Rule::Published, "freight.loads"),
    ("CREATE PUBLICATION rls_lint_one FOR TABLE freight.loads WHERE (id > 1)", Rule::Published, "freight.loads"),
    ("DO $$ BEGIN EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO PUBLIC', lo_create(0)); END $$", Rule::LargeObjects, "large objects"),
    ("CREATE EXTENSION dblink", Rule::ReachingExtension, "dblink"),
    (
        "CREATE EXTENSION postgres_fdw; CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw;
         GRANT USAGE ON FOREIGN SERVER elsewhere TO rls_test_app",
        Rule::ForeignServer,
        "elsewhere",
    ),
    (
        "CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
         CREATE FOREIGN TABLE public.hosts (line text) SERVER files OPTIONS (filename '/etc/hosts');
         GRANT SELECT ON public.hosts TO rls_test_reader",
        Rule::ForeignServer,
        "public.hosts",
    ),
    (
        "ALTER DEFAULT PRIVILEGES FOR ROLE rls_test_owner IN SCHEMA freight GRANT SELECT ON TABLES TO rls_test_app",
        Rule::DefaultPrivileges,
        "default privileges of rls_test_owner",
    ),
    ("ALTER DEFAULT PRIVILEGES FOR ROLE rls_test_owner GRANT SELECT, INSERT ON TABLES TO PUBLIC", Rule::DefaultPrivileges, "default privileges of rls_test_owner"),
    // Roles are the cluster's, and other tests have backup roles too: none of them may connect here.
    (
        "DO $$ BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %1$I FROM PUBLIC; GRANT CONNECT ON DATABASE %1$I TO rls_test_backup', current_database()); END $$;
         REVOKE SELECT ON freight.loads FROM rls_test_backup",
        Rule::NoBackupRole,
        "freight",
    ),
    (
        "DO $$ BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %1$I FROM PUBLIC; GRANT CONNECT ON DATABASE %1$I TO rls_test_backup', current_database()); END $$;
         ALTER ROLE rls_test_backup NOBYPASSRLS",
        Rule::NoBackupRole,
        "freight",
    ),
    (
        "CREATE TRIGGER mine BEFORE INSERT ON freight.loads FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
         ALTER TABLE freight.loads DISABLE TRIGGER mine",
        Rule::TriggerDisabled,
        "freight.loads.mine",
    ),
    ("ALTER TABLE freight.stops DISABLE TRIGGER ALL", Rule::TriggerDisabled, "freight.stops.stockade_tenant_fk_stops_load_id_bfe7326f1083b856"),
    (
        "CREATE FUNCTION freight.no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no'; END$$;
         CREATE TRIGGER mine BEFORE DELETE ON freight.loads FOR EACH ROW EXECUTE FUNCTION freight.no()",
        Rule::TriggerNotAlways,
        "freight.loads.mine",
    ),
    (
        "CREATE FUNCTION freight.all_of_them() RETURNS bigint LANGUAGE sql SECURITY DEFINER
         SET search_path = pg_catalog, freight, pg_temp AS 'SELECT count(*) FROM loads'",
        Rule::DefinerBypasses,
        "freight.all_of_them()",
    ),
    (
        "CREATE FUNCTION freight.f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, freight AS 'SELECT 1'",
        Rule::DefinerSearchPath,
        "freight.f()",
    ),
    ("GRANT EXECUTE ON FUNCTION pg_stat_get_activity TO PUBLIC", Rule::SessionActivity, "pg_catalog.pg_stat_get_activity"),
    ("GRANT EXECUTE ON FUNCTION lo_get(oid) TO PUBLIC", Rule::LargeObjectFunctions, "pg_catalog.lo_*"),
    ("GRANT USAGE ON SCHEMA public TO PUBLIC", Rule::PublicSchema, "public"),
    ("GRANT EXECUTE ON FUNCTION pg_notify TO PUBLIC", Rule::NotifyFunction, "pg_catalog.pg_notify"),
    ("GRANT EXECUTE ON FUNCTION pg_cancel_backend TO PUBLIC", Rule::SignalFunctions, "pg_catalog.pg_terminate_backend"),
    ("CREATE ROLE rls_lint_stranger; GRANT TRUNCATE ON freight.loads TO rls_lint_stranger", Rule::StrangerPrivilege, "freight.loads"),
    ("CREATE TABLE public.mine (); ALTER TABLE public.mine OWNER TO rls_test_app", Rule::RoleOwns, "rls_test_app"),
    ("CREATE SCHEMA scratch; GRANT CREATE ON SCHEMA scratch TO PUBLIC", Rule::OpenSchema, "scratch"),
    (
        "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO rls_test_app', current_database()); END $$",
        Rule::OpenSchema,
        "database",
    ),
    ("ALTER TABLE freight.stops SET UNLOGGED", Rule::UnloggedTable, "freight.stops"),
    ("ALTER TABLE freight.loads ADD CONSTRAINT named CHECK (name <> '') NOT VALID", Rule::NotValidated, "freight.loads.named"),
    ("CREATE RULE quiet AS ON DELETE TO freight.loads DO INSTEAD NOTHING", Rule::TableRule, "freight.loads.quiet"),
    ("GRANT SELECT ON freight._sqlx_migrations TO rls_test_app", Rule::ReachableUnprotected, "freight._sqlx_migrations"),
    ("ALTER TABLE freight.countries ADD tenant_id uuid", Rule::ReachableUnprotected, "freight.countries"),
    (
        "CREATE FUNCTION freight.sees(text) RETURNS bool LEAKPROOF LANGUAGE plpgsql AS $$BEGIN RAISE NOTICE '%', $1; RETURN true; END$$",
        Rule::LeakproofFunction,
        "freight.sees(text)",
    ),
];

/// The server under test is new enough, which a unit test covers; the other two look at what happens, and have tests of
/// their own in `observed`.
const UNTESTED_HERE: [Rule; 3] = [Rule::ServerVersion, Rule::PrivilegedSession, Rule::LeakyPredicate];

#[sqlx::test]
async fn each_rule_fires_on_the_schema_that_breaks_it(pool: PgPool) {
    let mut conn = sound(&pool).await;
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
    let mut conn = sound(&pool).await;
    assert_eq!(freight().lint(&mut conn).await.unwrap(), []);
}

/// What lint finds and a plan can repair, the next plan repairs.
#[sqlx::test]
async fn the_next_plan_repairs_what_is_the_plans(pool: PgPool) {
    use Rule::{
        AccessPolicy, DefaultPrivileges, ExcessPrivilege, GuardBroken, LargeObjectFunctions, NotifyFunction,
        OwnerLogin, ParentKeyMissing, PrivilegeMissing, PublicSchema, RoleAttributes, SchemaCreate, SecurityDisabled,
        SecurityNotForced, SessionActivity, SetConfig, SignalFunctions, TempTables, TenantPolicy, WrongOwner,
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
        DefaultPrivileges,
        LargeObjectFunctions,
        NotifyFunction,
        PrivilegeMissing,
        PublicSchema,
        RoleAttributes,
        SessionActivity,
        SignalFunctions,
    ];
    let mut conn = sound(&pool).await;
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
    let mut conn = sound(&pool).await;
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

#[test]
fn the_page_lists_every_rule() {
    let page = include_str!("../../LINT.md");
    let lines: BTreeSet<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    for rule in Rule::ALL {
        let summary = rule.summary().trim_end_matches('.');
        let line = format!("| `{rule}` | {} | {summary} | {} |", rule.severity(), rule.why());
        assert!(lines.contains(line.as_str()), "{line}");
    }
    assert_eq!(lines.len(), Rule::ALL.len());
}
