//! Health: each change of the rules that only an owner or a superuser can make is noticed.

use std::{collections::BTreeSet, env, fs};

use sqlx::{Connection as _, PgConnection, PgPool};
use stockade_audit_chain::postgres::{Capture, Deviation, Part, attach, health};

use crate::support::{APP, ATTACHER, connect, install};

const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/postgres/health/manifest.tsv");
const FACTS: &str = include_str!("../../src/postgres/health/facts.sql");

/// What health finds, apart from members that other tests make: roles belong to the whole server.
async fn deviations(connection: &mut PgConnection) -> Vec<Deviation> {
    let mut found = health(connection).await.unwrap().deviations;
    found.retain(|deviation| deviation.part != Part::Membership || deviation.name == "stockade_app");
    found
}

/// A partitioned table and one with a child, whose changes are captured.
async fn capture_invoices(pool: &PgPool) {
    let mut attacher = connect(pool, ATTACHER).await;
    let tables = "
        CREATE TABLE invoices (tenant_id uuid NOT NULL, id int PRIMARY KEY) PARTITION BY RANGE (id);
        CREATE TABLE invoices_1 PARTITION OF invoices FOR VALUES FROM (0) TO (100);
        CREATE TABLE drivers (tenant_id uuid NOT NULL, id int PRIMARY KEY);
        CREATE TABLE owner_drivers (truck text) INHERITS (drivers);";
    sqlx::raw_sql(tables).execute(&mut attacher).await.unwrap();
    for table in ["invoices", "drivers"] {
        assert!(attach(&mut attacher, &Capture::table(table)).await.unwrap());
    }
}

/// What a dump and its restore leave of the policies: each is read back as PostgreSQL wrote it, and some are then written otherwise.
const RESTORE: &str = "
    DO $$
    DECLARE
        statement text;
    BEGIN
        FOR statement IN
            SELECT format('ALTER POLICY %I ON %s', p.polname, p.polrelid::regclass)
                || coalesce(' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', '')
                || coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')
            FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE c.relnamespace = 'stockade'::regnamespace LOOP
            EXECUTE statement;
        END LOOP;
    END $$";

type Fact = (String, String, String, String, String);

#[sqlx::test(migrations = false)]
async fn a_log_that_was_restored_is_intact(pool: PgPool) {
    install(&pool).await;
    let stored = "SELECT string_agg(concat(pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)), '' ORDER BY oid) FROM pg_policy";
    let stored = || sqlx::query_scalar::<_, String>(stored).fetch_one(&pool);
    let before = stored().await.unwrap();
    sqlx::raw_sql(RESTORE).execute(&pool).await.unwrap();
    assert_ne!(before, stored().await.unwrap(), "the control: a policy is stored with other parentheses");
    let mut app = connect(&pool, APP).await;
    assert_eq!(deviations(&mut app).await, []);
}

#[sqlx::test(migrations = false)]
async fn the_manifest_is_what_the_migrations_make(pool: PgPool) {
    install(&pool).await;
    capture_invoices(&pool).await;
    // `UPDATE_MANIFEST=1` writes the manifest, `UPDATE_MANIFEST=add` adds what another version of PostgreSQL shows otherwise.
    if let Some(update) = env::var_os("UPDATE_MANIFEST") {
        let facts: Vec<Fact> = sqlx::query_as(FACTS).fetch_all(&pool).await.unwrap();
        let facts = facts.into_iter().filter(|(_, _, kind, ..)| kind != "setting" && kind != "membership");
        let lines = facts.map(|(_, label, kind, name, value)| format!("{label}\t{kind}\t{name}\t{value}\n"));
        let mut lines: BTreeSet<String> = lines.collect();
        if update == "add" {
            lines.extend(fs::read_to_string(MANIFEST).unwrap().split_inclusive('\n').map(str::to_owned));
        }
        fs::write(MANIFEST, lines.into_iter().collect::<String>()).unwrap();
        return;
    }
    // Any role can ask.
    let mut app = connect(&pool, APP).await;
    let found = deviations(&mut app).await;
    assert!(found.is_empty(), "run this test with UPDATE_MANIFEST=1 if the migrations changed: {found:#?}");
}

