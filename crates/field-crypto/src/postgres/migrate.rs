//! The schema.

use std::borrow::Cow;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// The SQL of the first migration, for teams that run their migrations with another tool. A released migration never
/// changes. It can be repeated, and needs a role that may create roles.
pub const MIGRATION_0001: &str = include_str!("../../migrations/0001_field_keys.sql");

/// The migrations: `stockade.field_keys`, `stockade.field_keks` and the role `stockade_keyring`.
///
/// They keep their own ledger, `stockade._field_crypto_migrations`, apart from the application's.
#[must_use]
pub fn migrator() -> Migrator {
    let migrations = vec![Migration::new(
        1,
        Cow::Borrowed("field keys"),
        MigrationType::Simple,
        MIGRATION_0001.into_sql_str(),
        false,
    )];
    let mut migrator = Migrator::with_migrations(migrations);
    migrator.create_schema("stockade");
    migrator.dangerous_set_table_name("stockade._field_crypto_migrations");
    migrator
}
