//! The log in PostgreSQL 15 or later.
//!
//! [`record`] is for the application's own transactions, in the role group `stockade_app`.
//! [`Sealer`] runs on a connection of its own, in `stockade_sealer`. [`verify`] and [`search`] work
//! for either: the application sees the tenant whose context its transaction carries, the sealer
//! sees all.

#[cfg(feature = "checkpoint")]
mod advancing;
#[cfg(feature = "checkpoint")]
mod anchor;
mod appender;
mod appending;
mod batch;
mod capturing;
#[cfg(feature = "checkpoint")]
mod checkpointing;
#[cfg(feature = "checkpoint")]
mod checkpoints;
mod columns;
mod crowd;
mod erasing;
mod evidence;
#[cfg(feature = "bundle")]
mod exporting;
mod following;
mod health;
mod holding;
mod migrations;
mod purging;
#[cfg(feature = "checkpoint")]
mod restoring;
mod sealing;
mod searching;
mod strict;
mod tiles;
mod verification;
mod waiting;
mod walking;

#[cfg(feature = "checkpoint")]
pub use anchor::PgAnchor;
pub use appender::Appender;
pub use appending::{record, record_at};
pub use capturing::{Capture, attach, capture_as, capture_context, detach};
#[cfg(feature = "checkpoint")]
pub use checkpointing::Checkpointer;
#[cfg(feature = "checkpoint")]
pub use checkpoints::stored_checkpoint;
pub use crowd::{Work, tenants, verify_all};
pub use erasing::erase;
#[cfg(feature = "bundle")]
pub use exporting::{Export, ExportRequest};
pub use following::follow;
pub use health::{Deviation, Health, Part, health};
pub use holding::{place_hold, release_hold};
pub use migrations::{MIGRATIONS, migrator};
pub use purging::{Purge, lengthen_retention, purge};
#[cfg(feature = "checkpoint")]
pub use restoring::declare_restored;
pub use sealing::{Leadership, SealEvent, SealLag, Sealed, Sealer, lag};
pub use searching::search;
pub use strict::{StrictTransaction, make_durable, record_strict};
pub use tiles::{complete_tiles, prove_consistency, prove_inclusion, tree};
pub use verification::{VerifyOptions, verify};
pub use walking::{IncrementalVerifier, Progress};

#[cfg(feature = "checkpoint")]
pub use crate::store::checkpointing::{Checkpointing, Refusal, RefusalReason};
#[cfg(fuzzing)]
pub use crate::store::csv_line;
pub use crate::store::{Cursor, Erasure, Filter, LegalHold, Page, PurgeRefusal, PurgedTenant, Receipt, Subject};
