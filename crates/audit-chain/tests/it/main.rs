//! The crate from the outside, on a real PostgreSQL. Run with `scripts/test`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod bypass;
mod gate;
mod migration;
mod properties;
mod record;
mod reference;
mod seal;
mod search;
mod support;
mod tamper;
mod verify;
