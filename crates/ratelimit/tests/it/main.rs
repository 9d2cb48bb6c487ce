//! The tests of `stockade-ratelimit`. Time is a [`ManualClock`](stockade_ratelimit::ManualClock) throughout.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "clippy.toml allows these in tests, but does not see that the helpers of tests are part of them"
)]

mod bench;

mod clocks;
mod configuration;
mod events;
mod flood;
mod honesty;
mod keys;
mod model;
mod modes;
mod observers;
mod permits;
mod threads;
mod together;
mod windows;
