//! What a plan refuses, and what it says.

use sqlx::{PgConnection, PgPool};
use stockade_rls_migrations::{
    Discovery, ErrorKind, Hardening, Lock, Privilege, Probe, Roles, Schema, Work, by, date, parent, periods,
};

use crate::support::{TABLES, connect, freight, run, text};

#[sqlx::test]
async fn an_undeclared_table_is_named(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    run(&mut conn, TABLES).await.unwrap();
    // One with two parents goes with neither.
    let tables = "CREATE TABLE freight.\"for\ngotten\" ();
                  CREATE TABLE freight.forgotten () INHERITS (freight.loads, freight.countries)";
    run(&mut conn, tables).await.unwrap();
    let error = freight().plan(&mut conn).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Undeclared);
    assert_eq!(error.to_string(), r"undeclared in schema `freight`: `for\ngotten`, `forgotten`");
    let health = freight().health(&mut conn).await.unwrap();
    assert!(health.findings().iter().any(|finding| finding.object() == "freight.forgotten"));
}

#[sqlx::test]
async fn what_is_not_there_is_named(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    let error = freight().plan(&mut conn).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Missing, "schema `freight` does not exist"));
    run(&mut conn, TABLES).await.unwrap();
    for (schema, message) in [
        (freight().tenant_table("nowhere", by("tenant_id")), "table `nowhere` does not exist"),
        (
            freight().period_guard("loads", date("posted_on"), periods("fiscal_period")),
            "column `loads.posted_on` does not exist",
        ),
    ] {
        let error = schema.plan(&mut conn).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Missing, message));
    }
}

#[sqlx::test]
async fn what_cannot_be_protected_is_refused(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    for (table, message) in [
        ("CREATE TABLE freight.t (tenant_id text)", "`t.tenant_id`: a tenant column must be of type uuid"),
        (
            "CREATE TABLE freight.p (tenant_id uuid); CREATE TABLE freight.t () INHERITS (freight.p)",
            "`t`: a parent that is no tenant table by the same column shows its rows",
        ),
        (
            "CREATE TABLE freight.p (tenant_id uuid) PARTITION BY LIST (tenant_id);
             CREATE TABLE freight.t PARTITION OF freight.p DEFAULT",
            "`t`: a partition goes with its parent and is not declared",
        ),
        (
            "CREATE SCHEMA IF NOT EXISTS attic; DROP TABLE IF EXISTS attic.old;
             CREATE TABLE freight.t (tenant_id uuid); CREATE TABLE attic.old () INHERITS (freight.t)",
            "`attic.old`: a child in another schema than its parent",
        ),
        (
            "CREATE TABLE freight.t (tenant_id uuid) PARTITION BY LIST (tenant_id);
             CREATE EXTENSION IF NOT EXISTS postgres_fdw;
             CREATE SERVER IF NOT EXISTS away FOREIGN DATA WRAPPER postgres_fdw;
             CREATE FOREIGN TABLE freight.far PARTITION OF freight.t DEFAULT SERVER away",
            "`far`: row-level security does not reach a foreign table",
        ),
    ] {
        run(&mut conn, "DROP SCHEMA IF EXISTS freight CASCADE; CREATE SCHEMA freight").await.unwrap();
        run(&mut conn, table).await.unwrap();
        let schema = Schema::new("freight", Roles::for_app("rls_test"))
            .tenant_table("t", by("tenant_id"))
            .exempt("p", "only a parent");
        let error = schema.plan(&mut conn).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Unsupported, message));
    }
}

#[sqlx::test]
async fn a_contradiction_is_refused(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    let plain = || Schema::new("freight", Roles::for_app("rls_test"));
    for (schema, message) in [
        (freight().shared_reference("loads"), "`loads`: declared twice"),
        (freight().exempt("x", " "), "`x`: an exemption needs a reason"),
        (freight().append_only("_sqlx_migrations"), "`_sqlx_migrations`: exempt and append-only"),
        (
            freight().app_may("load_note", [Privilege::Update]),
            "`load_note`: append-only, and the application may change it",
        ),
        (freight().app_may("nowhere", [Privilege::Select]), "`nowhere`: named, but not declared"),
        (
            freight().period_guard("fiscal_period", date("ends_on"), periods("fiscal_period")),
            "`fiscal_period`: a periods table cannot be guarded by periods",
        ),
        (plain().tenant_table("", by("tenant_id")), "``: a name must not be empty"),
        (plain().tenant_table("a\0b", by("tenant_id")), "`a\\0b`: a name must not contain NUL"),
        (
            plain().tenant_table_via("stops", by("tenant_id"), parent("loads").on("load_id", "id")),
            "`loads`: a parent must be a declared tenant table",
        ),
        (Schema::new("stockade", Roles::for_app("x")), "`stockade`: this schema is not the application's"),
        (Schema::new("x", Roles::named("o", "public", "r")), "`public`: PostgreSQL reserves this role name"),
        (Schema::new("x", Roles::named("o", "o", "r")), "`o`: each duty has a role of its own"),
    ] {
        let error = schema.plan(&mut conn).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Declaration, message));
    }
}

