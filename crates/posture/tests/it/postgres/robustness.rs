//! What the collectors do where little is as it should be.

use sqlx::{Connection, Executor, PgConnection, PgPool, postgres::PgConnectOptions};
use stockade_posture::{
    Observation, Outcome,
    postgres::{self, RlsScope},
};

use super::{measured, remedies, scope, shortfalls, sound};

/// The remedies are offered to people: what PostgreSQL quoted must run as it stands.
#[sqlx::test]
async fn the_remedies_mend_what_they_name(pool: PgPool) {
    let mut connection = sound(&pool).await;
    let change = "CREATE TABLE freight.\"x; DROP TABLE freight.loads; --\" (tenant_id uuid);
                  ALTER TABLE freight.loads NO FORCE ROW LEVEL SECURITY; ALTER VIEW freight.v_loads RESET (security_invoker)";
    sqlx::raw_sql(change).execute(&mut connection).await.unwrap();
    let seen = measured(postgres::rls(&mut connection, &scope())).await;
    assert_eq!(remedies(&seen).len(), 4);
    for remedy in remedies(&seen) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(remedy.to_owned())).execute(&mut connection).await.unwrap();
    }
    let seen = measured(postgres::rls(&mut connection, &scope())).await;
    assert_eq!(
        shortfalls(&seen),
        [
            "rls.policies freight.\"x; DROP TABLE freight.loads; --\" fail: no policy applies to the role of the application"
        ]
    );
}

#[sqlx::test]
async fn names_that_do_not_exist_are_unknown(pool: PgPool) {
    let mut connection = sound(&pool).await;
    for (schema, column) in [("fright", "tenant_id"), ("freight", "org_id"), ("freight'; --", "tenant_id")] {
        let seen = measured(postgres::rls(&mut connection, &RlsScope::new(schema, column, "posture_test_app"))).await;
        assert_eq!(seen.len(), 4);
        let reason = format!("no table of the schema has a column called {column}");
        assert!(seen.iter().all(|o| *o.outcome() == Outcome::Unknown { reason: reason.clone() }), "{seen:?}");
    }
    let seen = measured(postgres::rls(&mut connection, &RlsScope::new("freight", "tenant_id", "nobody's"))).await;
    assert_eq!(
        shortfalls(&seen),
        [
            "rls.policies role nobody's on schema freight unknown: there is no role of this name",
            "rls.role role nobody's on schema freight unknown: there is no role of this name",
        ]
    );
}

/// The application's own role can measure; nothing here needs more than a login.
#[sqlx::test]
async fn the_application_may_measure_itself(pool: PgPool) {
    let mut owner = sound(&pool).await;
    let as_owner = measured(postgres::rls(&mut owner, &scope())).await;
    let options: PgConnectOptions = (*pool.connect_options()).clone().username("posture_test_app");
    let mut app = PgConnection::connect_with(&options).await.unwrap();
    // In a task of its own, as behind a web page: the future can move between threads.
    let as_app = tokio::spawn(async move { measured(postgres::rls(&mut app, &scope())).await }).await.unwrap();
    let subjects = |seen: &[Observation]| {
        seen.iter().map(|o| (o.control(), o.subject().clone(), o.outcome().clone())).collect::<Vec<_>>()
    };
    assert_eq!(subjects(&as_app), subjects(&as_owner));
}

#[sqlx::test]
async fn a_statement_that_takes_too_long_is_unknown(pool: PgPool) {
    let mut connection = sound(&pool).await;
    connection.execute("SET statement_timeout = '150ms'").await.unwrap();
    let mut blocker = pool.begin().await.unwrap();
    blocker.execute("LOCK TABLE pg_catalog.pg_policy IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let seen = measured(postgres::rls(&mut connection, &scope())).await;
    let reason = "the database cancelled the query after its statement timeout".to_owned();
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|o| *o.outcome() == Outcome::Unknown { reason: reason.clone() }), "{seen:?}");
    blocker.rollback().await.unwrap();
    assert_eq!(shortfalls(&measured(postgres::rls(&mut connection, &scope())).await), Vec::<String>::new());
}

#[sqlx::test]
async fn a_refused_catalogue_is_unknown(pool: PgPool) {
    let mut owner = sound(&pool).await;
    owner.execute("REVOKE SELECT ON pg_catalog.pg_policy FROM PUBLIC").await.unwrap();
    let options: PgConnectOptions = (*pool.connect_options()).clone().username("posture_test_app");
    let mut app = PgConnection::connect_with(&options).await.unwrap();
    let seen = measured(postgres::rls(&mut app, &scope())).await;
    assert_eq!(seen.len(), 4);
    let reason = "the database refused this role what is to be read".to_owned();
    assert!(seen.iter().all(|o| *o.outcome() == Outcome::Unknown { reason: reason.clone() }), "{seen:?}");
}

#[sqlx::test]
async fn a_lost_connection_is_unknown(pool: PgPool) {
    let mut connection = sound(&pool).await;
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection).await.unwrap();
    sqlx::query("SELECT pg_terminate_backend($1)").bind(pid).execute(&pool).await.unwrap();
    let seen = measured(postgres::rls(&mut connection, &scope())).await;
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|o| o.outcome().word() == "unknown"), "{seen:?}");
    let seen = measured(postgres::transport(&mut connection)).await;
    assert_eq!((seen.len(), seen[0].outcome().word()), (1, "unknown"));
}

/// Measuring inside a transaction of the caller neither ends it, nor changes its settings, nor stops it from writing.
#[sqlx::test]
async fn the_callers_transaction_survives(pool: PgPool) {
    let mut connection = sound(&pool).await;
    let mut transaction = connection.begin().await.unwrap();
    transaction.execute("SET LOCAL stockade.tenant_id = '018f0000-0000-7000-8000-000000000001'; SET LOCAL statement_timeout = '1min';
            SET LOCAL search_path = freight; INSERT INTO freight.country VALUES ('CH')").await.unwrap();
    assert_eq!(shortfalls(&measured(postgres::rls(&mut transaction, &scope())).await), Vec::<String>::new());
    measured(postgres::transport(&mut transaction)).await;
    for (name, value) in [
        ("stockade.tenant_id", "018f0000-0000-7000-8000-000000000001"),
        ("statement_timeout", "1min"),
        ("search_path", "freight"),
        ("transaction_read_only", "off"),
    ] {
        let setting = sqlx::query_scalar("SELECT current_setting($1)").bind(name);
        let now: String = setting.fetch_one(&mut *transaction).await.unwrap();
        assert_eq!(now, value, "{name}");
    }
    transaction.execute("INSERT INTO freight.country VALUES ('AT')").await.unwrap();
    transaction.commit().await.unwrap();
    let count: i64 =
        sqlx::query_scalar("SELECT count(*) FROM freight.country").fetch_one(&mut connection).await.unwrap();
    assert_eq!(count, 2);
}

/// A database hardened by revoking `set_config` can still be measured by the application.
#[sqlx::test]
async fn a_hardened_database_can_be_measured(pool: PgPool) {
    let mut owner = sound(&pool).await;
    owner.execute("REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC").await.unwrap();
    let options: PgConnectOptions = (*pool.connect_options()).clone().username("posture_test_app");
    let mut app = PgConnection::connect_with(&options).await.unwrap();
    assert_eq!(shortfalls(&measured(postgres::rls(&mut app, &scope())).await), Vec::<String>::new());
}
