//! What lint says about plans, statements and sessions, held against what PostgreSQL does.

use sqlx::{PgConnection, PgPool};
use stockade_rls_migrations::Rule;

use crate::support::{A, connect, freight, run, sound, text};

/// 10,000 rows of each tenant, each with a name of its own in mixed case, and an index for `lower(name)`.
async fn many_rows(pool: &PgPool) -> PgConnection {
    let mut conn = sound(pool).await;
    let rows = "
        INSERT INTO freight.loads (tenant_id, id, name)
        SELECT format('00000000-0000-0000-0000-0000000000%s', t)::uuid, i, format('Load %s', i)
          FROM unnest('{0a,0b}'::text[]) t, generate_series(10, 10009) i;
        CREATE INDEX by_lower ON freight.loads (tenant_id, lower(name));
        ANALYZE freight.loads";
    run(&mut conn, rows).await.unwrap();
    conn
}

/// The rows that a SELECT looks at: those it gives and those it throws away.
async fn examined(conn: &mut PgConnection, condition: &str) -> f64 {
    run(conn, "BEGIN").await.unwrap();
    run(conn, &format!("SET LOCAL stockade.tenant_id = '{A}'")).await.unwrap();
    let explain = format!("EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM freight.loads WHERE {condition}");
    let plan: sqlx::types::JsonValue =
        sqlx::query_scalar(sqlx::AssertSqlSafe(explain)).fetch_one(&mut *conn).await.unwrap();
    run(conn, "ROLLBACK").await.unwrap();
    most(plan.pointer("/0/Plan").unwrap())
}

/// The most rows that a node of the plan gives and throws away.
fn most(node: &sqlx::types::JsonValue) -> f64 {
    let number = |key: &str| node[key].as_f64().unwrap_or_default();
    let here = number("Actual Rows") + number("Rows Removed by Filter");
    node["Plans"].as_array().into_iter().flatten().map(most).fold(here, f64::max)
}

/// The thousandfold cost of a condition that is not leakproof, in rows rather than in seconds; and that the repair which
/// the finding brings along takes it away.
#[sqlx::test]
async fn a_leaky_condition_reads_every_row_of_the_tenant(pool: PgPool) {
    let mut conn = many_rows(&pool).await;
    let mut app = connect(&pool, "rls_test_app").await;
    let condition = "lower(name) = 'load 77'";
    let by_hand = format!("tenant_id = '{A}' AND {condition}");
    assert!(examined(&mut conn, &by_hand).await <= 2.0, "the control: without a policy the index serves it");
    assert!(examined(&mut app, condition).await >= 10_000.0, "below the policy it does not");
    assert!(examined(&mut app, &by_hand).await >= 10_000.0, "nor with the tenant written out");

    let findings = freight().lint(&mut conn).await.unwrap();
    let leaky = findings.iter().find(|finding| finding.rule() == Rule::LeakyIndex).unwrap();
    assert_eq!(leaky.object(), "freight.by_lower");
    assert_eq!(leaky.detail(), Some("lower(name): lower() is not leakproof; a generated column of the same value is"));
    run(&mut conn, &leaky.fix().unwrap().replace(" CONCURRENTLY", "")).await.unwrap();
    run(&mut conn, "ANALYZE freight.loads").await.unwrap();
    assert!(examined(&mut app, "by_lower_key = 'load 77'").await <= 2.0);
}

/// Which of PostgreSQL's own types can be searched by index below a policy, as lint says and as the planner does.
#[sqlx::test]
async fn lint_and_the_planner_agree_on_types(pool: PgPool) {
    let mut conn = many_rows(&pool).await;
    let add = "
        CREATE TYPE freight.step AS ENUM ('a', 'b');
        ALTER TABLE freight.loads ADD n numeric, ADD e freight.step DEFAULT 'a', ADD t text, ADD u uuid, ADD d date;
        UPDATE freight.loads SET n = id, t = id, u = format('00000000-0000-0000-0000-%s', lpad(id::text, 12, '0'))::uuid,
               d = date '2000-01-01' + id, e = CASE id WHEN 77 THEN 'b' ELSE 'a' END::freight.step;
        CREATE INDEX by_n ON freight.loads (tenant_id, n); CREATE INDEX by_e ON freight.loads (tenant_id, e);
        CREATE INDEX by_t ON freight.loads (tenant_id, t); CREATE INDEX by_u ON freight.loads (tenant_id, u);
        CREATE INDEX by_d ON freight.loads (tenant_id, d);
        VACUUM ANALYZE freight.loads";
    for statement in add.split(';') {
        run(&mut conn, statement).await.unwrap();
    }
    let mut app = connect(&pool, "rls_test_app").await;
    let findings = freight().lint(&mut conn).await.unwrap();
    for (index, condition) in [
        ("by_n", "n = 77"),
        ("by_e", "e = 'b'"),
        ("by_t", "t = '77'"),
        ("by_u", "u = '00000000-0000-0000-0000-000000000077'"),
        ("by_d", "d = date '2000-01-01' + 77"),
    ] {
        let object = ["freight.", index].concat();
        let found = findings.iter().any(|f| f.rule() == Rule::LeakyIndex && f.object() == object);
        let slow = examined(&mut app, condition).await > 100.0;
        assert_eq!(found, slow, "{condition}");
        assert_eq!(slow, matches!(index, "by_n" | "by_e"), "{condition}");
    }
}

