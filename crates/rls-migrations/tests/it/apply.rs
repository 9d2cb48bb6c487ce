//! Up, again, and down.

use sqlx::PgPool;
use sqlx::migrate::Migrator;
use stockade_rls_migrations::{ErrorKind, Roles, Schema, Severity, by, date, parent, periods};

use crate::snapshot::{assert_same, catalogue};
use crate::support::{A, TABLES, apply, apply_all, code, commit, connect, freight, protected, run, text};

#[sqlx::test]
async fn a_second_plan_is_empty(pool: PgPool) {
    let mut conn = protected(&pool).await;
    let plan = freight().plan(&mut conn).await.unwrap();
    assert!(plan.is_empty() && plan.down().is_empty() && plan.skipped().is_empty(), "{}", plan.up_sql());
    assert_eq!(plan.up_sql(), "-- Nothing to do.\n");
    let health = freight().health(&mut conn).await.unwrap();
    assert!(health.is_sound(), "{:?}", health.findings());
}

#[sqlx::test]
async fn a_plan_applied_twice_changes_nothing(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    run(&mut conn, TABLES).await.unwrap();
    let plan = apply(&freight(), &mut conn).await;
    let once = catalogue(&mut conn).await;
    plan.apply(&mut conn).await.unwrap();
    assert_same(&once, &catalogue(&mut conn).await);
}

#[sqlx::test]
async fn down_restores_the_catalogue(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    run(&mut conn, TABLES).await.unwrap();
    apply(&freight(), &mut conn).await.revert(&mut conn).await.unwrap();
    // Now that the roles exist, a catalogue that is far from the default.
    run(
        &mut conn,
        "GRANT ALL ON freight.loads TO PUBLIC; GRANT SELECT (name), UPDATE (name) ON freight.loads TO rls_test_app WITH GRANT OPTION;
         GRANT CREATE ON SCHEMA freight TO PUBLIC; GRANT USAGE ON SCHEMA freight TO rls_test_app WITH GRANT OPTION;
         GRANT ALL ON SEQUENCE freight.load_note_id_seq TO PUBLIC, rls_test_reader, rls_test_owner;
         GRANT USAGE ON SCHEMA freight TO rls_test_owner;
         ALTER TABLE freight.stops ENABLE ROW LEVEL SECURITY;
         CREATE POLICY legacy ON freight.stops USING (tenant_id IS NOT NULL);
         CREATE POLICY stockade_tenant ON freight.loads FOR UPDATE TO rls_test_app, rls_test_owner USING (id > 0) WITH CHECK (id > 1);
         CREATE POLICY stockade_access ON freight.stops AS RESTRICTIVE FOR INSERT WITH CHECK (city = 'it''s');
         CREATE FUNCTION freight.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER stockade_append_only AFTER INSERT ON freight.load_note EXECUTE FUNCTION freight.nothing();
         ALTER TABLE freight.load_note DISABLE TRIGGER stockade_append_only",
    )
    .await
    .unwrap();
    let before = catalogue(&mut conn).await;
    let plan = apply(&freight(), &mut conn).await;
    assert!(freight().plan(&mut conn).await.unwrap().is_empty());
    assert!(freight().health(&mut conn).await.unwrap().is_sound());
    plan.revert(&mut conn).await.unwrap();
    assert_same(&before, &catalogue(&mut conn).await);
}

/// Another crate of the family was installed first.
#[sqlx::test]
async fn a_context_that_is_there_is_kept(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    run(&mut conn, TABLES).await.unwrap();
    let sibling = "CREATE SCHEMA stockade;
        CREATE VIEW stockade.current_tenant AS SELECT nullif(current_setting('stockade.tenant_id', true), '')::uuid AS tenant_id;
        CREATE TABLE stockade.theirs (tenant_id uuid);
        CREATE POLICY p ON stockade.theirs USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c))";
    run(&mut conn, sibling).await.unwrap();
    let plan = apply(&freight(), &mut conn).await;
    let health = freight().health(&mut conn).await.unwrap();
    assert!(health.is_sound(), "{:?}", health.findings());
    plan.revert(&mut conn).await.unwrap();
    assert_eq!(text(&mut conn, "SELECT to_regclass('stockade.current_tenant')::text").await, "stockade.current_tenant");

    // And after it: what this crate created stays while the other needs it.
    run(&mut conn, "DROP SCHEMA stockade CASCADE").await.unwrap();
    let plan = apply(&freight(), &mut conn).await;
    let theirs = sibling.split(';').skip(2).collect::<Vec<_>>().join(";");
    run(&mut conn, &theirs).await.unwrap();
    plan.revert(&mut conn).await.unwrap();
    assert_eq!(text(&mut conn, "SELECT to_regclass('stockade.current_tenant')::text").await, "stockade.current_tenant");
}

