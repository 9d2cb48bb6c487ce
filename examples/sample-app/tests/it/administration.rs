//! The inspections of the schema, from the page that runs them.

use http::StatusCode;
use sample_app::seed::{ACME, OWNER, VIEWER};
use sqlx::PgPool;

use crate::browser::{Browser, app};

#[sqlx::test(migrations = false)]
async fn the_probe_finds_nothing_and_finds_a_table_that_was_opened(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let page = owner.post("/administration/probe", &[]).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert!(page.text.contains("No attempt reached the other tenant."), "{}", page.text);
    let rows: i64 =
        sqlx::query_scalar("SELECT count(DISTINCT tenant_id) FROM freight.loads").fetch_one(&pool).await.unwrap();
    assert_eq!(rows, 3, "the made-up tenants are gone");

    // Loads have the tenant in their row policies too, so they hold with one wall less; offices have no other.
    for table in ["loads", "offices"] {
        let open = sqlx::AssertSqlSafe(format!("DROP POLICY stockade_tenant ON freight.{table}"));
        sqlx::query(open).execute(&pool).await.unwrap();
        let page = owner.post("/administration/probe", &[]).await;
        assert_eq!(page.text.contains("This is an incident."), table == "offices", "{table}: {}", page.text);
    }
}

#[sqlx::test(migrations = false)]
async fn lint_names_what_was_broken(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let page = owner.post("/administration/lint", &[]).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert!(!page.text.contains("rls-disabled"), "{}", page.text);
    sqlx::query("ALTER TABLE freight.drivers DISABLE ROW LEVEL SECURITY").execute(&pool).await.unwrap();
    let page = owner.post("/administration/lint", &[]).await;
    assert!(page.text.contains("rls-disabled") && page.text.contains("freight.drivers"), "{}", page.text);
}

#[sqlx::test(migrations = false)]
async fn a_changed_rule_of_the_log_is_named(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let page = owner.post("/administration/log", &[]).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    // Roles are the whole server's, and other tests join them: nothing else may deviate.
    assert!(page.text.matches("<li>").count() == page.text.matches(", membership ").count(), "{}", page.text);
    sqlx::query("ALTER TABLE stockade.audit_link DISABLE TRIGGER audit_append_only").execute(&pool).await.unwrap();
    let page = owner.post("/administration/log", &[]).await;
    assert!(page.text.contains("audit_append_only") && page.text.contains("audit_link"), "{}", page.text);
}

#[sqlx::test(migrations = false)]
async fn whoever_may_not_inspect_is_refused(pool: PgPool) {
    let app = app(&pool).await;
    let mut viewer = Browser::signed_in(&app, &ACME, &VIEWER).await;
    for path in ["/administration/lint", "/administration/log", "/administration/probe"] {
        assert_eq!(viewer.post(path, &[]).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(viewer.get("/administration").await.status, StatusCode::FORBIDDEN);
}