#[sqlx::test(migrations = false)]
async fn a_database_without_the_log_is_not_intact(pool: PgPool) {
    assert!(!health(&pool).await.unwrap().is_intact());
}

#[sqlx::test(migrations = false)]
async fn each_change_of_the_rules_is_noticed(pool: PgPool) {
    install(&pool).await;
    let changes = [
        ("ALTER TABLE stockade.audit_entry DISABLE TRIGGER ALL", Part::Trigger, "audit_entry"),
        ("ALTER TABLE stockade.audit_link DISABLE TRIGGER audit_append_only", Part::Trigger, "audit_link"),
        ("ALTER TABLE stockade.audit_payload ENABLE TRIGGER audit_no_truncate", Part::Trigger, "audit_payload"),
        ("ALTER TABLE stockade.audit_head ENABLE REPLICA TRIGGER audit_head_advances", Part::Trigger, "audit_head"),
        ("DROP TRIGGER audit_append_only ON stockade.audit_entry", Part::Trigger, "audit_entry"),
        (
            "CREATE OR REPLACE TRIGGER audit_append_only BEFORE UPDATE ON stockade.audit_link
                FOR EACH ROW EXECUTE FUNCTION stockade.audit_refuse();
            ALTER TABLE stockade.audit_link ENABLE ALWAYS TRIGGER audit_append_only",
            Part::Trigger,
            "audit_link",
        ),
        (
            "CREATE OR REPLACE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON stockade.audit_link
                FOR EACH ROW WHEN (OLD.seq < 0) EXECUTE FUNCTION stockade.audit_refuse();
            ALTER TABLE stockade.audit_link ENABLE ALWAYS TRIGGER audit_append_only",
            Part::Trigger,
            "audit_link",
        ),
        (
            "CREATE TRIGGER zz BEFORE INSERT ON stockade.audit_unsealed
                FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            Part::Trigger,
            "audit_unsealed",
        ),
        ("ALTER TABLE stockade.audit_entry_default DISABLE TRIGGER ALL", Part::Trigger, "audit_entry_default"),
        ("GRANT SELECT ON stockade.audit_payload_default TO stockade_app", Part::Grant, "audit_payload_default"),
        (
            "ALTER TABLE stockade.audit_entry DETACH PARTITION stockade.audit_entry_default",
            Part::Table,
            "audit_entry_default",
        ),
        ("DROP TABLE stockade.audit_payload_default", Part::Table, "default partition of stockade.audit_payload"),
        ("DROP TABLE stockade.audit_unsealed", Part::Table, "audit_unsealed"),
        ("ALTER TABLE stockade.audit_entry NO FORCE ROW LEVEL SECURITY", Part::Table, "audit_entry"),
        ("ALTER TABLE stockade.audit_payload DISABLE ROW LEVEL SECURITY", Part::Table, "audit_payload"),
        ("ALTER TABLE stockade.audit_link OWNER TO stockade_app", Part::Table, "audit_link"),
        ("ALTER TABLE stockade.audit_link DROP CONSTRAINT audit_link_one_successor", Part::Constraint, "audit_link"),
        (
            "CREATE TABLE other (entry_id uuid REFERENCES stockade.audit_link (entry_id) ON DELETE CASCADE)",
            Part::Constraint,
            "audit_link",
        ),
        ("CREATE RULE quiet AS ON INSERT TO stockade.audit_entry DO INSTEAD NOTHING", Part::Rule, "audit_entry"),
        ("DROP POLICY audit_app_reads ON stockade.audit_entry", Part::Policy, "audit_entry"),
        ("ALTER POLICY audit_app_reads ON stockade.audit_payload USING (true)", Part::Policy, "audit_payload"),
        ("ALTER POLICY audit_sealer_reads ON stockade.audit_entry TO PUBLIC", Part::Policy, "audit_entry"),
        ("CREATE POLICY quiet ON stockade.audit_link USING (true)", Part::Policy, "audit_link"),
        (
            "CREATE OR REPLACE FUNCTION stockade.audit_refuse() RETURNS trigger LANGUAGE plpgsql
                SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN OLD; END'",
            Part::Function,
            "audit_refuse()",
        ),
        ("ALTER FUNCTION stockade.audit_refuse() RESET search_path", Part::Function, "audit_refuse()"),
        ("ALTER FUNCTION stockade.audit_refuse() SECURITY DEFINER", Part::Function, "audit_refuse()"),
        ("ALTER FUNCTION stockade.audit_refuse() OWNER TO stockade_app", Part::Function, "audit_refuse()"),
        ("GRANT EXECUTE ON FUNCTION stockade.audit_refuse() TO PUBLIC", Part::Grant, "audit_refuse()"),
        ("GRANT UPDATE ON stockade.audit_entry TO stockade_app", Part::Grant, "audit_entry"),
        ("GRANT UPDATE (salts) ON stockade.audit_payload TO stockade_app", Part::Grant, "audit_payload"),
        ("GRANT SELECT ON stockade.audit_link TO PUBLIC", Part::Grant, "audit_link"),
        ("GRANT TRUNCATE ON stockade.audit_entry TO stockade_owner", Part::Grant, "audit_entry"),
        ("REVOKE INSERT ON stockade.audit_entry FROM stockade_app", Part::Grant, "audit_entry"),
        (
            "CREATE OR REPLACE VIEW stockade.current_tenant AS
                SELECT '00000000-0000-0000-0000-000000000002'::uuid AS tenant_id",
            Part::Table,
            "current_tenant",
        ),
        ("ALTER SCHEMA stockade OWNER TO stockade_app", Part::Schema, "stockade"),
        ("ALTER ROLE stockade_owner LOGIN", Part::Role, "stockade_owner"),
        ("ALTER ROLE stockade_app BYPASSRLS", Part::Role, "stockade_app"),
        ("ALTER ROLE stockade_sealer SUPERUSER", Part::Role, "stockade_sealer"),
        ("GRANT stockade_owner TO stockade_app", Part::Membership, "stockade_owner"),
        (
            "ALTER ROLE stockade_app SET stockade.tenant_id = '00000000-0000-0000-0000-000000000002'",
            Part::Setting,
            "stockade_app",
        ),
        (
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET session_replication_role = replica', current_database()); END $$",
            Part::Setting,
            "",
        ),
    ];
    let mut superuser = pool.acquire().await.unwrap();
    for (change, part, subject) in changes {
        // What is rolled back is seen by nobody else, also where it is about the whole server.
        let mut tx = superuser.begin().await.unwrap();
        sqlx::raw_sql(change).execute(&mut *tx).await.unwrap();
        let found = deviations(&mut tx).await;
        let named = |deviation: &&Deviation| deviation.part == part && deviation.subject.ends_with(subject);
        assert!(found.iter().any(|deviation| named(&deviation)), "{change}: {found:?}");
        tx.rollback().await.unwrap();
    }
    assert!(deviations(&mut superuser).await.is_empty());
}

