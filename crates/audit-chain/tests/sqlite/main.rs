//! The log in SQLite, from the outside.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

#[cfg(feature = "bundle")]
mod bundle;
mod bypass;
#[cfg(feature = "checkpoint")]
mod checkpoint;
#[path = "../common/entries.rs"]
mod entries;
mod erase;
mod health;
mod hold;
mod processes;
mod purge;
mod record;
#[cfg(feature = "postgres")]
mod same_bytes;
mod search;
mod support;
mod tamper;
mod verify;
