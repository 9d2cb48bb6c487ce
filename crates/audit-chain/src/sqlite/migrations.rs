//! The schema.

use sqlx::{
    SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};

/// The migrations as version, name and SQL, for teams that use another migration tool. Each is
/// meant to run in a transaction. A released one never changes.
pub const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "audit chain", include_str!("../../migrations-sqlite/0001_audit_chain.sql")),
    (2, "checkpoints", include_str!("../../migrations-sqlite/0002_checkpoints.sql")),
];

/// The migrations as a migrator of sqlx, with a ledger of its own:
/// `_stockade_audit_chain_migrations`.
#[must_use]
pub fn migrator() -> Migrator {
    let migrations = MIGRATIONS.iter().map(|&(version, name, sql)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.dangerous_set_table_name("_stockade_audit_chain_migrations");
    migrator
}
