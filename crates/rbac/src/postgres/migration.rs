//! The schema.

use std::borrow::Cow;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// The SQL of the first migration, for teams that run their migrations with another tool. A released migration never changes.
/// It can be repeated, and needs a role that may create roles.
pub const MIGRATION_0001: &str = include_str!("../../migrations/0001_membership.sql");

/// The SQL of the second migration, likewise.
pub const MIGRATION_0002: &str = include_str!("../../migrations/0002_roles.sql");

/// The migrations: who is in which team and office, which rows are shared, and the functions with which
/// [`RowPolicies`](crate::RowPolicies) read them; then members, their roles and overrides, and invitations.
///
/// They keep their own ledger, `stockade._rbac_migrations`, apart from the application's.
#[must_use]
pub fn migrator() -> Migrator {
    let migrations = [(1, "membership", MIGRATION_0001), (2, "roles", MIGRATION_0002)];
    let migrations = migrations.map(|(version, name, sql)| {
        Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.into());
    migrator.create_schema("stockade");
    migrator.dangerous_set_table_name("stockade._rbac_migrations");
    migrator
}
