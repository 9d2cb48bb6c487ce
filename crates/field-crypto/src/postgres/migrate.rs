//! The schema.

use std::borrow::Cow;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// The SQL of the first migration, for teams that run their migrations with another tool. A released migration never
/// changes. It can be repeated, and needs a role that may create roles.
pub const MIGRATION_0001: &str = include_str!("../../migrations/0001_field_keys.sql");

/// The SQL of the second migration: rotation and its jobs.
pub const MIGRATION_0002: &str = include_str!("../../migrations/0002_rotation.sql");

/// The SQL of the third migration: subjects' keys and shredding.
pub const MIGRATION_0003: &str = include_str!("../../migrations/0003_shredding.sql");

/// The migrations: `stockade.field_keys`, `stockade.field_keks`, `stockade.field_jobs`, `stockade.field_subject_keys`,
/// `stockade.field_shreds`, and the roles `stockade_keyring`, `stockade_rotator` and `stockade_shredder`.
///
/// They keep their own ledger, `stockade._field_crypto_migrations`, apart from the application's.
#[must_use]
pub fn migrator() -> Migrator {
    let migrations =
        [(1, "field keys", MIGRATION_0001), (2, "rotation", MIGRATION_0002), (3, "shredding", MIGRATION_0003)].map(
            |(version, name, sql)| {
                Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql.into_sql_str(), false)
            },
        );
    let mut migrator = Migrator::with_migrations(migrations.into());
    migrator.create_schema("stockade");
    migrator.dangerous_set_table_name("stockade._field_crypto_migrations");
    migrator
}
