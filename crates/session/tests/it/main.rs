//! The tests that go through the public surface, most of them on every store.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed assumption in a test should stop the test"
)]

mod api_tokens;
mod asvs;
#[cfg(feature = "redis")]
mod cached;
mod connections;
mod contract;
mod enrolment;
mod housekeeping;
mod impersonation;
mod jwt_act;
mod jwts;
mod known_clients;
mod lockout;
mod passwords;
mod policy;
mod races;
mod recovery;
mod reset;
mod sessions;
mod sign_in;
mod staff;
mod step_up;
mod support;
mod timeouts;

#[cfg(feature = "postgres")]
mod look_up;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod postgres_tenant;
#[cfg(feature = "postgres")]
mod race_controls;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "axum")]
mod web;
