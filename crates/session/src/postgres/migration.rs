//! The schema.

use std::borrow::Cow;

use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// The released migrations as version, name and SQL, for teams that use another migration tool. A released one never changes.
pub const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "session", include_str!("../../migrations/0001_session.sql")),
    (2, "accounts", include_str!("../../migrations/0002_accounts.sql")),
    (3, "tokens", include_str!("../../migrations/0003_tokens.sql")),
    (4, "application role", include_str!("../../migrations/0004_application_role.sql")),
    (5, "look-up", include_str!("../../migrations/0005_look_up.sql")),
    (6, "sweep", include_str!("../../migrations/0006_sweep.sql")),
];

/// Creates or updates the schema: `migrator().run(&pool).await`.
///
/// Run it as a role that may create schemas in the database and, the first time in a cluster, roles. It keeps its ledger in
/// `stockade._session_migrations`, so it does not meet the application's own migrations.
#[must_use]
pub fn migrator() -> Migrator {
    let migrations = MIGRATIONS.iter().map(|&(version, name, sql)| {
        Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.create_schema("stockade");
    migrator.dangerous_set_table_name("stockade._session_migrations");
    migrator
}
