//! Attacks with raw SQL, as the roles that an application really uses.

use sqlx::{AssertSqlSafe, PgConnection, PgPool};

use crate::support::{A, B, code, commit, connect, freight, protected, run, text, within};

const NOBODY: &str = "";

async fn count(conn: &mut PgConnection, tenant: &str, table: &str) -> i64 {
    run(conn, "BEGIN").await.unwrap();
    run(conn, &format!("SET LOCAL stockade.tenant_id = '{tenant}'")).await.unwrap();
    let count = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}")));
    let count = count.fetch_one(&mut *conn).await.unwrap();
    run(conn, "ROLLBACK").await.unwrap();
    count
}

/// Every row of the table as text, read by the superuser.
async fn dump(conn: &mut PgConnection, table: &str) -> String {
    text(conn, &format!("SELECT string_agg(t::text, '|' ORDER BY t::text) FROM {table} t")).await
}

#[sqlx::test]
async fn tenant_a_cannot_touch_rows_of_b(pool: PgPool) {
    let mut root = protected(&pool).await;
    let mut app = connect(&pool, "rls_test_app").await;
    let a = A.to_string();

    // A's own rows: without them "sees nothing of B" would prove nothing.
    assert_eq!(count(&mut app, &a, "freight.loads").await, 2);
    assert_eq!(count(&mut app, &a, &format!("freight.loads WHERE tenant_id = '{A}'")).await, 2);
    let reads = [
        format!("freight.loads WHERE tenant_id = '{B}'"),
        "freight.loads WHERE name LIKE 'secret of %b'".to_owned(),
        format!(
            "freight.loads l JOIN freight.stops s ON s.load_id = l.id WHERE s.tenant_id = '{B}' OR l.tenant_id = '{B}'"
        ),
        format!("(TABLE freight.loads UNION ALL TABLE freight.loads) x WHERE tenant_id = '{B}'"),
        format!("freight.loads a, LATERAL (SELECT FROM freight.loads b WHERE b.tenant_id = '{B}') x"),
        format!("freight.loads TABLESAMPLE BERNOULLI (100) WHERE tenant_id = '{B}'"),
        format!(
            "freight.loads WHERE ctid = ANY (ARRAY['(0,1)', '(0,2)', '(0,3)', '(0,4)']::tid[]) AND tenant_id = '{B}'"
        ),
        format!("freight.countries WHERE EXISTS (SELECT FROM freight.loads WHERE tenant_id = '{B}')"),
    ];
    for read in &reads {
        assert_eq!(count(&mut app, &a, read).await, 0, "{read}");
    }

    let before = dump(&mut root, "freight.loads").await;
    for (write, refused) in [
        (format!("INSERT INTO freight.loads VALUES ('{B}', 9, 'x')"), true),
        ("INSERT INTO freight.loads VALUES (NULL, 9, 'x')".to_owned(), true),
        (format!("INSERT INTO freight.loads SELECT '{B}', 9, 'x' FROM freight.loads"), true),
        (
            format!(
                "INSERT INTO freight.loads VALUES ('{B}', 1, 'x') ON CONFLICT (tenant_id, id) DO UPDATE SET name = 'x'"
            ),
            true,
        ),
        (format!("INSERT INTO freight.loads VALUES ('{B}', 1, 'x') ON CONFLICT DO NOTHING"), true),
        (format!("UPDATE freight.loads SET tenant_id = '{B}', id = id + 50"), true),
        (format!("UPDATE freight.loads SET name = 'x' WHERE tenant_id = '{B}'"), false),
        (format!("UPDATE freight.loads l SET name = o.name FROM freight.loads o WHERE o.tenant_id = '{B}'"), false),
        (format!("DELETE FROM freight.loads WHERE tenant_id = '{B}'"), false),
        (format!("DELETE FROM freight.loads USING freight.stops s WHERE s.tenant_id = '{B}'"), false),
        (format!("SELECT FROM freight.loads WHERE tenant_id = '{B}' FOR UPDATE"), false),
        (format!("DECLARE c CURSOR FOR SELECT FROM freight.loads WHERE tenant_id = '{B}'; FETCH ALL FROM c"), false),
        (
            format!(
                "MERGE INTO freight.loads l USING (VALUES ('{B}'::uuid)) v(t) ON l.tenant_id = v.t WHEN MATCHED THEN DELETE"
            ),
            false,
        ),
        (
            format!(
                "MERGE INTO freight.loads l USING (VALUES ('{B}'::uuid)) v(t) ON l.tenant_id = v.t
                     WHEN NOT MATCHED THEN INSERT VALUES (v.t, 9, 'x')"
            ),
            true,
        ),
    ] {
        match commit(&mut app, A, &write).await {
            Ok(rows) => assert!(!refused && rows == 0, "{write}: {rows} rows"),
            Err(error) => assert!(refused && code(&error) == "42501", "{write}: {error}"),
        }
        assert_eq!(dump(&mut root, "freight.loads").await, before, "{write}");
    }
    assert_eq!(commit(&mut app, A, "UPDATE freight.loads SET name = 'mine'").await.unwrap(), 2);
    assert_eq!(commit(&mut app, A, "DELETE FROM freight.loads WHERE id = 2").await.unwrap(), 1);
}

