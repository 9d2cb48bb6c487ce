//! The tests that go through the public surface, most of them on both stores.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed assumption in a test should stop the test"
)]

mod api_tokens;
mod contract;
mod enrolment;
mod impersonation;
mod lockout;
mod sessions;
mod sign_in;
mod support;

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "axum")]
mod web;
