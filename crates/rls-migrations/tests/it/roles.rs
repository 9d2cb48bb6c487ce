//! Roles: who may plan, who is created, what they lose, what they may do.

use sqlx::PgPool;
use stockade_rls_migrations::{ErrorKind, Hardening, Privilege, Roles, Rule, Schema, Skipped, by};

use crate::support::{A, TABLES, apply, apply_all, code, commit, connect, freight, migrator, run, text, within};

#[sqlx::test]
async fn privileges_are_those_declared(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    run(&mut conn, TABLES).await.unwrap();
    let schema = freight()
        .app_may("loads", [Privilege::Select, Privilege::Insert])
        .app_may("countries", [Privilege::Select, Privilege::Update]);
    apply_all(&schema, &mut conn).await;
    let mut app = connect(&pool, "rls_test_app").await;
    let mut reader = connect(&pool, "rls_test_reader").await;
    // A default is not a limit: the reader can switch it off, and still not write.
    assert_eq!(text(&mut reader, "SHOW transaction_read_only").await, "on");
    run(&mut reader, "SET default_transaction_read_only = off").await.unwrap();
    let tenant = A.to_string();
    for (statement, allowed) in [
        (format!("INSERT INTO freight.loads VALUES ('{A}', 9, 'x')"), true),
        ("UPDATE freight.loads SET name = 'x'".to_owned(), false),
        ("DELETE FROM freight.loads".to_owned(), false),
        ("UPDATE freight.countries SET code = code".to_owned(), true),
        ("DELETE FROM freight.countries".to_owned(), false),
        (format!("INSERT INTO freight.load_note (tenant_id, body) VALUES ('{A}', 'x')"), true),
        ("SELECT FROM freight._sqlx_migrations".to_owned(), false),
    ] {
        let outcome = within(&mut app, &tenant, &statement).await;
        assert_eq!(outcome.is_ok(), allowed, "{statement}: {outcome:?}");
        let outcome = within(&mut reader, &tenant, &statement).await;
        assert_eq!(code(&outcome.unwrap_err()), "42501", "{statement}");
    }
    assert!(within(&mut reader, &tenant, "SELECT FROM freight.loads, freight.countries").await.is_ok());
}

#[sqlx::test]
async fn a_migrator_without_superuser_is_enough(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    let mut migrator = migrator(&pool).await;
    run(&mut migrator, TABLES).await.unwrap();

    let plan = apply(&freight(), &mut migrator).await;
    assert_eq!(plan.skipped(), Hardening::ALL.map(Skipped::Hardening));
    assert_eq!(plan.skipped()[2].to_string(), "SetConfig was left out: it needs a superuser");
    let again = freight().plan(&mut migrator).await.unwrap();
    assert!(again.is_empty(), "{}", again.up_sql());
    assert_eq!(again.skipped(), plan.skipped());
    let health = freight().health(&mut migrator).await.unwrap();
    assert!(health.is_sound(), "{:?}", health.findings());

    commit(&mut migrator, A, &format!("INSERT INTO freight.loads VALUES ('{A}', 1, 'x')")).await.unwrap_err();
    plan.revert(&mut migrator).await.unwrap();
    // A plan that was written down by a superuser elsewhere: what this role may not harden stays as it is.
    let elsewhere = freight().plan(&mut conn).await.unwrap();
    assert!(elsewhere.up_sql().contains("set_config"));
    elsewhere.apply(&mut migrator).await.unwrap();
    assert!(freight().health(&mut migrator).await.unwrap().is_sound());
    let open: Vec<_> = freight().lint(&mut migrator).await.unwrap().iter().map(|finding| finding.rule()).collect();
    for rule in [Rule::SetConfig, Rule::TempTables] {
        assert!(open.contains(&rule), "{open:?}");
    }
    elsewhere.revert(&mut migrator).await.unwrap();
    assert!(!freight().health(&mut migrator).await.unwrap().is_sound());
}

