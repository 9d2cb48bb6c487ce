//! The layer of requests, on a real PostgreSQL, request by request. Most of it is asked of the example that the README shows.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed assumption should stop the test"
)]

#[path = "../../examples/desk/app.rs"]
mod app;
mod asking;
mod authority;
mod browser;
mod captured;
mod flood;
mod impersonation;
#[path = "../../examples/desk/install.rs"]
mod install;
mod outside;
mod programs;
mod queries;
mod readme;
mod refusals;
mod table;
mod trail;
mod world;
mod writing;
