//! The tests of the public behaviour, in one binary.

#![expect(clippy::unwrap_used, reason = "a failed assumption in a helper should stop the test")]

#[cfg(feature = "axum")]
mod axum;
mod catalog;
mod collector;
mod csv;
mod evidence;
mod history;
mod html;
mod json;
mod markdown;
mod oscal;
#[cfg(feature = "postgres")]
mod postgres;
mod remediation;
mod score;
mod size;
mod status;
