//! Unique keys within the tenant, and what acts with its owner's rights: before and after the plan.

use sqlx::{PgConnection, PgPool};
use stockade_rls_migrations::{ErrorKind, Lock, Rule, Schema, Skipped, Work, by};

use crate::snapshot::{assert_same, catalogue};
use crate::support::{A, B, TABLES, apply, code, commit, connect, freight, protected, run, text, within};

fn with_keys() -> Schema {
    freight().unique_per_tenant("loads", ["name"]).unique_per_tenant("stops", ["city", "load_id"])
}

const KEYS: &str = "ALTER TABLE freight.loads ADD CONSTRAINT one_name UNIQUE (name);
                    CREATE UNIQUE INDEX one_stop ON freight.stops (load_id, city)";

/// The oracle: A learns that B has a value, because it cannot have it too.
#[sqlx::test]
async fn a_value_of_b_is_free_for_a(pool: PgPool) {
    let mut root = protected(&pool).await;
    run(&mut root, "UPDATE freight.loads SET name = name || tenant_id || id; DELETE FROM freight.stops").await.unwrap();
    run(&mut root, KEYS).await.unwrap();
    run(&mut root, &format!("INSERT INTO freight.loads VALUES ('{B}', 9, 'only of B')")).await.unwrap();
    let mut app = connect(&pool, "rls_test_app").await;
    let insert = format!("INSERT INTO freight.loads VALUES ('{A}', 9, 'only of B')");
    assert_eq!(code(&within(&mut app, &A.to_string(), &insert).await.unwrap_err()), "23505", "the oracle");
    let before = catalogue(&mut root).await;

    let plan = apply(&with_keys(), &mut root).await;
    let again = with_keys().plan(&mut root).await.unwrap();
    assert!(again.is_empty(), "{}", again.up_sql());
    commit(&mut app, A, &insert).await.unwrap();
    let twice = insert.replace(", 9,", ", 10,");
    assert_eq!(code(&within(&mut app, &A.to_string(), &twice).await.unwrap_err()), "23505", "still a key within A");
    let oracles: Vec<Rule> = with_keys().lint(&mut root).await.unwrap().iter().map(|finding| finding.rule()).collect();
    assert!(!oracles.contains(&Rule::UniqueWithoutTenant), "{oracles:?}");
    let works: Vec<_> = plan.up().iter().map(|statement| (statement.lock(), statement.work())).collect();
    assert_eq!(works.iter().filter(|work| **work == (Lock::Share, Work::Scan)).count(), 2, "{works:?}");
    assert_eq!(works.iter().filter(|work| **work == (Lock::AccessExclusive, Work::Catalogue)).count(), 2);

    // The way back needs values that are unique again.
    assert!(plan.revert(&mut root).await.is_err());
    commit(&mut app, A, "DELETE FROM freight.loads WHERE id = 9").await.unwrap();
    plan.revert(&mut root).await.unwrap();
    assert_same(&before, &catalogue(&mut root).await);
    plan.revert(&mut root).await.unwrap();
    assert_same(&before, &catalogue(&mut root).await);
}

