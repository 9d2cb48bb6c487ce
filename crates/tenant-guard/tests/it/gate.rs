//! The statement gate, as an application meets it, and against PostgreSQL's own idea of a statement.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::types::Uuid;
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr, SqlStr};
use stockade_tenant_guard::Refusal;

use crate::world::{A, World, tenant};

#[sqlx::test]
async fn refuses_what_is_not_a_query(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    for sql in [
        "SET LOCAL stockade.tenant_id = '00000000-0000-0000-0000-00000000000b'",
        "RESET ALL",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT s",
        "COPY loads TO STDOUT",
        "DO $$BEGIN END$$",
        "EXPLAIN SELECT 1",
        "LISTEN loads",
        "DECLARE c CURSOR FOR SELECT 1",
        "; SELECT 1",
    ] {
        let mut tx = world.db.begin(tenant(A)).await.unwrap();
        let error = sqlx::query(sql).execute(&mut tx).await.unwrap_err();
        assert_eq!(Refusal::of(&error), Some(Refusal::NotAQuery), "{sql}");
        let error = sqlx::query(sql).fetch_one(&mut tx).await.unwrap_err();
        assert_eq!(Refusal::of(&error), Some(Refusal::NotAQuery), "{sql}");
        let error = (&mut tx).prepare(SqlStr::from_static(sql)).await.unwrap_err();
        assert_eq!(Refusal::of(&error), Some(Refusal::NotAQuery), "{sql}");
        let error = (&mut tx).describe(SqlStr::from_static(sql)).await.unwrap_err();
        assert_eq!(Refusal::of(&error), Some(Refusal::NotAQuery), "{sql}");
        drop(tx);

        let mut tx = world.db.read(tenant(A)).await.unwrap();
        let error = sqlx::query(sql).execute(&mut tx).await.unwrap_err();
        assert_eq!(Refusal::of(&error), Some(Refusal::NotAQuery), "{sql}");
    }
    world.end().await;
}

#[sqlx::test]
async fn refuses_the_simple_protocol(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    for error in [
        (&mut tx).execute("SELECT 1").await.unwrap_err(),
        (&mut tx).fetch_optional("SELECT 1").await.unwrap_err(),
        sqlx::raw_sql("SELECT 1").execute(&mut tx).await.unwrap_err(),
        sqlx::raw_sql("SELECT 1; COMMIT").fetch_all(&mut tx).await.unwrap_err(),
    ] {
        assert_eq!(Refusal::of(&error), Some(Refusal::SimpleProtocol));
    }
    drop(tx);
    assert_eq!(world.db.counters().snapshot().total().queries, 0);
    world.end().await;
}

#[sqlx::test]
async fn other_errors_are_no_refusals(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    // The server, not the gate, refuses a second statement in one string.
    let error = sqlx::query("SELECT 1; COMMIT").execute(&mut tx).await.unwrap_err();
    assert_eq!(Refusal::of(&error), None);
    assert_eq!(error.as_database_error().unwrap().code().unwrap(), "42601");
    drop(tx);
    world.end().await;
}

#[sqlx::test]
async fn prepared_statements_pass_the_gate_again(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    let statement = (&mut tx).prepare(SqlStr::from_static("SELECT tenant_id FROM loads")).await.unwrap();
    let rows = sqlx::Statement::query(&statement).fetch_all(&mut tx).await.unwrap();
    assert_eq!(rows.len(), 3);
    let description = (&mut tx).describe(SqlStr::from_static("SELECT tenant_id FROM loads")).await.unwrap();
    assert_eq!(description.columns().len(), 1);
    tx.commit().await.unwrap();

    let mut connection = world.pool.acquire().await.unwrap();
    let smuggled = (&mut *connection).prepare(SqlStr::from_static("SET stockade.tenant_id = ''")).await.unwrap();
    drop(connection);
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    let error = sqlx::Statement::query(&smuggled).execute(&mut tx).await.unwrap_err();
    assert_eq!(Refusal::of(&error), Some(Refusal::NotAQuery));
    drop(tx);
    world.end().await;
}

/// Pieces that a lexer could read in two ways, and statements that would show it.
fn fragment() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        " ",
        "\t",
        "\n",
        "\r",
        "\x0b",
        "\x0c",
        "\u{a0}",
        "\u{2028}",
        "--",
        "-",
        "/*",
        "*/",
        "/",
        "*",
        "(",
        ")",
        ";",
        "'",
        "\"",
        "$$",
        "\\",
        "U&",
        "E'",
        "SELECT",
        "SELECT 1",
        "TABLE loads",
        "VALUES (1)",
        "WITH",
        "SET LOCAL stockade.tenant_id = '00000000-0000-0000-0000-00000000000b'",
        "RESET stockade.tenant_id",
        "COMMIT",
        "SAVEPOINT s",
    ])
}

#[sqlx::test]
async fn nothing_admitted_changes_the_context(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut runner = TestRunner::deterministic();
    let texts = proptest::collection::vec(fragment(), 1..9);
    let (mut refused, mut ran) = (0, 0);
    for _ in 0..4_000 {
        let sql = texts.new_tree(&mut runner).unwrap().current().concat();
        let mut tx = world.db.begin(tenant(A)).await.unwrap();
        let answer = sqlx::query(AssertSqlSafe(sql.clone()).into_sql_str()).persistent(false).execute(&mut tx).await;
        match answer {
            Err(error) if Refusal::of(&error).is_some() => refused += 1,
            // A statement that PostgreSQL refuses does nothing.
            Err(_) => continue,
            Ok(_) => ran += 1,
        }
        let context: Option<Uuid> =
            sqlx::query_scalar("SELECT tenant_id FROM stockade.current_tenant").fetch_one(&mut tx).await.unwrap();
        // Neither changed nor, by ending the transaction, lost.
        assert_eq!(context, Some(A), "after {sql:?}");
    }
    assert!(refused > 100 && ran > 100, "{refused} refused, {ran} ran");
    world.end().await;
}
