//! PostgreSQL: sealed values as `bytea`, the store of wrapped keys, and its migration.

mod key_row;
mod key_store;
mod migrate;
mod types;

pub use self::key_store::PgKeyStore;
pub use self::migrate::{MIGRATION_0001, migrator};
