//! Contexts that may only read: an impersonation writes nothing, whatever statement is tried.

use sqlx::{PgConnection, PgPool};
use stockade_rls_migrations::Context;

use crate::support::{A, apply_all, code, connect, freight, protected, run, text};

/// A transaction of the application in A's context at this level; rolled back.
async fn attempt(conn: &mut PgConnection, context: &str, sql: &str) -> Result<u64, sqlx::Error> {
    run(conn, &format!("BEGIN; {context}")).await?;
    let outcome = run(conn, sql).await;
    run(conn, "ROLLBACK").await?;
    outcome
}

/// The two ways of saying who acts: settings, and leases.
async fn contexts(root: &mut PgConnection, level: Context) -> [String; 2] {
    if level == Context::Setting {
        return ["off", "on"]
            .map(|only| format!("SET LOCAL stockade.tenant_id = '{A}'; SET LOCAL stockade.read_only = {only}"));
    }
    apply_all(&freight().context(Context::Lease), root).await;
    for (secret, only) in [("writes", false), ("reads", true)] {
        let mint = format!("SELECT stockade.mint_lease(sha256('{secret}'), '{A}', '1 hour', NULL, '', {only})");
        run(root, &mint).await.unwrap();
    }
    ["writes", "reads"].map(|secret| format!("SET LOCAL stockade.lease = '{secret}'"))
}

#[sqlx::test]
async fn an_impersonation_writes_nothing(pool: PgPool) {
    let mut root = protected(&pool).await;
    let mut app = connect(&pool, "rls_test_app").await;
    let insert = format!("INSERT INTO freight.loads VALUES ('{A}', 9, 'x')");
    let upsert = |id| {
        format!(
            "INSERT INTO freight.loads VALUES ('{A}', {id}, 'x') ON CONFLICT (tenant_id, id) DO UPDATE SET name = 'x'"
        )
    };
    let merge = |id, action| format!("MERGE INTO freight.loads l USING (VALUES ({id})) v(id) ON l.id = v.id {action}");
    let attacks: &[(&str, Option<u64>)] = &[
        (&insert, None),
        (&format!("{insert} ON CONFLICT DO NOTHING"), None),
        (&format!("{insert} RETURNING id"), None),
        (&upsert(1), None),
        (&upsert(9), None),
        ("UPDATE freight.loads SET name = 'x'", Some(0)),
        ("UPDATE freight.loads SET name = 'x' WHERE id = 1 RETURNING id", Some(0)),
        ("DELETE FROM freight.loads WHERE id = 2", Some(0)),
        ("DELETE FROM freight.stops", Some(0)),
        ("WITH gone AS (DELETE FROM freight.stops RETURNING *) SELECT FROM gone", Some(0)),
        ("SELECT FROM freight.loads FOR UPDATE", Some(0)),
        (&merge(1, "WHEN MATCHED THEN UPDATE SET name = 'x'"), None),
        (&merge(2, "WHEN MATCHED THEN DELETE"), None),
        (&merge(9, &format!("WHEN NOT MATCHED THEN INSERT VALUES ('{A}', 9, 'x')")), None),
        (&format!("INSERT INTO freight.load_note (tenant_id, body) VALUES ('{A}', 'x')"), None),
    ];
    for level in [Context::Setting, Context::Lease] {
        let [writing, reading] = contexts(&mut root, level).await;
        for (attack, outcome) in attacks {
            // The control: the same statement, in a context that may write.
            let changed = attempt(&mut app, &writing, attack).await;
            assert!(changed.as_ref().is_ok_and(|rows| *rows > 0), "{level:?}: {attack}: {changed:?}");
            match (attempt(&mut app, &reading, attack).await, outcome) {
                (Ok(rows), Some(expected)) => assert_eq!(rows, *expected, "{level:?}: {attack}"),
                (Err(error), None) => assert_eq!(code(&error), "42501", "{level:?}: {attack}"),
                (seen, _) => panic!("{level:?}: {attack}: {seen:?}"),
            }
        }
        assert_eq!(attempt(&mut app, &reading, "SELECT FROM freight.loads").await.unwrap(), 2, "but it reads");
    }
    assert_eq!(text(&mut root, "SELECT count(*)::text FROM freight.loads WHERE name = 'x'").await, "0");
}

#[sqlx::test]
async fn a_malformed_or_missing_answer_permits_nothing(pool: PgPool) {
    let mut root = protected(&pool).await;
    let mut app = connect(&pool, "rls_test_app").await;
    let context = |only| format!("SET LOCAL stockade.tenant_id = '{A}'; SET LOCAL stockade.read_only = '{only}'");
    let update = "UPDATE freight.loads SET name = 'x'";
    assert_eq!(code(&attempt(&mut app, &context("maybe"), update).await.unwrap_err()), "22P02");
    for (only, rows) in [("", 2), ("off", 2), ("false", 2), ("on", 0), ("true", 0), ("1", 0)] {
        assert_eq!(attempt(&mut app, &context(only), update).await.unwrap(), rows, "{only:?}");
    }
    // A view without a row says neither yes nor no.
    run(
        &mut root,
        "CREATE OR REPLACE VIEW stockade.current_actor AS SELECT NULL::uuid AS actor_id, '' AS scopes, false AS read_only WHERE false",
    )
    .await
    .unwrap();
    assert_eq!(attempt(&mut app, &context("off"), update).await.unwrap(), 0);
    let insert = format!("INSERT INTO freight.loads VALUES ('{A}', 9, 'x')");
    assert_eq!(code(&attempt(&mut app, &context("off"), &insert).await.unwrap_err()), "42501");
}
