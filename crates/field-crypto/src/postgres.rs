//! PostgreSQL: sealed values as `bytea` or `text`, the store of wrapped keys, and its migration.

mod key_row;
mod key_store;
mod migrate;
mod reserve;
mod types;

pub use self::key_store::PgKeyStore;
pub use self::migrate::{MIGRATION_0001, migrator};
pub use self::reserve::reserve_ids;
