//! The schema.

use sqlx::{
    SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};

/// The migrations as version, name and SQL, for teams that use another migration tool. Each is
/// meant to run in a transaction. A released one never changes.
pub const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "audit chain", include_str!("../../migrations/0001_audit_chain.sql")),
    (2, "forgetting", include_str!("../../migrations/0002_forgetting.sql")),
    (3, "strict", include_str!("../../migrations/0003_strict.sql")),
    (4, "checkpoints", include_str!("../../migrations/0004_checkpoints.sql")),
    (5, "capture", include_str!("../../migrations/0005_capture.sql")),
];

/// The migrations as a migrator of sqlx, with a ledger of its own:
/// `stockade._audit_chain_migrations`.
///
/// Run it as a superuser or as a role that may create roles and schemas.
#[must_use]
pub fn migrator() -> Migrator {
    let migrations = MIGRATIONS.iter().map(|&(version, name, sql)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.create_schema("stockade");
    migrator.dangerous_set_table_name("stockade._audit_chain_migrations");
    migrator
}