#[sqlx::test]
async fn a_failure_leaves_nothing_behind(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    run(&mut conn, TABLES).await.unwrap();
    // A child of a parent that does not exist: the foreign key, late in the plan, cannot be added.
    run(&mut conn, &format!("INSERT INTO freight.stops VALUES ('{A}', 1, 77, 'nowhere')")).await.unwrap();
    let before = catalogue(&mut conn).await;
    let error = freight().plan(&mut conn).await.unwrap().apply(&mut conn).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Database);
    assert!(error.to_string().contains("(SQLSTATE 23503), nothing was changed"), "{error}");
    assert!(!error.is_retryable());
    assert_same(&before, &catalogue(&mut conn).await);
}

#[sqlx::test]
async fn a_plan_can_run_inside_a_transaction(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    run(&mut conn, TABLES).await.unwrap();
    run(&mut conn, "SET search_path = freight").await.unwrap();
    let before = catalogue(&mut conn).await;
    let mut tx = sqlx::Connection::begin(&mut conn).await.unwrap();
    apply_all(&freight(), &mut tx).await;
    assert!(freight().plan(&mut tx).await.unwrap().is_empty());
    assert_eq!(text(&mut tx, "SHOW search_path").await, "freight");
    tx.rollback().await.unwrap();
    assert_same(&before, &catalogue(&mut conn).await);
}

#[sqlx::test]
async fn a_new_table_is_a_small_plan(pool: PgPool) {
    let mut conn = protected(&pool).await;
    run(&mut conn, "CREATE TABLE freight.invoices (tenant_id uuid NOT NULL, id int, PRIMARY KEY (tenant_id, id))")
        .await
        .unwrap();
    let plan = freight().tenant_table("invoices", by("tenant_id")).plan(&mut conn).await.unwrap();
    let about =
        |sql: &str| sql.contains("\"invoices\"") || sql.contains("CREATE ROLE") || sql.contains("TO CURRENT_USER");
    assert!(plan.up().iter().all(|statement| about(statement.sql())), "{}", plan.up_sql());
}

#[sqlx::test]
async fn written_files_are_sqlx_migrations(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    run(&mut conn, TABLES).await.unwrap();
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rls-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("20240131120000_tables.sql"), "SELECT 1").unwrap();
    let before = catalogue(&mut conn).await;

    let files = freight().plan(&mut conn).await.unwrap().write_to(&dir).unwrap().unwrap();
    assert!(files.up().ends_with("20240131120001_stockade_rls.up.sql"), "{files:?}");
    let mut migrator = Migrator::new(dir.as_path()).await.unwrap();
    migrator.dangerous_set_table_name("public.ledger");
    migrator.run(&pool).await.unwrap();
    let again = freight().plan(&mut conn).await.unwrap();
    assert!(again.is_empty(), "{}", again.up_sql());
    assert_eq!(again.write_to(&dir).unwrap(), None);

    migrator.undo(&pool, 20_240_131_120_000).await.unwrap();
    run(&mut conn, "DROP TABLE public.ledger").await.unwrap();
    assert_same(&before, &catalogue(&mut conn).await);
    let plan = freight().plan(&mut conn).await.unwrap();
    assert_eq!(plan.write_to(dir.join("nowhere")).unwrap_err().kind(), ErrorKind::Io);
    std::fs::remove_dir_all(&dir).unwrap();
}

#[sqlx::test]
async fn the_first_file_is_number_one(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    run(&mut conn, TABLES).await.unwrap();
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rls-first-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let files = freight().plan(&mut conn).await.unwrap().write_to(&dir).unwrap().unwrap();
    assert!(files.up().ends_with("0001_stockade_rls.up.sql") && files.down().ends_with("0001_stockade_rls.down.sql"));
    std::fs::remove_dir_all(&dir).unwrap();
}

