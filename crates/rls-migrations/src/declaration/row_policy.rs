//! The application's own conditions on rows, within a tenant.

use std::collections::BTreeSet;

use super::Privilege;

/// A restrictive policy of the application on one of its tables: which rows of the tenant a statement may reach.
///
/// It is joined to the tenant's policy by AND, so it can take rows away and never give any; there is no word for a permissive one.
/// A condition is one SQL expression over the table's columns. Its quotes and brackets are checked to be closed and it has no
/// statement, comment, dollar quote or backslash in it, so it stays in its place; what it *says* is the application's, as its
/// migrations are: it is never to be put together from what a user sent. What does not depend on the row belongs into a sub-select,
/// which PostgreSQL works out once a statement.
///
/// ```
/// use stockade_rls_migrations::{Roles, RowPolicy, Schema, by};
///
/// let own = "owner_id = (SELECT a.actor_id FROM stockade.current_actor a)";
/// let schema = Schema::new("freight", Roles::for_app("freight"))
///     .tenant_table("loads", by("tenant_id"))
///     .row_policies("loads", [RowPolicy::update("own", own, own), RowPolicy::delete("own_gone", own)]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowPolicy {
    pub(crate) name: String,
    pub(crate) command: Privilege,
    pub(crate) roles: BTreeSet<String>,
    pub(crate) using: Option<String>,
    pub(crate) check: Option<String>,
}

impl RowPolicy {
    /// Only rows that fulfil `using` are seen.
    #[must_use]
    pub fn select(name: impl Into<String>, using: impl Into<String>) -> Self {
        Self::of(Privilege::Select, name, Some(using.into()), None)
    }

    /// Only rows that fulfil `check` are added.
    #[must_use]
    pub fn insert(name: impl Into<String>, check: impl Into<String>) -> Self {
        Self::of(Privilege::Insert, name, None, Some(check.into()))
    }

    /// Only rows that fulfil `using` are changed, and they fulfil `check` afterwards.
    #[must_use]
    pub fn update(name: impl Into<String>, using: impl Into<String>, check: impl Into<String>) -> Self {
        Self::of(Privilege::Update, name, Some(using.into()), Some(check.into()))
    }

    /// Only rows that fulfil `using` are removed.
    #[must_use]
    pub fn delete(name: impl Into<String>, using: impl Into<String>) -> Self {
        Self::of(Privilege::Delete, name, Some(using.into()), None)
    }

    /// Holds back these roles and their members, instead of everybody (`PUBLIC`).
    #[must_use]
    pub fn only_for(mut self, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.roles = roles.into_iter().map(Into::into).collect();
        self
    }

    fn of(command: Privilege, name: impl Into<String>, using: Option<String>, check: Option<String>) -> Self {
        Self { name: name.into(), command, roles: BTreeSet::new(), using, check }
    }
}
