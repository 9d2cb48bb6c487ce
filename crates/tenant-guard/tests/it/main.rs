//! The guarantees of the README, attacked on a real PostgreSQL as the application's role.

#![expect(clippy::unwrap_used, reason = "a failed assumption in a test should stop the test")]

mod world;

mod cancellation;
mod counters;
mod endings;
mod gate;
mod isolation;
mod kernel;
mod relay;

#[test]
fn there_is_a_server() {
    assert!(
        std::env::var_os("DATABASE_URL").is_some(),
        "these tests need PostgreSQL and found no DATABASE_URL: run `scripts/test -p stockade-tenant-guard`"
    );
}