/// Roles are the cluster's: while one database's plan waits to create or change a role, another's commits the same.
#[sqlx::test]
async fn another_database_may_change_the_same_roles(pool: PgPool) {
    let mut other = connect(&pool, "postgres").await;
    let mut witness = connect(&pool, "postgres").await;
    run(&mut other, "CREATE SCHEMA s; CREATE TABLE s.t (tenant_id uuid)").await.unwrap();
    let name = format!("rls_race_{}", std::process::id());
    let schema = Schema::new("s", Roles::for_app(&name)).tenant_table("t", by("tenant_id"));
    let attributes = "SUPERUSER BYPASSRLS CREATEROLE CREATEDB REPLICATION";
    // What the other side does while it holds the row: the plan's CREATE ROLE, then its ALTER ROLE, must survive it.
    for (before, during) in [
        (String::new(), format!("CREATE ROLE {name}_app LOGIN")),
        (format!("ALTER ROLE {name}_app {attributes}"), format!("ALTER ROLE {name}_app NOSUPERUSER NOBYPASSRLS")),
    ] {
        run(&mut other, &before).await.unwrap();
        let mut conn = connect(&pool, "postgres").await;
        let plan = schema.plan(&mut conn).await.unwrap();
        run(&mut other, &format!("BEGIN; {during}")).await.unwrap();
        let applying = tokio::spawn(async move { plan.apply(&mut conn).await });
        let waiting = "SELECT count(*)::text FROM pg_stat_activity
                        WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while text(&mut witness, waiting).await == "0" {
            assert!(!applying.is_finished(), "{during}: nothing to wait for");
            tokio::task::yield_now().await;
        }
        run(&mut other, "COMMIT").await.unwrap();
        let outcome = applying.await.unwrap();
        assert!(outcome.is_ok(), "{during}: {outcome:?}");
    }
    let health = schema.health(&mut other).await.unwrap();
    let cleanup = format!(
        "DROP SCHEMA s CASCADE; DROP OWNED BY {name}_owner, {name}_app, {name}_reader;
         DROP ROLE {name}_owner, {name}_app, {name}_reader"
    );
    run(&mut other, &cleanup).await.unwrap();
    assert!(health.is_sound(), "{:?}", health.findings());
}

#[sqlx::test]
async fn attributes_and_memberships_are_taken_away(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    let name = format!("rls_weak_{}", std::process::id());
    let schema = Schema::new("s", Roles::for_app(&name)).tenant_table("t", by("tenant_id"));
    run(
        &mut conn,
        &format!(
            "CREATE SCHEMA s; CREATE TABLE s.t (tenant_id uuid);
             CREATE ROLE {name}_owner LOGIN; CREATE ROLE {name}_app LOGIN SUPERUSER BYPASSRLS IN ROLE {name}_owner;
             CREATE ROLE {name}_reader LOGIN CREATEROLE CREATEDB REPLICATION IN ROLE stockade_owner"
        )
        .replace("IN ROLE stockade_owner", ""),
    )
    .await
    .unwrap();
    apply_all(&schema, &mut conn).await;
    let health = schema.health(&mut conn).await.unwrap();
    let again = schema.plan(&mut conn).await.unwrap();
    let roles = health.roles().to_vec();
    run(
        &mut conn,
        &format!(
            "DROP OWNED BY {name}_owner, {name}_app, {name}_reader; DROP SCHEMA IF EXISTS s CASCADE;
                             DROP ROLE {name}_owner, {name}_app, {name}_reader"
        ),
    )
    .await
    .unwrap();
    assert!(again.is_empty(), "{}", again.up_sql());
    assert!(health.findings().iter().all(|finding| finding.rule() != Rule::RoleBypasses), "{:?}", health.findings());
    assert!(roles.iter().all(|role| !role.superuser && !role.bypasses && role.can_become.is_empty()), "{roles:?}");
    assert!(!roles[0].login);
}

/// A plan is made where the roles are and written to a file for a cluster where they are not.
#[sqlx::test]
async fn a_plan_serves_a_cluster_without_the_roles(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    let name = format!("rls_file_{}", std::process::id());
    let roles = format!("{name}_owner, {name}_app, {name}_reader");
    let schema = Schema::new("s", Roles::for_app(&name)).tenant_table("t", by("tenant_id"));
    run(&mut conn, "CREATE SCHEMA s; CREATE TABLE s.t (tenant_id uuid)").await.unwrap();
    for role in roles.split(", ") {
        run(&mut conn, &format!("CREATE ROLE {role}")).await.unwrap();
    }
    let plan = schema.plan(&mut conn).await.unwrap();
    run(&mut conn, &format!("DROP ROLE {roles}")).await.unwrap();
    plan.apply(&mut conn).await.unwrap();
    let health = schema.health(&mut conn).await.unwrap();
    let cleanup = format!("DROP SCHEMA s CASCADE; DROP OWNED BY {roles}; DROP ROLE {roles}");
    run(&mut conn, &cleanup).await.unwrap();
    assert!(health.is_sound(), "{:?}", health.findings());
}

/// What a declaration off a live schema may name as its owner.
#[sqlx::test]
async fn a_superuser_does_not_become_the_owner(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    run(&mut conn, "CREATE SCHEMA s; CREATE TABLE s.t (tenant_id uuid)").await.unwrap();
    let schema = Schema::new("s", Roles::named("postgres", "rls_test_app", "rls_test_reader"));
    let error = schema.tenant_table("t", by("tenant_id")).plan(&mut conn).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Declaration);
    assert!(error.to_string().starts_with("`postgres`: a superuser that logs in"), "{error}");
}
