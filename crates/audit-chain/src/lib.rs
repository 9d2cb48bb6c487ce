#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

// What is recorded.
mod actor;
mod entry;
mod request;
mod severity;
mod tenant;

// How it becomes bytes and hashes.
mod commitment;
mod digest;
mod envelope;
mod fields;
pub mod format;
mod json;
mod record;

// How it is chained and checked.
mod chain;
mod report;
mod verifier;

// How a place in it is proven.
mod merkle;

// What the operator says of it, signed.
#[cfg(feature = "checkpoint")]
mod checkpoint;

// How it is shown.
#[cfg(feature = "postgres")]
mod csv;
#[cfg(feature = "postgres")]
mod row;

mod error;

#[cfg(feature = "postgres")]
pub mod postgres;

pub use actor::{Actor, ActorKind};
pub use chain::{ChainId, Head, Link};
#[cfg(feature = "checkpoint")]
pub use checkpoint::{Checkpoint, LocalSigner, Note, Signer, VerifierKey};
pub use commitment::{Opening, Salt};
pub use digest::Digest;
pub use entry::Entry;
pub use envelope::Envelope;
pub use error::{Error, ErrorKind};
pub use merkle::{ConsistencyProof, Frontier, InclusionProof, Node, Tile};
pub use record::Record;
pub use report::{Conclusion, Finding, Report, Verdict};
pub use request::RequestContext;
pub use severity::{Outcome, Severity};
pub use tenant::TenantId;
pub use verifier::{Content, Verifier};
#[cfg(feature = "postgres")]
pub use {csv::csv, row::AuditRow};