/// `pg_stat_statements` collects nothing unless the server preloads it, so its function is replaced by one that gives what
/// it would have collected. The view, and so the names and types of its columns, are the extension's.
const COLLECTED: &str = r#"
    CREATE EXTENSION pg_stat_statements;
    DO $do$
    DECLARE arguments text; item text; items text;
    BEGIN
      SELECT pg_get_function_arguments(oid) INTO arguments FROM pg_proc WHERE proname = 'pg_stat_statements';
      SELECT string_agg(format(CASE name
               WHEN 'userid' THEN 'q.userid' WHEN 'dbid' THEN '(SELECT oid FROM pg_database WHERE datname = current_database())'
               WHEN 'queryid' THEN 'q.id::bigint' WHEN 'query' THEN 'q.query' WHEN 'calls' THEN '500::bigint'
               WHEN 'mean_exec_time' THEN 'q.mean::float8' WHEN 'total_exec_time' THEN '1::float8'
               ELSE 'NULL::%s' END, format_type(type, NULL)), ', ' ORDER BY position) INTO items
        FROM pg_proc, unnest(proallargtypes, proargmodes, proargnames) WITH ORDINALITY a (type, mode, name, position)
       WHERE proname = 'pg_stat_statements' AND mode = 'o';
      EXECUTE format('CREATE OR REPLACE FUNCTION pg_stat_statements(%s) RETURNS SETOF record LANGUAGE sql AS %L', arguments,
        'SELECT ' || items || ' FROM (SELECT r.oid AS userid, v.* FROM pg_roles r, (VALUES
           (1, 13.4, ''SELECT * FROM freight.loads WHERE lower(name) = $1''),
           (2, 0.01, ''SELECT * FROM freight.loads WHERE lower(name) = $1''),
           (3, 9.0, ''SELECT lower(city) FROM freight.stops WHERE tenant_id = $1''),
           (4, 9.0, ''SELECT * FROM freight.stops s WHERE s.city ILIKE $1''),
           (5, 9.0, ''SELECT * FROM freight.countries WHERE code LIKE $1''),
           (6, 9.0, ''SELECT * FROM freight.loads WHERE starts_with(name, $1) AND name = $2'')
         ) v (id, mean, query) WHERE r.rolname = ''rls_test_app'') q');
    END $do$;
"#;

#[sqlx::test]
async fn a_frequent_leaky_statement_is_found(pool: PgPool) {
    let mut conn = sound(&pool).await;
    run(&mut conn, "CREATE EXTENSION pg_stat_statements").await.unwrap();
    let before = freight().lint(&mut conn).await.unwrap();
    assert!(before.iter().all(|finding| finding.rule() != Rule::LeakyPredicate), "not preloaded is no finding");
    run(&mut conn, "DROP EXTENSION pg_stat_statements").await.unwrap();
    run(&mut conn, COLLECTED).await.unwrap();
    let findings = freight().lint(&mut conn).await.unwrap();
    let found: Vec<_> = findings
        .iter()
        .filter(|finding| finding.rule() == Rule::LeakyPredicate)
        .map(|finding| (finding.object(), finding.detail().unwrap()))
        .collect();
    assert_eq!(
        found,
        [
            ("freight.loads", "statement 1 uses lower: 500 calls of 13.4 ms"),
            ("freight.stops", "statement 4 uses ~~*: 500 calls of 9.0 ms"),
        ]
    );
}

#[sqlx::test]
async fn a_session_that_no_policy_binds_is_found(pool: PgPool) {
    let mut conn = sound(&pool).await;
    let name = format!("rls_lint_boss_{}", std::process::id());
    run(&mut conn, &format!("CREATE ROLE {name} LOGIN SUPERUSER")).await.unwrap();
    let _app = connect(&pool, "rls_test_app").await;
    let before = freight().lint(&mut conn).await.unwrap();
    let mut boss = connect(&pool, &name).await;
    assert_eq!(text(&mut boss, "SELECT current_user::text").await, name);
    let after = freight().lint(&mut conn).await.unwrap();
    drop(boss);
    run(&mut conn, &format!("DROP ROLE {name}")).await.unwrap();
    assert_eq!(before, []);
    assert_eq!(
        after.iter().map(|f| (f.rule(), f.object())).collect::<Vec<_>>(),
        [(Rule::PrivilegedSession, name.as_str())]
    );
}

/// A role that may look at nothing but the catalogue still gets an answer.
#[sqlx::test]
async fn lint_needs_no_privilege(pool: PgPool) {
    let mut conn = sound(&pool).await;
    run(&mut conn, COLLECTED).await.unwrap();
    let mut reader = connect(&pool, "rls_test_reader").await;
    let findings = freight().lint(&mut reader).await.unwrap();
    let rules: Vec<Rule> = findings.iter().map(stockade_rls_migrations::Finding::rule).collect();
    assert!(rules.iter().all(|rule| matches!(rule, Rule::ReachingExtension | Rule::LeakyPredicate)), "{findings:?}");
}