#[sqlx::test]
async fn a_key_that_something_else_needs_stays(pool: PgPool) {
    let mut root = connect(&pool, "postgres").await;
    let tables =
        "CREATE SCHEMA s; CREATE TABLE s.t (tenant_id uuid, a int PRIMARY KEY, b int UNIQUE, c int UNIQUE DEFERRABLE,
                      d int UNIQUE NULLS NOT DISTINCT, e int);
                  CREATE UNIQUE INDEX part ON s.t (e) WHERE e > 0;
                  CREATE TABLE s.u (tenant_id uuid, b int REFERENCES s.t (b))";
    run(&mut root, tables).await.unwrap();
    let mut schema =
        Schema::new("s", stockade_rls_migrations::Roles::for_app("rls_test")).tenant_table("u", by("tenant_id"));
    for column in ["a", "b", "c", "d", "e"] {
        schema = schema.unique_per_tenant("t", [column]);
    }
    let plan = apply(&schema, &mut root).await;
    assert_eq!(plan.up_sql().matches("CREATE UNIQUE INDEX").count(), 5);
    assert!(!plan.up_sql().contains("DROP CONSTRAINT") && !plan.up_sql().contains("DROP INDEX"), "{}", plan.up_sql());
    assert!(schema.plan(&mut root).await.unwrap().is_empty());
    let rules = schema.lint(&mut root).await.unwrap();
    assert_eq!(rules.iter().filter(|finding| finding.rule() == Rule::UniqueWithoutTenant).count(), 5);
    for (contradiction, message) in [
        (schema.clone().unique_per_tenant("t", [""; 0]), "`t`: a key needs columns beside the tenant's, each once"),
        (
            schema.clone().unique_per_tenant("t", ["tenant_id"]),
            "`t`: a key needs columns beside the tenant's, each once",
        ),
        (
            schema.clone().shared_reference("x").unique_per_tenant("x", ["a"]),
            "`x`: a key within the tenant needs a tenant table",
        ),
        (schema.clone().unique_per_tenant("t", ["nowhere"]), "column `t.nowhere` does not exist"),
    ] {
        let error = contradiction.plan(&mut root).await.unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

/// What a view, a view over it and a definer's function show A: rows of B, until the plan.
#[sqlx::test]
async fn views_and_functions_act_for_whoever_asks(pool: PgPool) {
    let mut root = protected(&pool).await;
    let objects = "
        CREATE VIEW freight.all_loads AS SELECT * FROM freight.loads;
        CREATE VIEW freight.over WITH (security_invoker = false, security_barrier = true) AS
          SELECT l.name FROM freight.all_loads l JOIN freight.stops s ON s.load_id = l.id;
        CREATE VIEW freight.public_facts AS SELECT * FROM freight.countries;
        GRANT SELECT ON freight.all_loads, freight.over TO rls_test_app;
        CREATE SCHEMA planted; GRANT USAGE ON SCHEMA planted TO rls_test_app;
        CREATE FUNCTION planted.upper(text) RETURNS text LANGUAGE sql AS $$ SELECT 'hijacked' $$;
        CREATE FUNCTION freight.shout(word text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN upper(word); END';
        CREATE PROCEDURE freight.quiet() LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN END'";
    run(&mut root, objects).await.unwrap();
    let before = catalogue(&mut root).await;
    let mut app = connect(&pool, "rls_test_app").await;
    async fn look(app: &mut PgConnection) -> [String; 3] {
        run(app, &format!("BEGIN; SET LOCAL stockade.tenant_id = '{A}'; SET LOCAL search_path = planted, pg_catalog"))
            .await
            .unwrap();
        let seen = [
            text(app, "SELECT count(*)::text FROM freight.all_loads").await,
            text(app, "SELECT count(*)::text FROM freight.over").await,
            text(app, "SELECT freight.shout('word')").await,
        ];
        run(app, "ROLLBACK").await.unwrap();
        seen
    }
    assert_eq!(look(&mut app).await, ["4", "4", "hijacked"], "the control");
    let plan = apply(&freight(), &mut root).await;
    assert_eq!(look(&mut app).await, ["2", "1", "WORD"]);
    assert!(!plan.up_sql().contains("public_facts"), "a view over shared tables is nobody's business");
    assert!(freight().plan(&mut root).await.unwrap().is_empty());
    let rules = freight().lint(&mut root).await.unwrap();
    assert!(!rules.iter().any(|f| [Rule::DefinerView, Rule::DefinerSearchPath].contains(&f.rule())), "{rules:?}");
    plan.revert(&mut root).await.unwrap();
    assert_same(&before, &catalogue(&mut root).await);
}

#[sqlx::test]
async fn what_belongs_to_somebody_else_is_skipped(pool: PgPool) {
    let mut root = connect(&pool, "postgres").await;
    run(&mut root, TABLES).await.unwrap();
    let _ = apply(&freight(), &mut root).await;
    run(&mut root, "CREATE VIEW freight.v AS SELECT * FROM freight.loads").await.unwrap();
    run(
        &mut root,
        "CREATE FUNCTION freight.f() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN 1; END'",
    )
    .await
    .unwrap();
    run(&mut root, "SET ROLE rls_test_owner").await.unwrap();
    let plan = freight().plan(&mut root).await;
    run(&mut root, "RESET ROLE").await.unwrap();
    let definers = [Skipped::Definer("v".to_owned()), Skipped::Definer("freight.f()".to_owned())];
    assert!(definers.iter().all(|definer| plan.as_ref().unwrap().skipped().contains(definer)), "{plan:?}");
}

/// The control: without the toggle an owner's migration is a silent `UPDATE 0`.
#[sqlx::test]
async fn an_owners_data_migration_reaches_every_tenant(pool: PgPool) {
    let mut root = protected(&pool).await;
    let mut owner = connect(&pool, "postgres").await;
    run(&mut owner, "SET SESSION AUTHORIZATION rls_test_owner").await.unwrap();
    let update = "UPDATE freight.loads SET name = 'it''s ' || s.city FROM freight.stops s WHERE s.load_id = loads.id";
    assert_eq!(run(&mut owner, update).await.unwrap(), 0);
    let changed = "SELECT count(*)::text FROM freight.loads WHERE name = 'it''s Utrecht'";
    let one = freight().data_migration(&["loads"], update).unwrap();
    run(&mut owner, &one).await.unwrap();
    assert_eq!(text(&mut root, changed).await, "0", "a table that was left out shows no rows");

    let before = catalogue(&mut root).await;
    let sql = freight().data_migration(&["loads", "stops"], &format!("{update};")).unwrap();
    // Nobody meets the table without FORCE: another session waits, and a failure puts it back.
    let mut other = connect(&pool, "postgres").await;
    run(&mut owner, "BEGIN").await.unwrap();
    run(&mut owner, &sql).await.unwrap();
    let blocked = run(&mut other, "SET lock_timeout = '50ms'; SELECT FROM freight.loads").await.unwrap_err();
    assert_eq!(code(&blocked), "55P03");
    run(&mut owner, "COMMIT").await.unwrap();
    assert_eq!(text(&mut root, changed).await, "2");
    assert_same(&before, &catalogue(&mut root).await);
    let failing = freight().data_migration(&["loads"], "UPDATE freight.loads SET id = 1 / 0").unwrap();
    assert_eq!(code(&run(&mut owner, &failing).await.unwrap_err()), "22012");
    assert_same(&before, &catalogue(&mut root).await);
    assert_eq!(run(&mut owner, "UPDATE freight.loads SET name = name").await.unwrap(), 0);
    let mut app = connect(&pool, "rls_test_app").await;
    assert_eq!(code(&run(&mut app, &sql).await.unwrap_err()), "42501");
    // A guard holds for it as for everybody.
    let note = freight().data_migration(&["load_note"], "DELETE FROM freight.load_note").unwrap();
    assert_eq!(code(&run(&mut owner, &note).await.unwrap_err()), "SG002");
    // Text that tries to leave its quotes.
    let hostile =
        freight().data_migration(&["loads"], "UPDATE freight.loads SET name = '$stockade$ $stockade_1$ END'").unwrap();
    run(&mut owner, &hostile).await.unwrap();
    assert_eq!(text(&mut root, "SELECT min(name) FROM freight.loads").await, "$stockade$ $stockade_1$ END");
    for (tables, statement) in [(&["countries"][..], update), (&["nowhere"][..], update), (&["loads"][..], "COMMIT")] {
        assert_eq!(freight().data_migration(tables, statement).unwrap_err().kind(), ErrorKind::Declaration);
    }
}
