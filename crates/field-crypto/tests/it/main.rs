//! The crate's integration tests, in one binary.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed assumption in a test should stop the test, in its helpers too"
)]

mod allocation;
mod contract;
mod counting;
mod dual_reads;
mod golden;
mod indexing;
mod keyrings;
mod lifecycle;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
mod provisioning;
mod rewrapping;
mod round_trip;
mod secrets;
mod subject_contract;
mod subjects;
mod support;
mod tampering;
mod types;
mod vault_cache;
mod vault_keys;