#[sqlx::test]
async fn hostile_names_are_only_names(pool: PgPool) {
    const NAMES: [&str; 8] = [
        "x\"; DROP SCHEMA freight CASCADE; --",
        "$stockade$ $$",
        "it's E'\\' \\",
        "%I %s %",
        "select",
        "with\nline",
        "{}",
        "é✓ ünï",
    ];
    let mut conn = connect(&pool, "postgres").await;
    let quote = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    for (number, name) in NAMES.into_iter().enumerate() {
        let (schema, roles) = (format!("s {name}"), format!("r{} {name}", std::process::id()));
        let (own, tenant, day) = (format!("t {name}"), format!("c {name}"), format!("d {name}"));
        run(
            &mut conn,
            &format!(
                "CREATE SCHEMA {s}; CREATE TABLE {s}.{t} ({c} uuid, {d} date, up int); CREATE TABLE {s}.p ({c} uuid, {d} date, z int);
                 CREATE TABLE {s}.k ({c} uuid, {d} int)",
                s = quote(&schema), t = quote(&own), c = quote(&tenant), d = quote(&day)
            ),
        )
        .await
        .unwrap();
        let before = catalogue(&mut conn).await;
        let declared = Schema::new(&schema, Roles::for_app(&roles))
            .tenant_table(&own, by(&tenant))
            .tenant_table("p", by(&tenant))
            .tenant_table_via("k", by(&tenant), parent(&own).on(&day, "up"))
            .append_only(&own)
            .period_guard(&own, date(&day), periods("p").ending(&day).closed_by("z"));
        let plan = apply(&declared, &mut conn).await;
        let again = declared.plan(&mut conn).await.unwrap();
        assert!(again.is_empty(), "{name}: {}", again.up_sql());
        let health = declared.health(&mut conn).await.unwrap();
        assert!(health.is_sound(), "{name}: {:?}", health.findings());
        let insert = format!("INSERT INTO {}.{} VALUES ('{A}', '2024-01-01')", quote(&schema), quote(&own));
        commit(&mut conn, A, &insert).await.unwrap();
        let delete = format!("DELETE FROM {}.{}", quote(&schema), quote(&own));
        assert_eq!(code(&commit(&mut conn, A, &delete).await.unwrap_err()), "SG002");
        plan.revert(&mut conn).await.unwrap();
        assert_same(&before, &catalogue(&mut conn).await);
        for role in ["owner", "app", "reader"] {
            run(&mut conn, &format!("DROP ROLE {}", quote(&format!("{roles}_{role}")))).await.unwrap();
        }
        run(&mut conn, &format!("DROP SCHEMA {} CASCADE -- {number}", quote(&schema))).await.unwrap();
    }
}

#[sqlx::test]
async fn two_schemas_share_a_database(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    run(&mut conn, TABLES).await.unwrap();
    run(&mut conn, &TABLES.replace("freight", "rail")).await.unwrap();
    let rail = Schema::new("rail", Roles::for_app("rls_test"))
        .tenant_table("loads", by("tenant_id"))
        .tenant_table_via("stops", by("tenant_id"), parent("loads").on("load_id", "id"))
        .period_guard("gl_posting", date("posted_on"), periods("fiscal_period"))
        .append_only("load_note")
        .shared_reference("countries")
        .exempt("_sqlx_migrations", "the ledger of sqlx");
    let freight_plan = apply(&freight(), &mut conn).await;
    let before = catalogue(&mut conn).await;
    let rail_plan = apply(&rail, &mut conn).await;
    for schema in [&freight(), &rail] {
        assert!(schema.plan(&mut conn).await.unwrap().is_empty());
        let findings = schema.lint(&mut conn).await.unwrap();
        let bad: Vec<_> = findings.iter().filter(|finding| finding.severity() > Severity::Notice).collect();
        assert!(bad.is_empty(), "{bad:?}");
    }
    // The first one's way back leaves what the second one uses.
    freight_plan.revert(&mut conn).await.unwrap();
    let health = rail.health(&mut conn).await.unwrap();
    assert!(health.is_sound(), "{:?}", health.findings());
    apply_all(&freight(), &mut conn).await;
    rail_plan.revert(&mut conn).await.unwrap();
    assert_same(&before, &catalogue(&mut conn).await);
}
