//! The tests of `stockade-rbac`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed assumption in a test should stop the test"
)]

#[cfg(feature = "postgres")]
mod agreement;
mod allocation;
mod builder;
mod decisions;
mod delegation;
mod desk;
mod duties;
mod guard;
mod impersonation;
mod laws;
#[cfg(feature = "postgres")]
mod members;
mod model;
mod oracle;
mod permits;
mod presets;
mod problems;
mod report;
mod wide;
