//! Tables in PostgreSQL, for the `postgres` feature.

mod migration;

pub use self::migration::{MIGRATION_0001, MIGRATION_0002, migrator};