/// Runs each statement alone and asks PostgreSQL which locks it took on the application's tables, whether it read their rows and
/// whether they lie in other files since.
#[sqlx::test]
async fn each_statement_takes_the_lock_and_does_the_work_that_it_says(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    run(&mut conn, TABLES).await.unwrap();
    let more = "ALTER TABLE freight.loads ADD UNIQUE (name); CREATE UNIQUE INDEX ON freight.stops (city);
        CREATE VIEW freight.v AS SELECT * FROM freight.loads;
        CREATE TABLE freight.event (tenant_id uuid, id int, day date) PARTITION BY RANGE (day);
        CREATE TABLE freight.event_2024 PARTITION OF freight.event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')";
    run(&mut conn, more).await.unwrap();
    let schema = freight()
        .unique_per_tenant("loads", ["name"])
        .unique_per_tenant("stops", ["city"])
        .append_only("event")
        .unique_per_tenant("event", ["id", "day"]);
    let plan = schema.plan(&mut conn).await.unwrap();
    let files = "SELECT string_agg(relfilenode::text, ' ' ORDER BY oid) FROM pg_class
                  WHERE relkind = 'r' AND relnamespace = 'freight'::regnamespace";
    let before = text(&mut conn, files).await;
    let scans =
        "SELECT sum(seq_scan + coalesce(idx_scan, 0))::text FROM pg_stat_xact_user_tables WHERE schemaname = 'freight'";
    for statement in plan.up().iter().chain(plan.down()) {
        assert!(!statement.note().is_empty() && !statement.note().contains('\n'), "{statement:?}");
        run(&mut conn, "BEGIN").await.unwrap();
        let unread = text(&mut conn, scans).await;
        run(&mut conn, statement.sql()).await.unwrap();
        let strongest = text(
            &mut conn,
            "SELECT CASE WHEN bool_or(mode = 'AccessExclusiveLock') THEN 'ACCESS EXCLUSIVE'
                         WHEN bool_or(mode = 'ShareRowExclusiveLock') THEN 'SHARE ROW EXCLUSIVE'
                         WHEN bool_or(mode = 'ShareLock') THEN 'SHARE'
                         WHEN bool_or(mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')) THEN 'another'
                         ELSE 'none (catalogue only)' END
               FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
              WHERE l.pid = pg_backend_pid() AND c.relkind IN ('r', 'p') AND c.relnamespace = 'freight'::regnamespace",
        )
        .await;
        let scanned = text(&mut conn, scans).await != unread;
        run(&mut conn, "COMMIT").await.unwrap();
        assert_eq!(statement.lock().to_string(), strongest, "{statement:?}");
        assert_eq!(statement.work() == Work::Scan, scanned, "{statement:?}");
        assert_eq!(text(&mut conn, files).await, before, "{statement:?}");
    }
    for lock in [Lock::Catalogue, Lock::Share, Lock::ShareRowExclusive, Lock::AccessExclusive] {
        assert!(plan.up().iter().any(|statement| statement.lock() == lock), "{lock}");
    }
    assert!(plan.up().iter().chain(plan.down()).all(|statement| statement.work() != Work::Rewrite));
}

#[sqlx::test]
async fn a_plan_is_the_same_every_time(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    run(&mut conn, TABLES).await.unwrap();
    let script = freight().plan(&mut conn).await.unwrap().up_sql();
    assert!(
        script.contains("-- lock: ACCESS EXCLUSIVE\nALTER TABLE \"freight\".\"loads\" FORCE ROW LEVEL SECURITY;\n")
    );
    assert_eq!(freight().plan(&mut conn).await.unwrap().up_sql(), script);
}

#[sqlx::test]
async fn the_application_does_not_plan(pool: PgPool) {
    let mut conn = crate::support::protected(&pool).await;
    let mut app = connect(&pool, "rls_test_app").await;
    let error = freight().plan(&mut app).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Privilege);
    assert!(freight().health(&mut app).await.unwrap().is_sound(), "but it may ask for health");
    assert!(freight().plan(&mut conn).await.unwrap().is_empty());
}

#[sqlx::test]
async fn hardening_is_chosen(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    run(&mut conn, TABLES).await.unwrap();
    let sql = freight().harden([Hardening::TempTables]).plan(&mut conn).await.unwrap().up_sql();
    assert!(sql.contains("TEMPORARY") && !sql.contains("set_config") && !sql.contains("SCHEMA public"));
    let sql = freight().plan(&mut conn).await.unwrap().up_sql();
    assert!(sql.contains("TEMPORARY") && sql.contains("set_config") && sql.contains("SCHEMA public"));
}

/// A web handler can await each of them.
#[test]
fn futures_are_send() {
    fn is_send<T: Send>(_: impl FnOnce(&'static Schema, &'static mut PgConnection) -> T) {}
    is_send(|schema, conn| schema.plan(conn));
    is_send(|schema, conn| schema.health(conn));
    is_send(|schema, conn| schema.lint(conn));
    is_send(|schema, conn| schema.drift(conn));
    is_send(|schema, conn| schema.snapshot(conn));
    is_send(|schema, conn| async move { schema.probe(conn, &Probe::new()).await });
    is_send(|schema, conn| async move { schema.plan(conn).await?.apply(conn).await });
    is_send(|_, conn| async move { Discovery::of("public").read(conn).await });
}
