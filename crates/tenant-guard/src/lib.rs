#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod tenant;

mod db;
mod gate;
mod tx;

mod batch;
mod counters;
mod guard;

mod error;

pub use batch::{Batch, Straddle};
pub use counters::{Counters, Snapshot, Tally};
pub use db::TenantDb;
pub use error::{Error, ErrorKind};
pub use gate::Refusal;
pub use guard::{ForeignRow, Guard, guard};
pub use tenant::{TenantId, TenantScoped};
pub use tx::{ReadTx, TenantTx};