#[sqlx::test]
async fn a_missing_context_sees_nothing_and_writes_nothing(pool: PgPool) {
    let _root = protected(&pool).await;
    for role in ["rls_test_app", "rls_test_reader"] {
        let mut conn = connect(&pool, role).await;
        let unset = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM freight.loads").fetch_one(&mut conn).await;
        assert_eq!(unset.unwrap(), 0);
        assert_eq!(count(&mut conn, NOBODY, "freight.loads").await, 0);
        // After a transaction the setting is an empty string in this session, no longer unset.
        let reset = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM freight.loads").fetch_one(&mut conn).await;
        assert_eq!(reset.unwrap(), 0);
        for malformed in ["x", "'' OR true", "0", "00000000-0000-0000-0000-00000000000g"] {
            let error =
                within(&mut conn, &malformed.replace('\'', "''"), "SELECT FROM freight.loads").await.unwrap_err();
            assert_eq!(code(&error), "22P02", "{malformed}");
        }
    }
    let mut app = connect(&pool, "rls_test_app").await;
    let insert = format!("INSERT INTO freight.loads VALUES ('{A}', 9, 'x')");
    assert_eq!(code(&run(&mut app, &insert).await.unwrap_err()), "42501");
    assert_eq!(code(&within(&mut app, NOBODY, &insert).await.unwrap_err()), "42501");
    assert_eq!(run(&mut app, "UPDATE freight.loads SET name = 'x'").await.unwrap(), 0);
    assert_eq!(within(&mut app, NOBODY, "DELETE FROM freight.loads").await.unwrap(), 0);
}

#[sqlx::test]
async fn the_owner_sees_nothing(pool: PgPool) {
    let mut root = protected(&pool).await;
    run(&mut root, "SET ROLE rls_test_owner").await.unwrap();
    for context in [NOBODY, &A.to_string()] {
        assert_eq!(count(&mut root, context, "freight.loads").await, 0);
        assert_eq!(within(&mut root, context, "UPDATE freight.loads SET name = 'x'").await.unwrap(), 0);
        let insert = format!("INSERT INTO freight.loads VALUES ('{A}', 9, 'x')");
        assert_eq!(code(&within(&mut root, context, &insert).await.unwrap_err()), "42501");
    }
}

#[sqlx::test]
async fn a_careless_policy_does_not_widen(pool: PgPool) {
    let mut root = protected(&pool).await;
    let careless = "CREATE POLICY careless ON freight.loads USING (true) WITH CHECK (true)";
    run(&mut root, careless).await.unwrap();
    let mut app = connect(&pool, "rls_test_app").await;
    assert_eq!(count(&mut app, &A.to_string(), "freight.loads").await, 2);
    assert_eq!(count(&mut app, NOBODY, "freight.loads").await, 0);
    let insert = format!("INSERT INTO freight.loads VALUES ('{B}', 9, 'x')");
    assert_eq!(code(&within(&mut app, &A.to_string(), &insert).await.unwrap_err()), "42501");
    run(&mut root, "SET ROLE rls_test_owner").await.unwrap();
    assert_eq!(count(&mut root, NOBODY, "freight.loads").await, 0);
}

