//! Running a collector, and what became of it.

use std::future::pending;

use chrono::Utc;
use sqlx::{Connection as _, PgConnection, PgPool};
use stockade_posture::{Collector, Observation, Outcome, run};

/// Runs a collector now, without a deadline.
pub(crate) async fn measured(collector: impl Collector) -> Vec<Observation> {
    run(collector, Utc::now(), pending()).await
}

/// Each observation, as `control subject outcome: reason`.
pub(crate) fn told(seen: &[Observation]) -> Vec<String> {
    seen.iter().map(line).collect()
}

/// What does not pass, in the same form.
pub(crate) fn shortfalls(seen: &[Observation]) -> Vec<String> {
    seen.iter().filter(|o| *o.outcome() != Outcome::Pass).map(line).collect()
}

fn line(seen: &Observation) -> String {
    let reason = seen.outcome().reason().map_or_else(String::new, |reason| format!(": {reason}"));
    format!("{} {} {}{reason}", seen.control(), seen.subject(), seen.outcome().word())
}

/// A connection to the test's database that acts as a role which cannot log in.
pub(crate) async fn acting_as(pool: &PgPool, role: &str) -> PgConnection {
    let options = pool.connect_options().as_ref().clone().options([("role", role)]);
    PgConnection::connect_with(&options).await.unwrap()
}

/// A connection whose server process was ended.
pub(crate) async fn lost(pool: &PgPool) -> PgConnection {
    let mut connection = PgConnection::connect_with(pool.connect_options().as_ref()).await.unwrap();
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection).await.unwrap();
    sqlx::query("SELECT pg_terminate_backend($1)").bind(pid).execute(pool).await.unwrap();
    connection
}

/// That everything is unknown, for the reasons of a lost connection.
pub(crate) fn assert_lost(seen: &[Observation]) {
    assert!(!seen.is_empty());
    let known = ["the connection to the database failed", "the database answered with error 57P01"];
    for line in seen {
        let reason = line.outcome().reason().unwrap_or_default();
        assert_eq!(line.outcome().word(), "unknown", "{line:?}");
        assert!(known.contains(&reason), "{line:?}");
    }
}

pub(crate) async fn change(pool: &PgPool, sql: &'static str) {
    sqlx::raw_sql(sql).execute(pool).await.unwrap();
}
