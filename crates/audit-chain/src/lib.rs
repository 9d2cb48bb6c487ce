#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

// What is recorded, in bytes and hashes.
mod commitment;
mod digest;
mod entry;
mod envelope;
mod error;
mod fields;
pub mod format;
mod json;
mod record;

// How it is chained, checked and proven, and how it forgets.
mod chain;
mod forgetting;
mod loss;
mod merkle;
mod report;
mod verifier;

#[cfg(feature = "checkpoint")]
mod checkpoint;

// How it is handed over.
#[cfg(feature = "bundle")]
pub mod bundle;

// How it is stored and shown.
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod store;

pub use {
    chain::{ChainId, Head, Link},
    commitment::{Opening, Salt},
    digest::Digest,
    entry::{Actor, ActorKind, Entry, Outcome, RequestContext, Severity, TenantId},
    envelope::Envelope,
    error::{Error, ErrorKind},
    forgetting::{
        ErasedValue, ErasureEvidence, ErasureRequest, PersonalPaths, PurgeEvidence, PurgeRequest, PurgedRange,
    },
    loss::Loss,
    merkle::{ConsistencyProof, Frontier, InclusionProof, Node, Tile},
    record::Record,
    report::{Conclusion, Finding, Report, Verdict},
    verifier::{Content, Verifier},
};

#[cfg(feature = "bundle")]
pub use bundle::{BundleCheckpoint, BundleHeader, BundleReport, BundleVerifier, BundleWriter};
#[cfg(feature = "checkpoint")]
pub use checkpoint::*;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use store::{AuditRow, csv};
