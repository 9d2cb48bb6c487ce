//! A small freight schema, and ways to be somebody in it.

use sqlx::postgres::PgConnectOptions;
use sqlx::types::Uuid;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};
use stockade_rls_migrations::{Finding, Plan, Roles, RowPolicy, Rule, Schema, by, date, parent, periods};

pub(crate) const A: Uuid = Uuid::from_u128(0xa);
pub(crate) const B: Uuid = Uuid::from_u128(0xb);

/// Tables as an application would have made them before it knew this crate.
pub(crate) const TABLES: &str = "
    CREATE SCHEMA freight;
    CREATE TABLE freight.loads (
        tenant_id uuid NOT NULL, id int NOT NULL, name text, PRIMARY KEY (tenant_id, id));
    CREATE TABLE freight.stops (
        tenant_id uuid NOT NULL, id int NOT NULL, load_id int NOT NULL, city text, PRIMARY KEY (tenant_id, id));
    CREATE TABLE freight.load_note (
        tenant_id uuid NOT NULL, id serial, body text, PRIMARY KEY (tenant_id, id));
    CREATE TABLE freight.gl_posting (
        tenant_id uuid NOT NULL, id int NOT NULL, posted_on date, cents bigint NOT NULL DEFAULT 0,
        PRIMARY KEY (tenant_id, id));
    CREATE TABLE freight.fiscal_period (
        tenant_id uuid NOT NULL, starts_on date NOT NULL, ends_on date NOT NULL, closed_at timestamptz,
        PRIMARY KEY (tenant_id, starts_on));
    CREATE TABLE freight.countries (code text PRIMARY KEY);
    CREATE TABLE freight._sqlx_migrations (version bigint PRIMARY KEY);
    INSERT INTO freight.countries VALUES ('NL'), ('US');
";

pub(crate) fn freight() -> Schema {
    Schema::new("freight", Roles::for_app("rls_test"))
        .tenant_table("loads", by("tenant_id"))
        .tenant_table_via("stops", by("tenant_id"), parent("loads").on("load_id", "id"))
        .row_policies("stops", [RowPolicy::delete("own", "id IS NOT NULL")])
        .tenant_table("gl_posting", by("tenant_id"))
        .period_guard("gl_posting", date("posted_on"), periods("fiscal_period"))
        .append_only("load_note")
        .shared_reference("countries")
        .exempt("_sqlx_migrations", "the ledger of sqlx")
}

/// The schema's tables, protected, with two loads of each tenant.
pub(crate) async fn protected(pool: &PgPool) -> PgConnection {
    let mut conn = connect(pool, "postgres").await;
    run(&mut conn, TABLES).await.unwrap();
    apply_all(&freight(), &mut conn).await;
    for tenant in [A, B] {
        let rows = "
            INSERT INTO freight.loads VALUES ('{tenant}', 1, 'secret of {tenant}'), ('{tenant}', 2, 'other');
            INSERT INTO freight.stops VALUES ('{tenant}', 1, 1, 'Utrecht');
            INSERT INTO freight.load_note (tenant_id, body) VALUES ('{tenant}', 'note');";
        run(&mut conn, &rows.replace("{tenant}", &tenant.to_string())).await.unwrap();
    }
    conn
}

/// As [`protected`], with what a sound database has around the schema: a role for backups.
pub(crate) async fn sound(pool: &PgPool) -> PgConnection {
    let mut conn = protected(pool).await;
    let role = "DO $$ BEGIN CREATE ROLE rls_test_backup LOGIN BYPASSRLS;
                EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$";
    run(&mut conn, role).await.unwrap();
    let around = "
        GRANT USAGE ON SCHEMA freight TO rls_test_backup;
        GRANT SELECT ON ALL TABLES IN SCHEMA freight TO rls_test_backup;";
    run(&mut conn, around).await.unwrap();
    conn
}

pub(crate) async fn apply_all(schema: &Schema, conn: &mut PgConnection) {
    let plan = apply(schema, conn).await;
    assert!(plan.skipped().is_empty(), "{:?}", plan.skipped());
}

pub(crate) async fn apply(schema: &Schema, conn: &mut PgConnection) -> Plan {
    let plan = schema.plan(conn).await.unwrap();
    plan.apply(conn).await.unwrap_or_else(|error| panic!("{error}: {:?}\n{}", error, plan.up_sql()));
    plan
}

/// A connection of its own to the test's database, as `role`. The superuser is whatever `DATABASE_URL` names.
pub(crate) async fn connect(pool: &PgPool, role: &str) -> PgConnection {
    let options: PgConnectOptions = pool.connect_options().as_ref().clone();
    let options = if role == "postgres" { options } else { options.username(role) };
    PgConnection::connect_with(&options).await.unwrap()
}

/// What a managed service gives: no superuser, no ownership of the database. From PostgreSQL 16 on, whoever created the owners'
/// roles has to lend them: here a superuser's plan in another database may have been first.
pub(crate) async fn migrator(pool: &PgPool) -> PgConnection {
    let mut root = connect(pool, "postgres").await;
    let setup = "DO $$ DECLARE name text; BEGIN
        FOREACH name IN ARRAY ARRAY['rls_test_migrator LOGIN CREATEROLE', 'rls_test_owner', 'stockade_owner'] LOOP
          BEGIN EXECUTE 'CREATE ROLE ' || name; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END;
        END LOOP;
        EXECUTE format('GRANT CREATE ON DATABASE %I TO rls_test_migrator', current_database());
        FOR attempt IN 1..20 LOOP
          BEGIN GRANT rls_test_owner, stockade_owner TO rls_test_migrator; EXIT; EXCEPTION WHEN internal_error THEN NULL; END;
        END LOOP; END $$";
    run(&mut root, setup).await.unwrap();
    connect(pool, "rls_test_migrator").await
}

pub(crate) async fn run(conn: &mut PgConnection, sql: &str) -> Result<u64, sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.map(|done| done.rows_affected())
}

pub(crate) async fn text(conn: &mut PgConnection, sql: &str) -> String {
    sqlx::query_scalar::<_, Option<String>>(AssertSqlSafe(sql)).fetch_one(conn).await.unwrap().unwrap_or_default()
}

/// Opens a transaction in the context of `tenant` and runs one statement in it; rolled back.
pub(crate) async fn within(conn: &mut PgConnection, tenant: &str, sql: &str) -> Result<u64, sqlx::Error> {
    run(conn, "BEGIN").await?;
    run(conn, &format!("SET LOCAL stockade.tenant_id = '{tenant}'")).await?;
    let outcome = run(conn, sql).await;
    run(conn, "ROLLBACK").await?;
    outcome
}

/// As [`within`], and committed.
pub(crate) async fn commit(conn: &mut PgConnection, tenant: Uuid, sql: &str) -> Result<u64, sqlx::Error> {
    run(conn, "BEGIN").await?;
    run(conn, &format!("SET LOCAL stockade.tenant_id = '{tenant}'")).await?;
    match run(conn, sql).await {
        Ok(rows) => run(conn, "COMMIT").await.map(|_| rows),
        Err(error) => {
            run(conn, "ROLLBACK").await?;
            Err(error)
        }
    }
}

pub(crate) fn code(error: &sqlx::Error) -> String {
    error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned()
}

/// What lint finds, but for a missing backup role: that is the cluster's, and other tests make one or do not.
pub(crate) async fn lint(schema: &Schema, conn: &mut PgConnection) -> Vec<Finding> {
    let mut findings = schema.lint(conn).await.unwrap();
    findings.retain(|finding| finding.rule() != Rule::NoBackupRole);
    findings
}
