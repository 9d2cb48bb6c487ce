//! The names of the roles.

/// The roles of an application. The plan creates those that are not there; roles belong to the whole cluster.
///
/// - `owner`: `NOLOGIN`, owns the schema and its tables. `FORCE ROW LEVEL SECURITY` binds it too.
/// - `app`: what the application connects as. Neither owner nor member of an owner, `NOBYPASSRLS`, no superuser.
/// - `reader`: the same, with `SELECT` only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    pub(crate) owner: String,
    pub(crate) app: String,
    pub(crate) reader: String,
}

impl Roles {
    /// `<name>_owner`, `<name>_app`, `<name>_reader`.
    #[must_use]
    pub fn for_app(name: &str) -> Self {
        Self::named(format!("{name}_owner"), format!("{name}_app"), format!("{name}_reader"))
    }

    /// Roles that have other names.
    #[must_use]
    pub fn named(owner: impl Into<String>, app: impl Into<String>, reader: impl Into<String>) -> Self {
        Self { owner: owner.into(), app: app.into(), reader: reader.into() }
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
}
