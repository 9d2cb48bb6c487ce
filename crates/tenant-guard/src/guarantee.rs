//! What stands behind a scope.

use crate::db::TenantDb;

/// What keeps a scope's statements to one tenant, for a page that reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Guarantee {
    /// The database's own policies, on the tables that have them. This crate does not see which do.
    DatabasePolicies,
    /// This crate alone: the database would give every row to whoever holds a connection. **Not isolation by the database**, and not to be
    /// reported as such.
    ApplicationOnly,
}

impl TenantDb {
    /// What stands behind its scopes: [`Guarantee::DatabasePolicies`].
    #[must_use]
    pub const fn guarantee(&self) -> Guarantee {
        Guarantee::DatabasePolicies
    }
}
