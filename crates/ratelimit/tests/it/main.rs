//! The tests of `stockade-ratelimit`. Time is a [`ManualClock`](stockade_ratelimit::ManualClock) throughout.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "clippy.toml allows these in tests, but does not see that the helpers of tests are part of them"
)]

mod bench;

mod clocks;
mod configuration;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod contract;
#[cfg(feature = "tower")]
mod edge;
mod endurance;
mod events;
mod flood;
#[cfg(feature = "store")]
mod gathered;
mod honesty;
mod keys;
mod lockout;
#[cfg(feature = "postgres")]
mod lockouts;
mod model;
mod modes;
mod observers;
#[cfg(all(feature = "postgres", feature = "redis"))]
mod outages;
mod permits;
#[cfg(feature = "toml")]
mod policy;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "tower")]
mod proxies;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "redis")]
mod shared_episodes;
mod threads;
#[cfg(feature = "store")]
mod tiered;
mod together;
mod windows;
