//! Bundles from the outside: no database, an attacker who may change every byte and make the footer anew, the example binary
//! and a second reader in Python. And the walk by itself.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on has failed"
)]

mod attacks;
mod program;
mod round_trip;
mod support;
mod walk;
