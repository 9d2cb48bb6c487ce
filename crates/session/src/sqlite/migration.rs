//! The schema.

use std::borrow::Cow;

use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// The released migrations as version, name and SQL, for teams that use another migration tool. A released one never changes.
pub const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "session", include_str!("../../migrations-sqlite/0001_session.sql")),
    (2, "accounts", include_str!("../../migrations-sqlite/0002_accounts.sql")),
    (3, "tokens", include_str!("../../migrations-sqlite/0003_tokens.sql")),
    (4, "sweep", include_str!("../../migrations-sqlite/0004_sweep.sql")),
];

/// Creates or updates the schema: `migrator().run(&pool).await`.
///
/// It keeps its ledger in `_stockade_session_migrations`, so it does not meet the application's own migrations.
#[must_use]
pub fn migrator() -> Migrator {
    let migrations = MIGRATIONS.iter().map(|&(version, name, sql)| {
        Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.dangerous_set_table_name("_stockade_session_migrations");
    migrator
}
