//! The ledgers of migrations.

use std::borrow::Cow;

use sqlx::{
    PgPool, SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};
use stockade_posture::postgres::migrations;

use crate::support::{assert_lost, change, lost, measured, told};

const FIRST: &str = "CREATE TABLE public.a (id int)";
const SECOND: &str = "CREATE TABLE public.b (id int)";

fn migrator(scripts: &[(i64, &'static str)]) -> Migrator {
    let migration = |(version, sql): &(i64, &'static str)| {
        Migration::new(*version, Cow::Borrowed("step"), MigrationType::Simple, (*sql).into_sql_str(), false)
    };
    Migrator::with_migrations(scripts.iter().map(migration).collect())
}

/// The migrator of a library, with a ledger of its own.
fn of_library() -> Migrator {
    let mut migrator = migrator(&[(1, "CREATE TABLE public.c (id int)")]);
    migrator.create_schema("tools");
    migrator.dangerous_set_table_name("tools._migrations");
    migrator
}

async fn ledgers(pool: &PgPool, application: &Migrator) -> Vec<String> {
    let mut connection = pool.acquire().await.unwrap();
    let library = of_library();
    told(&measured(migrations(&mut connection, [application, &library])).await)
}

async fn applied(pool: &PgPool) -> Migrator {
    let application = migrator(&[(1, FIRST), (2, SECOND)]);
    application.run(pool).await.unwrap();
    of_library().run(pool).await.unwrap();
    application
}

const LIBRARY: &str = "migrations.ledger ledger tools._migrations pass";

#[sqlx::test]
async fn a_ledger_like_the_program_passes(pool: PgPool) {
    let application = applied(&pool).await;
    let seen = ledgers(&pool, &application).await;
    assert_eq!(seen, ["migrations.ledger ledger _sqlx_migrations pass", LIBRARY]);
}

#[sqlx::test]
async fn a_ledger_that_differs_fails_by_its_name(pool: PgPool) {
    let application = applied(&pool).await;
    let failing =
        |reason: &str| vec![format!("migrations.ledger ledger _sqlx_migrations fail: {reason}"), LIBRARY.into()];
    let edited = migrator(&[(1, FIRST), (2, "CREATE TABLE public.b (id bigint)")]);
    let reason = "migration 2 was applied with another text than the program has";
    assert_eq!(ledgers(&pool, &edited).await, failing(reason));
    let newer = migrator(&[(1, FIRST), (2, SECOND), (3, "SELECT 1")]);
    assert_eq!(ledgers(&pool, &newer).await, failing("migration 3 is in the program and was not applied"));
    let older = migrator(&[(1, FIRST)]);
    assert_eq!(ledgers(&pool, &older).await, failing("migration 2 was applied and is not in the program"));
    change(&pool, "UPDATE _sqlx_migrations SET success = false WHERE version = 2").await;
    assert_eq!(ledgers(&pool, &application).await, failing("migration 2 was begun and not finished"));
    change(&pool, "UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 1").await;
    let reason = "migration 1 was applied with another text than the program has";
    assert_eq!(ledgers(&pool, &application).await, failing(reason));
}

/// A name without a schema means what it means to the application on this connection.
#[sqlx::test]
async fn a_ledger_is_found_where_the_application_finds_it(pool: PgPool) {
    change(&pool, "CREATE SCHEMA freight").await;
    let application = migrator(&[(1, "CREATE TABLE freight.a (id int)")]);
    let mut connection = pool.acquire().await.unwrap();
    sqlx::query("SET search_path = freight").execute(&mut *connection).await.unwrap();
    application.run(&mut *connection).await.unwrap();
    let seen = measured(migrations(&mut connection, [&application])).await;
    assert_eq!(told(&seen), ["migrations.ledger ledger _sqlx_migrations pass"]);
}

#[sqlx::test]
async fn a_ledger_that_is_missing_is_unknown(pool: PgPool) {
    let application = applied(&pool).await;
    change(&pool, "DROP TABLE _sqlx_migrations").await;
    let reason = "the database answered with error 42P01";
    let missing = format!("migrations.ledger ledger _sqlx_migrations unknown: {reason}");
    assert_eq!(ledgers(&pool, &application).await, [missing.as_str(), LIBRARY], "the other one is read all the same");
    assert_lost(&measured(migrations(&mut lost(&pool).await, [&application])).await);
}
