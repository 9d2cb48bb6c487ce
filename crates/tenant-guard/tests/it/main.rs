//! The guarantees of the README, attacked on a real PostgreSQL as the application's role.

#![expect(clippy::unwrap_used, reason = "a failed assumption in a test should stop the test")]

mod world;

mod actor;

mod cancellation;
mod counters;
mod directory;
mod edges;
mod endings;
mod gate;
mod impersonation;
mod isolation;
mod kernel;
#[cfg(feature = "lease")]
mod lease;
mod note;
mod relay;
#[cfg(all(feature = "sandbox", target_os = "linux"))]
mod sandbox;
mod savepoints;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "sqlparser")]
mod statement_guard;
mod storm;
mod sweep;
#[cfg(feature = "axum")]
mod web;

#[test]
fn there_is_a_server() {
    assert!(
        std::env::var_os("DATABASE_URL").is_some(),
        "these tests need PostgreSQL and found no DATABASE_URL: run `scripts/test -p stockade-tenant-guard`"
    );
}