#[sqlx::test(migrations = false)]
async fn a_captured_table_that_is_not_captured_any_more_is_noticed(pool: PgPool) {
    install(&pool).await;
    capture_invoices(&pool).await;
    let mut superuser = pool.acquire().await.unwrap();
    let nothing = "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'";
    sqlx::raw_sql(nothing).execute(&mut *superuser).await.unwrap();
    let changes = [
        ("ALTER TABLE invoices DISABLE TRIGGER audit_capture", Part::Trigger, "invoices", "audit_capture"),
        ("ALTER TABLE invoices_1 DISABLE TRIGGER ALL", Part::Trigger, "invoices_1", "audit_capture"),
        ("ALTER TABLE invoices ENABLE TRIGGER audit_capture", Part::Trigger, "invoices", "audit_capture"),
        ("DROP TRIGGER audit_capture ON invoices", Part::Trigger, "invoices", "audit_capture"),
        ("DROP TRIGGER audit_capture_truncate ON invoices_1", Part::Trigger, "invoices_1", "audit_capture_truncate"),
        (
            "DROP TRIGGER audit_capture ON drivers;
            CREATE TRIGGER audit_capture AFTER INSERT OR UPDATE OR DELETE ON drivers FOR EACH ROW EXECUTE FUNCTION nothing();
            ALTER TABLE drivers ENABLE ALWAYS TRIGGER audit_capture",
            Part::Trigger,
            "drivers",
            "audit_capture",
        ),
        (
            "CREATE OR REPLACE TRIGGER audit_capture AFTER INSERT OR UPDATE OR DELETE ON drivers
                FOR EACH ROW WHEN (pg_trigger_depth() > 9) EXECUTE FUNCTION stockade.audit_capture();
            ALTER TABLE drivers ENABLE ALWAYS TRIGGER audit_capture",
            Part::Trigger,
            "drivers",
            "audit_capture",
        ),
        (
            "CREATE OR REPLACE TRIGGER audit_capture AFTER INSERT OR DELETE ON drivers
                FOR EACH ROW EXECUTE FUNCTION stockade.audit_capture();
            ALTER TABLE drivers ENABLE ALWAYS TRIGGER audit_capture",
            Part::Trigger,
            "drivers",
            "audit_capture",
        ),
        // Neither has what its table's other parts have, until it is attached again.
        ("CREATE TABLE hired () INHERITS (drivers)", Part::Trigger, "hired", "audit_capture"),
        (
            "CREATE TABLE invoices_2 PARTITION OF invoices FOR VALUES FROM (100) TO (200)",
            Part::Trigger,
            "invoices_2",
            "audit_capture_truncate",
        ),
        ("DROP TABLE invoices", Part::Table, "public.invoices", "attached"),
        (
            "CREATE OR REPLACE FUNCTION stockade.audit_capture() RETURNS trigger LANGUAGE plpgsql
                AS 'BEGIN RETURN NULL; END'",
            Part::Function,
            "audit_capture()",
            "body",
        ),
        ("GRANT INSERT ON stockade.audit_attached TO stockade_app", Part::Grant, "audit_attached", "stockade_app"),
        ("GRANT stockade_capturer TO stockade_app", Part::Membership, "stockade_capturer", "stockade_app"),
    ];
    for (change, part, subject, name) in changes {
        let mut tx = superuser.begin().await.unwrap();
        sqlx::raw_sql(change).execute(&mut *tx).await.unwrap();
        let found = deviations(&mut tx).await;
        let named =
            |found: &Deviation| (found.part, found.name.as_str()) == (part, name) && found.subject.ends_with(subject);
        assert!(found.iter().any(named), "{change}: {found:?}");
        // What is missing on a partition or a child is mended by attaching once more.
        if change.starts_with("CREATE TABLE") {
            for table in ["invoices", "drivers"] {
                attach(&mut *tx, &Capture::table(table)).await.unwrap();
            }
            assert!(deviations(&mut tx).await.is_empty());
        }
        tx.rollback().await.unwrap();
    }
    assert!(deviations(&mut superuser).await.is_empty());
}

#[sqlx::test(migrations = false)]
async fn a_role_that_cannot_see_which_tables_are_captured_is_told_so(pool: PgPool) {
    install(&pool).await;
    sqlx::raw_sql("REVOKE SELECT ON stockade.audit_attached FROM stockade_app").execute(&pool).await.unwrap();
    let found = deviations(&mut connect(&pool, APP).await).await;
    assert!(found.iter().any(|deviation| deviation.name == "attached"), "{found:?}");
}
