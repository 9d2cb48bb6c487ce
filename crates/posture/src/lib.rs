#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod digest;
mod error;
mod report;
mod text;

mod capability;
mod catalog;
mod control;
mod criterion;

mod fact;
mod observation;
mod statement;

mod collector;

mod assessment;
mod freshness;
pub mod history;
mod remediation;
mod result;
mod score;
mod status;

#[cfg(feature = "audit-chain")]
pub mod audit_chain;
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

#[cfg(feature = "axum")]
pub mod axum;

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
