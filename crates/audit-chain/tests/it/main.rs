//! The crate from the outside, on a real PostgreSQL. Run with `scripts/test`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod appender;
mod bypass;
mod capture;
mod capture_attacks;
mod capture_bytes;
mod capture_life;
mod checkpoint;
mod cluster;
mod crash;
#[path = "../common/entries.rs"]
mod entries;
mod erase;
mod evidence;
mod export;
mod forget;
mod gate;
mod hardened;
mod health;
mod migration;
mod partition;
mod properties;
mod purge;
mod record;
mod reference;
mod seal;
mod sealer;
mod search;
mod strict;
mod support;
mod tamper;
mod tiles;
mod verify;
mod walk;
mod witness;
