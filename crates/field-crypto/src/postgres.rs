//! PostgreSQL: sealed values as `bytea`, the store of wrapped keys, the registry of sealed columns, and the migrations.

mod backfill;
mod columns;
mod coverage;
mod failure;
mod key_rotation;
mod key_row;
mod key_store;
mod listener;
mod migrate;
mod rewriter;
mod row_key;
mod scope;
mod shreds;
mod site;
mod subject_key_store;
mod types;
mod uses;

pub use self::backfill::BackfillCheck;
pub use self::columns::{ColumnProblem, ProblemKind, SealedColumns};
pub use self::coverage::{ColumnCoverage, CoverageTotals, TenantCoverage};
pub use self::key_store::PgKeyStore;
pub use self::listener::KeyListener;
pub use self::migrate::{MIGRATION_0001, MIGRATION_0002, MIGRATION_0003, migrator};
pub use self::rewriter::{JobEnd, JobReport, Pace, Progress, Rewriter, RowFailure, RowFailureReason};
pub use self::row_key::RowKey;
pub use self::scope::TenantScope;
pub use self::shreds::{
    Cancellation, DestroyedKey, Execution, PgShreds, Replay, Retention, Shred, ShredId, ShredReport, ShredRequest,
    ShredState, ShredTarget, Tombstone,
};
pub use self::site::Site;
pub use self::uses::ColumnUses;
