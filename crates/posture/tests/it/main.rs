//! The tests of the public behaviour, in one binary.

#![expect(clippy::unwrap_used, reason = "a failed assumption in a helper should stop the test")]

#[cfg(feature = "audit-chain")]
mod audit_chain;
mod catalog;
mod collector;
#[cfg(feature = "http")]
mod edge;
mod evidence;
#[cfg(feature = "field-crypto")]
mod field_crypto;
mod html;
mod json;
mod markdown;
#[cfg(feature = "postgres")]
mod postgres;
mod proof;
#[cfg(feature = "ratelimit")]
mod ratelimit;
#[cfg(feature = "rbac")]
mod rbac;
#[cfg(feature = "rls-migrations")]
mod rls_migrations;
mod score;
#[cfg(feature = "session")]
mod session;
mod status;
mod supply;
#[cfg(feature = "postgres")]
mod support;
