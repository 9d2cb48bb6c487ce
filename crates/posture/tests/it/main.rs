//! The tests of the public behaviour, in one binary.

#![expect(clippy::unwrap_used, reason = "a failed assumption in a helper should stop the test")]

#[cfg(feature = "audit-chain")]
mod audit_chain;
#[cfg(feature = "axum")]
mod axum;
mod catalog;
mod collector;
mod csv;
#[cfg(feature = "http")]
mod edge;
mod evidence;
#[cfg(feature = "field-crypto")]
mod field_crypto;
mod history;
mod html;
mod json;
mod markdown;
mod oscal;
#[cfg(feature = "postgres")]
mod postgres;
mod proof;
#[cfg(feature = "ratelimit")]
mod ratelimit;
#[cfg(feature = "rbac")]
mod rbac;
mod remediation;
#[cfg(feature = "rls-migrations")]
mod rls_migrations;
mod score;
#[cfg(feature = "session")]
mod session;
mod size;
mod status;
mod supply;
#[cfg(feature = "postgres")]
mod support;
