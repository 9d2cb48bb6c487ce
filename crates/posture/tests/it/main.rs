//! The tests of the public behaviour, in one binary.

#![expect(clippy::unwrap_used, reason = "a failed assumption in a helper should stop the test")]

mod catalog;
mod collector;
mod evidence;
mod html;
mod json;
mod markdown;
#[cfg(feature = "postgres")]
mod postgres;
mod score;
mod status;
