//! The log in SQLite, for applications that keep their data in one file.
//!
//! A file has one writer at a time, so [`record`] gives an entry its place in the chain at once and
//! there is no sealer. There are no roles either: whoever opens the file can do anything to it.
//! [`verify`] shows what was done to rows, [`health()`] what was done to the schema.

mod appending;
#[cfg(feature = "checkpoint")]
mod checkpointing;
mod columns;
mod erasing;
#[cfg(feature = "bundle")]
mod exporting;
mod health;
mod holding;
mod migrations;
mod purging;
mod searching;
mod verification;

pub use appending::{record, record_at};
#[cfg(feature = "checkpoint")]
pub use checkpointing::{Checkpointer, stored_checkpoint};
pub use erasing::erase;
#[cfg(feature = "bundle")]
pub use exporting::BundleExport;
pub use health::{Difference, Health, health};
pub use holding::{place_hold, release_hold};
pub use migrations::{MIGRATIONS, migrator};
pub use purging::{Purge, lengthen_retention, purge};
pub use searching::search;
pub use verification::{VerifyOptions, tenants, verify};

#[cfg(feature = "checkpoint")]
pub use crate::store::checkpointing::{Checkpointing, Refusal, RefusalReason};
pub use crate::store::{Cursor, Erasure, Filter, LegalHold, Page, PurgeRefusal, PurgedTenant, Receipt, Subject};
