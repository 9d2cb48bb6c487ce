#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod assessment;
mod capability;
mod catalog;
mod collector;
mod control;
mod criterion;
mod digest;
mod error;
mod fact;
mod freshness;
pub mod history;
mod observation;
mod remediation;
mod report;
mod result;
mod score;
mod statement;
mod status;
mod text;

#[cfg(feature = "audit-chain")]
pub mod audit_chain;
#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "http")]
pub mod edge;
#[cfg(feature = "field-crypto")]
pub mod field_crypto;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "ratelimit")]
pub mod ratelimit;
#[cfg(feature = "rbac")]
pub mod rbac;
pub mod render;
#[cfg(feature = "rls-migrations")]
pub mod rls_migrations;
#[cfg(feature = "session")]
pub mod session;
pub mod supply;

pub use assessment::{Assessment, AssessmentBuilder, Coverage};
pub use capability::Capability;
pub use catalog::{CATALOG_VERSION, catalog};
pub use collector::{Collector, FnCollector, from_fn, run};
pub use control::{Control, ControlId, Fix, Method, Weight};
pub use criterion::{CriterionRef, Framework};
pub use digest::Digest;
pub use error::{Error, ErrorKind};
pub use fact::{Fact, Facts};
pub use freshness::Freshness;
pub use observation::{Observation, Outcome, Subject};
pub use remediation::{Remediation, RemediationState, Severity};
pub use result::{ControlResult, Standing};
pub use score::Score;
pub use statement::{Attestation, Exemption, Plan};
pub use status::{Status, StatusKind};
