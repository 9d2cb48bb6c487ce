//! The names of the roles.

/// The roles of an application. The plan creates those that are not there; roles belong to the whole cluster.
///
/// Every application has three:
///
/// - `owner`: `NOLOGIN`, owns the schema and its tables. `FORCE ROW LEVEL SECURITY` binds it too.
/// - `app`: what the application connects as. Neither owner nor member of an owner, `NOBYPASSRLS`, no superuser.
/// - `reader`: the same, with `SELECT` only, in transactions that are read-only by default.
///
/// A fourth, the [`investigator`](Self::investigator), is `NOLOGIN`, a group that sees the deleted rows of tables with
/// [soft deletion](crate::Schema::soft_delete), and no others. It is made only where there are such tables.
///
/// Four more are declared where they are wanted:
///
/// - [`migrator`](Self::with_migrator): `LOGIN NOINHERIT`, member of the owner, for the application's own migrations.
/// - [`backup`](Self::with_backup): the only login that row-level security does not bind, and it only reads.
/// - [`purge`](Self::with_purge) and [`eraser`](Self::with_eraser): `NOLOGIN`, granted to the jobs that delete what is out of its
///   retention and that overwrite a person's data, each inside a tenant's context.
///
/// ```
/// use stockade_rls_migrations::Roles;
///
/// let roles = Roles::for_app("freight").with_migrator("freight_migrator").with_backup("freight_backup");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    pub(crate) owner: String,
    pub(crate) app: String,
    pub(crate) reader: String,
    pub(crate) investigator: String,
    pub(crate) migrator: Option<String>,
    pub(crate) backup: Option<String>,
    pub(crate) purge: Option<String>,
    pub(crate) eraser: Option<String>,
}

impl Roles {
    /// `<name>_owner`, `<name>_app`, `<name>_reader`.
    #[must_use]
    pub fn for_app(name: &str) -> Self {
        Self::named(format!("{name}_owner"), format!("{name}_app"), format!("{name}_reader"))
    }

    /// All seven, each with the name of its duty behind `<name>_`.
    #[must_use]
    pub fn all_for_app(name: &str) -> Self {
        Self::for_app(name)
            .with_migrator(format!("{name}_migrator"))
            .with_backup(format!("{name}_backup"))
            .with_purge(format!("{name}_purge"))
            .with_eraser(format!("{name}_eraser"))
    }

    /// Roles that have other names. The investigator's is that of the application, with `_investigator` for its `_app`.
    #[must_use]
    pub fn named(owner: impl Into<String>, app: impl Into<String>, reader: impl Into<String>) -> Self {
        let (owner, app, reader) = (owner.into(), app.into(), reader.into());
        let investigator = format!("{}_investigator", app.strip_suffix("_app").unwrap_or(&app));
        Self { owner, app, reader, investigator, migrator: None, backup: None, purge: None, eraser: None }
    }

    /// The login that runs the application's own migrations: `SET ROLE` to the owner is a step of its own, so that a connection
    /// that forgot it can do nothing.
    #[must_use]
    pub fn with_migrator(mut self, role: impl Into<String>) -> Self {
        self.migrator = Some(role.into());
        self
    }

    /// The login of `pg_dump`: `BYPASSRLS`, because a dump under row-level security is empty or fails, and member of
    /// `pg_read_all_data`, because a dump that lacks one table fails. Only a superuser can create it, or since PostgreSQL 16 a
    /// role with `CREATEROLE` and `BYPASSRLS` that administers `pg_read_all_data`; without one it is
    /// [skipped](crate::Plan::skipped).
    #[must_use]
    pub fn with_backup(mut self, role: impl Into<String>) -> Self {
        self.backup = Some(role.into());
        self
    }

    /// The group of the jobs that delete what is out of its retention: `SELECT` and `DELETE` on tenant tables that are not
    /// append-only, in a tenant's context. With it, the application itself may do without `DELETE`.
    #[must_use]
    pub fn with_purge(mut self, role: impl Into<String>) -> Self {
        self.purge = Some(role.into());
        self
    }

    /// The group of the jobs that overwrite a person's data: `SELECT` and `UPDATE` on tenant tables that are not append-only, in a
    /// tenant's context.
    #[must_use]
    pub fn with_eraser(mut self, role: impl Into<String>) -> Self {
        self.eraser = Some(role.into());
        self
    }

    /// The role that owns the schema.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The role that the application connects as.
    #[must_use]
    pub fn app(&self) -> &str {
        &self.app
    }

    /// The role that only reads.
    #[must_use]
    pub fn reader(&self) -> &str {
        &self.reader
    }

    /// The group that sees deleted rows.
    #[must_use]
    pub fn investigator(&self) -> &str {
        &self.investigator
    }
}
