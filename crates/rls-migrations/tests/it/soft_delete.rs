//! Rows that the application deletes and does not see again.

use sqlx::PgPool;
use sqlx::postgres::PgConnection;
use stockade_rls_migrations::{ErrorKind, Privilege, Refusal, Roles, Rule, Schema, by};

use crate::snapshot::{assert_same, catalogue};
use crate::support::{A, B, TABLES, apply, apply_all, code, commit, connect, freight, run, text, within};

const COLUMN: &str =
    "ALTER TABLE freight.loads ADD deleted_at timestamptz; CREATE UNIQUE INDEX ON freight.loads (tenant_id, name)";
const DELETE: &str = "UPDATE freight.loads SET deleted_at = now() WHERE id = 1";

fn schema() -> Schema {
    freight().soft_delete("loads", "deleted_at")
}

fn undelete(columns: &str) -> String {
    format!("SELECT {}('{columns}')", schema().undelete_function("loads").unwrap())
}

/// Two loads of each tenant, a login that investigates, and one that brings back.
async fn world(pool: &PgPool) -> (PgConnection, PgConnection, PgConnection) {
    let mut root = connect(pool, "postgres").await;
    run(&mut root, TABLES).await.unwrap();
    run(&mut root, COLUMN).await.unwrap();
    apply_all(&schema(), &mut root).await;
    let roles = "DO $$ BEGIN CREATE ROLE rls_test_detective LOGIN IN ROLE rls_test_investigator;
                 EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
                 DO $$ BEGIN CREATE ROLE rls_test_restorer LOGIN;
                 EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$";
    run(&mut root, roles).await.unwrap();
    let grant =
        format!("GRANT EXECUTE ON FUNCTION {} TO rls_test_restorer", schema().undelete_function("loads").unwrap());
    run(&mut root, &grant).await.unwrap();
    for tenant in [A, B] {
        let rows = "INSERT INTO freight.loads VALUES ('{t}', 1, 'one'), ('{t}', 2, 'two');
                    INSERT INTO freight.stops VALUES ('{t}', 1, 1, 'Utrecht')";
        run(&mut root, &rows.replace("{t}", &tenant.to_string())).await.unwrap();
    }
    let (app, detective) = (connect(pool, "rls_test_app").await, connect(pool, "rls_test_detective").await);
    (root, app, detective)
}

async fn seen(conn: &mut PgConnection, relation: &str) -> String {
    run(conn, &format!("BEGIN; SET LOCAL stockade.tenant_id = '{A}'")).await.unwrap();
    let ids = text(conn, &format!("SELECT string_agg(id::text, ' ' ORDER BY id) FROM {relation}")).await;
    run(conn, "ROLLBACK").await.unwrap();
    ids
}

#[sqlx::test]
async fn a_deleted_row_is_gone_for_the_application(pool: PgPool) {
    let (mut root, mut app, mut detective) = world(&pool).await;
    let mut reader = connect(&pool, "rls_test_reader").await;
    // The control: where everybody sees what is deleted, it is an ordinary column.
    run(&mut root, "BEGIN; DROP POLICY stockade_not_deleted ON freight.loads; SET LOCAL ROLE rls_test_app")
        .await
        .unwrap();
    run(&mut root, &format!("SET LOCAL stockade.tenant_id = '{A}'; {DELETE}")).await.unwrap();
    assert_eq!(
        text(&mut root, "SELECT string_agg(id::text, ' ') FROM freight.loads WHERE deleted_at IS NOT NULL").await,
        "1"
    );
    run(&mut root, "ROLLBACK").await.unwrap();

    // One statement, which says how many and may return them.
    run(&mut app, &format!("BEGIN; SET LOCAL stockade.tenant_id = '{A}'")).await.unwrap();
    assert_eq!(text(&mut app, &format!("{DELETE} RETURNING name")).await, "one");
    // And in the same transaction they are gone.
    assert_eq!(text(&mut app, "SELECT string_agg(id::text, ' ') FROM freight.loads").await, "2");
    assert_eq!(run(&mut app, DELETE).await.unwrap(), 0);
    run(&mut app, "COMMIT").await.unwrap();

    for (conn, loads) in [(&mut app, "2"), (&mut reader, "2"), (&mut detective, "1")] {
        assert_eq!(seen(conn, "freight.loads").await, loads);
    }
    assert_eq!(seen(&mut detective, "freight.loads_deleted").await, "1");
    for conn in [&mut app, &mut reader] {
        let error = within(conn, &A.to_string(), "SELECT FROM freight.loads_deleted").await.unwrap_err();
        assert_eq!(code(&error), "42501");
    }
    assert_eq!(within(&mut detective, &B.to_string(), "SELECT FROM freight.loads_deleted").await.unwrap(), 0);
    assert_eq!(within(&mut detective, "", "SELECT FROM freight.loads_deleted").await.unwrap(), 0);
    for write in [
        "UPDATE freight.loads SET deleted_at = NULL",
        "UPDATE freight.loads_deleted SET deleted_at = NULL",
        "DELETE FROM freight.loads_deleted",
    ] {
        assert_eq!(code(&within(&mut detective, &A.to_string(), write).await.unwrap_err()), "42501", "{write}");
    }
}

