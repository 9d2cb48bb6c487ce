//! A declaration of a schema that has none.

use sqlx::PgPool;
use stockade_rls_migrations::{Discovery, ErrorKind, Roles, Rule, Schema, by};

use crate::support::{TABLES, connect, protected, run};

async fn role(conn: &mut sqlx::PgConnection, name: &str) {
    let create =
        "DO $$ BEGIN CREATE ROLE {} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$";
    run(conn, &create.replace("{}", name)).await.unwrap();
}

#[sqlx::test]
async fn the_commonest_column_and_the_busiest_login_are_found(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    for name in ["rls_found_owner", "rls_found_web", "rls_found_report"] {
        role(&mut conn, name).await;
    }
    let tables = "
        CREATE SCHEMA shop;
        CREATE TABLE shop.orders (org_id uuid, tenant_id uuid);
        CREATE TABLE shop.lines (org_id uuid, account_id int);
        CREATE TABLE shop.plans (id int, tenant_id uuid);
        CREATE TABLE shop.events (org_id uuid, day date) PARTITION BY RANGE (day);
        CREATE TABLE shop.events_2024 PARTITION OF shop.events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
        CREATE TABLE shop.legacy (org_id uuid, tenant_id text);
        ALTER TABLE shop.orders OWNER TO rls_found_owner;
        GRANT ALL ON ALL TABLES IN SCHEMA shop TO rls_found_owner;
        GRANT SELECT, INSERT ON shop.orders, shop.lines TO rls_found_web;
        GRANT SELECT ON ALL TABLES IN SCHEMA shop TO rls_found_report;";
    run(&mut conn, tables).await.unwrap();
    run(&mut conn, "REVOKE SELECT ON shop.plans, shop.legacy, shop.events, shop.events_2024 FROM rls_found_report")
        .await
        .unwrap();

    let superuser = crate::support::text(&mut conn, "SELECT current_user::text").await;
    let declared = |app: &str, reader: &str| Schema::new("shop", Roles::named(&superuser, app, reader));
    let found = Discovery::of("shop").read(&mut conn).await.unwrap();
    let expected = declared("rls_found_web", "rls_found_report")
        .tenant_table("orders", by("org_id"))
        .tenant_table("lines", by("org_id"))
        .tenant_table("events", by("org_id"))
        .tenant_table("legacy", by("org_id"))
        .exempt("plans", "no tenant column found");
    assert_eq!(found, expected);

    let found = Discovery::of("shop").tenant_column("tenant_id").app("rls_found_owner").read(&mut conn).await.unwrap();
    let expected = declared("rls_found_owner", "rls_found_report")
        .tenant_table("orders", by("tenant_id"))
        .exempt("lines", "no tenant column found")
        .tenant_table("plans", by("tenant_id"))
        .exempt("events", "no tenant column found")
        .tenant_table("legacy", by("tenant_id"));
    assert_eq!(found, expected, "a column of another type is not hidden when it was asked for");
}

/// What it finds can be linted at once, also where nothing has been prepared.
#[sqlx::test]
async fn any_schema_can_be_read(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    let error = Discovery::of("nowhere").read(&mut conn).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Missing, "schema `nowhere` does not exist"));
    let empty = Discovery::of("public").read(&mut conn).await.unwrap();
    assert_eq!(empty, Schema::new("public", Roles::named("public_owner", "public_app", "public_reader")));
    let long = "ö".repeat(31);
    run(&mut conn, &format!("CREATE SCHEMA \"{long}\"")).await.unwrap();
    assert!(!Discovery::of(&long).read(&mut conn).await.unwrap().plan(&mut conn).await.unwrap().is_empty());

    run(&mut conn, TABLES).await.unwrap();
    let found = Discovery::of("freight").read(&mut conn).await.unwrap();
    let rules: Vec<Rule> = found.lint(&mut conn).await.unwrap().iter().map(|finding| finding.rule()).collect();
    assert!(rules.contains(&Rule::SecurityDisabled) && rules.contains(&Rule::RoleMissing), "{rules:?}");
}

#[sqlx::test]
async fn a_protected_schema_is_found_as_it_was_declared(pool: PgPool) {
    let mut conn = protected(&pool).await;
    let found = Discovery::of("freight").read(&mut conn).await.unwrap();
    let roles = Roles::for_app("rls_test");
    let mut expected = Schema::new("freight", roles)
        .exempt("countries", "no tenant column found")
        .exempt("_sqlx_migrations", "no tenant column found");
    for table in ["loads", "stops", "load_note", "gl_posting", "fiscal_period"] {
        expected = expected.tenant_table(table, by("tenant_id"));
    }
    assert_eq!(found, expected);
}