#[sqlx::test]
async fn the_application_has_no_privilege_beyond_its_statements(pool: PgPool) {
    let _root = protected(&pool).await;
    let mut app = connect(&pool, "rls_test_app").await;
    for statement in [
        "TRUNCATE freight.loads",
        "ALTER TABLE freight.loads DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE freight.loads NO FORCE ROW LEVEL SECURITY",
        "CREATE POLICY mine ON freight.loads USING (true)",
        "DROP POLICY stockade_tenant ON freight.loads",
        "CREATE TRIGGER mine AFTER INSERT ON freight.loads EXECUTE FUNCTION stockade.rls_refuse_change()",
        "CREATE TABLE freight.copy AS TABLE freight.loads",
        "CREATE TABLE public.copy AS TABLE freight.loads",
        "CREATE TEMP TABLE loads AS TABLE freight.loads",
        "CREATE VIEW stockade.mine AS SELECT 1",
        "CREATE OR REPLACE VIEW stockade.current_tenant AS SELECT gen_random_uuid() AS tenant_id",
        "SET ROLE rls_test_owner",
        "SET ROLE stockade_owner",
        "SET SESSION AUTHORIZATION postgres",
        "SET session_replication_role = replica",
        "SELECT set_config('stockade.tenant_id', gen_random_uuid()::text, true)",
        "SELECT FROM stockade.rls_period_lock",
        "SELECT nextval('freight.load_note_id_seq'), last_value FROM freight.load_note_id_seq",
        "INSERT INTO freight.countries VALUES ('XX')",
        "GRANT SELECT ON freight.loads TO rls_test_reader",
    ] {
        let error = within(&mut app, &A.to_string(), statement).await;
        match error {
            // GRANT by somebody without the grant option is a warning, not an error.
            Ok(_) => assert!(statement.starts_with("GRANT"), "{statement}"),
            Err(error) => assert_eq!(code(&error), "42501", "{statement}: {error}"),
        }
    }
    let error =
        within(&mut app, &A.to_string(), "SET row_security = off; SELECT FROM freight.loads").await.unwrap_err();
    assert_eq!(code(&error), "42501");
}

#[sqlx::test]
async fn a_child_cannot_reference_a_foreign_parent(pool: PgPool) {
    let mut root = protected(&pool).await;
    run(&mut root, &format!("INSERT INTO freight.loads VALUES ('{B}', 77, 'only of B')")).await.unwrap();
    let mut app = connect(&pool, "rls_test_app").await;
    let insert = format!("INSERT INTO freight.stops VALUES ('{A}', 9, 77, 'x')");
    assert_eq!(code(&within(&mut app, &A.to_string(), &insert).await.unwrap_err()), "23503");
    assert!(within(&mut app, &A.to_string(), &insert.replace("77", "2")).await.is_ok());
}

#[sqlx::test]
async fn a_cached_plan_follows_the_context(pool: PgPool) {
    let _root = protected(&pool).await;
    let mut app = connect(&pool, "rls_test_app").await;
    run(&mut app, "SET plan_cache_mode = force_generic_plan").await.unwrap();
    for tenant in [A, B, A, B] {
        run(&mut app, "BEGIN").await.unwrap();
        run(&mut app, &format!("SET LOCAL stockade.tenant_id = '{tenant}'")).await.unwrap();
        let names: Vec<String> = sqlx::query_scalar("SELECT name FROM freight.loads WHERE id = $1")
            .bind(1)
            .fetch_all(&mut app)
            .await
            .unwrap();
        assert_eq!(names, [format!("secret of {tenant}")]);
        run(&mut app, "ROLLBACK").await.unwrap();
    }
}

#[sqlx::test]
async fn health_reports_the_facts(pool: PgPool) {
    let mut root = protected(&pool).await;
    let health = freight().health(&mut root).await.unwrap();
    let loads = health.tables().iter().find(|table| table.name == "loads").unwrap();
    assert!(loads.enabled && loads.forced && loads.owner == "rls_test_owner" && !loads.append_only);
    assert_eq!(loads.policies.len(), 5);
    assert!(loads.policies.iter().filter(|policy| !policy.name.contains("read_only")).all(|policy| policy.with_check));
    assert!(health.tables().iter().find(|table| table.name == "load_note").unwrap().append_only);
    assert!(health.tables().iter().find(|table| table.name == "gl_posting").unwrap().period_guard);
    let app = health.roles().iter().find(|role| role.name == "rls_test_app").unwrap();
    assert!(app.exists && app.login && !app.superuser && !app.bypasses && app.can_become.is_empty());
    assert!(health.server().is_safe(), "{}", health.server());
}