#[sqlx::test]
async fn the_application_cannot_bring_a_row_back(pool: PgPool) {
    let (mut root, mut app, _detective) = world(&pool).await;
    commit(&mut app, A, DELETE).await.unwrap();
    let a = A.to_string();
    for change in [
        "UPDATE freight.loads SET deleted_at = NULL WHERE id = 1",
        "UPDATE freight.loads SET deleted_at = NULL WHERE deleted_at IS NOT NULL",
        "UPDATE freight.loads SET id = 50 WHERE id = 1",
        "SELECT FROM freight.loads WHERE id = 1 FOR UPDATE",
        "SELECT FROM freight.loads WHERE deleted_at > '2000-01-01'",
        "MERGE INTO freight.loads l USING (VALUES (1)) v(id) ON l.id = v.id WHEN MATCHED THEN UPDATE SET deleted_at = NULL",
    ] {
        assert_eq!(within(&mut app, &a, change).await.unwrap(), 0, "{change}");
    }
    let insert = |name| format!("INSERT INTO freight.loads VALUES ('{A}', 1, '{name}')");
    for (change, expected) in [
        ("DELETE FROM freight.loads WHERE id = 2".to_owned(), "42501"),
        ("TRUNCATE freight.loads CASCADE".to_owned(), "42501"),
        (
            "MERGE INTO freight.loads l USING (VALUES (2)) v(id) ON l.id = v.id WHEN MATCHED THEN DELETE".to_owned(),
            "42501",
        ),
        // The key is taken still; an upsert neither shows the row nor brings it back.
        (insert("x"), "23505"),
        (format!("{} ON CONFLICT (tenant_id, id) DO UPDATE SET deleted_at = NULL", insert("x")), "42501"),
        (format!("{} ON CONFLICT (tenant_id, id) DO UPDATE SET name = 'x' RETURNING name", insert("x")), "42501"),
        (format!("INSERT INTO freight.loads VALUES ('{A}', 7, 'forged', '2020-01-01')"), "42501"),
        (undelete(r#"{"id": 1}"#), "42501"),
    ] {
        assert_eq!(code(&within(&mut app, &a, &change).await.unwrap_err()), expected, "{change}");
    }
    assert_eq!(within(&mut app, &a, &format!("{} ON CONFLICT DO NOTHING", insert("x"))).await.unwrap(), 0);
    // Whatever time the application writes, the database writes its own.
    commit(&mut app, A, "UPDATE freight.loads SET deleted_at = '1999-12-31' WHERE id = 2").await.unwrap();
    let fresh = "SELECT bool_and(deleted_at > now() - interval '1 minute')::text FROM freight.loads WHERE deleted_at IS NOT NULL";
    assert_eq!(text(&mut root, fresh).await, "true");
    // Another session's statement does not see it, at whatever time it begins.
    assert_eq!(seen(&mut app, "freight.loads").await, "");
}

#[sqlx::test]
async fn foreign_keys_hold_for_deleted_rows(pool: PgPool) {
    let (mut root, mut app, _detective) = world(&pool).await;
    commit(&mut app, A, DELETE).await.unwrap();
    // The row is there for the key: no child is orphaned, and one that comes late still has its parent.
    assert_eq!(within(&mut app, &A.to_string(), "SELECT FROM freight.stops WHERE load_id = 1").await.unwrap(), 1);
    let stop = format!("INSERT INTO freight.stops VALUES ('{A}', 9, 1, 'x')");
    within(&mut app, &A.to_string(), &stop).await.unwrap();
    assert_eq!(
        code(&run(&mut root, "DELETE FROM freight.loads WHERE deleted_at IS NOT NULL").await.unwrap_err()),
        "23503"
    );
    // A cascade from elsewhere removes a deleted row like any other.
    run(
        &mut root,
        "CREATE TABLE freight.customers (tenant_id uuid PRIMARY KEY);
         INSERT INTO freight.customers SELECT DISTINCT tenant_id FROM freight.loads;
         DELETE FROM freight.stops;
         ALTER TABLE freight.loads ADD FOREIGN KEY (tenant_id) REFERENCES freight.customers ON DELETE CASCADE;
         DELETE FROM freight.customers",
    )
    .await
    .unwrap();
    assert_eq!(text(&mut root, "SELECT count(*)::text FROM freight.loads").await, "0");
}

#[sqlx::test]
async fn bringing_back_is_its_own_permission(pool: PgPool) {
    let (mut root, mut app, _detective) = world(&pool).await;
    let mut restorer = connect(&pool, "rls_test_restorer").await;
    let a = A.to_string();
    for tenant in [A, B] {
        commit(&mut app, tenant, "UPDATE freight.loads SET deleted_at = now()").await.unwrap();
    }
    for hostile in ["{}", "[]", "null", "1", "\"id\""] {
        assert_eq!(code(&within(&mut restorer, &a, &undelete(hostile)).await.unwrap_err()), "22023", "{hostile}");
    }
    let mut back = async |tenant: &str, columns: &str| {
        run(&mut restorer, &format!("BEGIN; SET LOCAL stockade.tenant_id = '{tenant}'")).await.unwrap();
        let rows = text(&mut restorer, &undelete(columns).replace("')", "')::text")).await;
        run(&mut restorer, "COMMIT").await.unwrap();
        rows
    };
    assert_eq!(back("", r#"{"id": 1}"#).await, "0", "no context");
    assert_eq!(back(&a, r#"{"nothing": null}"#).await, "0");
    assert_eq!(back(&a, r#"{"id": 1, "name": "two"}"#).await, "0");
    assert_eq!(back(&a, &format!(r#"{{"tenant_id": "{B}"}}"#)).await, "0");
    assert_eq!(back(&a, r#"{"id": 1}"#).await, "1");
    assert_eq!(back(&a, r#"{"id": 1}"#).await, "0", "it is back already");
    assert_eq!(seen(&mut app, "freight.loads").await, "1");
    let b = "SELECT count(*)::text FROM freight.loads WHERE deleted_at IS NULL AND tenant_id = '00000000-0000-0000-0000-00000000000b'";
    assert_eq!(text(&mut root, b).await, "0");
    assert_eq!(code(&run(&mut restorer, "SELECT FROM freight.loads").await.unwrap_err()), "42501");
    let reading = format!("SET LOCAL stockade.read_only = on; {}", undelete(r#"{"id": 2}"#));
    within(&mut restorer, &a, &reading).await.unwrap();
    assert_eq!(seen(&mut app, "freight.loads").await, "1");
}

#[sqlx::test]
async fn a_closed_period_keeps_its_rows(pool: PgPool) {
    let mut root = connect(&pool, "postgres").await;
    run(&mut root, TABLES).await.unwrap();
    run(&mut root, "ALTER TABLE freight.gl_posting ADD deleted_at timestamptz").await.unwrap();
    apply_all(&freight().soft_delete("gl_posting", "deleted_at"), &mut root).await;
    let rows = format!(
        "INSERT INTO freight.fiscal_period VALUES ('{A}', '2024-01-01', '2024-01-31', NULL);
         INSERT INTO freight.gl_posting VALUES ('{A}', 1, '2024-01-15');
         UPDATE freight.fiscal_period SET closed_at = now()"
    );
    commit(&mut root, A, &rows).await.unwrap();
    let mut app = connect(&pool, "rls_test_app").await;
    let error = commit(&mut app, A, "UPDATE freight.gl_posting SET deleted_at = now()").await.unwrap_err();
    assert_eq!(Refusal::of(&error), Some(Refusal::ClosedPeriod));
}

#[sqlx::test]
async fn it_goes_up_and_down(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    run(&mut conn, TABLES).await.unwrap();
    run(&mut conn, COLUMN).await.unwrap();
    let before = catalogue(&mut conn).await;
    let plan = apply(&schema(), &mut conn).await;
    let raised = catalogue(&mut conn).await;
    assert!(schema().plan(&mut conn).await.unwrap().is_empty());
    let rules: Vec<_> = schema().lint(&mut conn).await.unwrap().iter().map(|finding| finding.rule()).collect();
    assert_eq!(rules, []);
    plan.apply(&mut conn).await.unwrap();
    assert_same(&raised, &catalogue(&mut conn).await);
    for (break_it, rule) in [
        ("DROP POLICY stockade_not_deleted ON freight.loads", Rule::TenantPolicy),
        ("ALTER POLICY stockade_not_deleted ON freight.loads USING (true)", Rule::TenantPolicy),
        ("ALTER POLICY stockade_investigate ON freight.loads USING (true)", Rule::AccessPolicy),
        ("ALTER TABLE freight.loads DISABLE TRIGGER stockade_soft_delete", Rule::GuardBroken),
        ("DROP VIEW freight.loads_deleted", Rule::GuardBroken),
        ("ALTER VIEW freight.loads_deleted RESET (security_invoker)", Rule::GuardBroken),
        ("GRANT DELETE ON freight.loads TO rls_test_app", Rule::ExcessPrivilege),
    ] {
        let mut tx = sqlx::Connection::begin(&mut conn).await.unwrap();
        run(&mut tx, break_it).await.unwrap();
        let findings = schema().health(&mut tx).await.unwrap().findings().to_vec();
        assert!(findings.iter().any(|finding| finding.rule() == rule), "{break_it}: {findings:?}");
        schema().plan(&mut tx).await.unwrap().apply(&mut tx).await.unwrap();
        let health = schema().health(&mut tx).await.unwrap();
        assert!(health.findings().is_empty(), "{break_it}: {:?}", health.findings());
        tx.rollback().await.unwrap();
    }
    plan.revert(&mut conn).await.unwrap();
    assert_same(&before, &catalogue(&mut conn).await);
}

#[sqlx::test]
async fn what_contradicts_itself_is_refused(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    run(&mut conn, TABLES).await.unwrap();
    let named = Schema::new("freight", Roles::named("o", "a_investigator", "r")).tenant_table("t", by("tenant_id"));
    for (schema, kind, message) in [
        (
            freight().soft_delete("loads", "name"),
            ErrorKind::Unsupported,
            "`loads.name`: soft deletion needs a column of type timestamptz",
        ),
        (
            freight().soft_delete("load_note", "x"),
            ErrorKind::Declaration,
            "`load_note`: append-only and deleted softly",
        ),
        (
            freight().soft_delete("countries", "x"),
            ErrorKind::Declaration,
            "`countries`: soft deletion needs a tenant table",
        ),
        (freight().soft_delete("nowhere", "x"), ErrorKind::Declaration, "`nowhere`: named, but not declared"),
        (schema().soft_delete("loads", "x"), ErrorKind::Declaration, "`loads`: is deleted softly in two ways"),
        (
            schema().app_may("loads", [Privilege::Delete]),
            ErrorKind::Declaration,
            "`loads`: deleted softly, and the application may delete it",
        ),
        (
            Schema::new("freight", Roles::named("o", "a", "a_investigator"))
                .tenant_table("t", by("x"))
                .soft_delete("t", "y"),
            ErrorKind::Declaration,
            "`a_investigator`: the investigator is a role of its own",
        ),
    ] {
        let error = schema.plan(&mut conn).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, message));
    }
    assert_eq!(named.undelete_function("t").unwrap_err().to_string(), "`t`: not deleted softly");
}
