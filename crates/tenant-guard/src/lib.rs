#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod actor;
mod note;
mod tenant;

mod db;
mod gate;
mod tx;

mod cache;
mod directory;
mod impersonation;
#[cfg(feature = "lease")]
mod lease;
mod sweep;

mod batch;
mod guard;
mod stream;

mod counters;
mod event;
mod watch;

#[cfg(all(feature = "sandbox", target_os = "linux"))]
pub mod sandbox;

#[cfg(feature = "sqlparser")]
mod statement_guard;

mod guarantee;
#[cfg(feature = "sqlite")]
pub mod sqlite;

#[cfg(feature = "axum")]
pub mod axum;
mod error;

pub use actor::{Actor, InvalidScopes, Principal, Scopes};
pub use batch::{Batch, Straddle};
pub use counters::{Counters, Snapshot, Tally, Today};
pub use db::TenantDb;
pub use directory::{TenantDirectory, TenantStatus};
pub use error::{BoxError, Error, ErrorKind};
pub use event::{Event, Impersonation, Observer};
pub use gate::{Refusal, check_statement};
pub use guarantee::Guarantee;
pub use guard::{ForeignRow, Guard, guard};
pub use impersonation::ImpersonationGrant;
#[cfg(feature = "lease")]
pub use lease::{InvalidLifetime, LeaseLifetime, LeaseOffice};
pub use note::{AuditContext, InvalidAuditContext};
#[cfg(feature = "sqlparser")]
pub use statement_guard::{Access, Checked, Dialect, Refused, StatementGuard};
pub use stream::Guarded;
pub use sweep::{Outcome, Outcomes, Pace};
pub use tenant::{TenantId, TenantScoped};
pub use tx::{ReadOnly, ReadTx, ReadWrite, Savepoint, TenantTx, Tx};
