//! Collectors that read the catalogue of a live PostgreSQL database.
//!
//! Each one takes a connection and reads in a transaction of its own (or in a savepoint, if a transaction was begun on the
//! connection through sqlx) that is read-only, allows five seconds a statement and is rolled back. Any role that may connect
//! may run them, the ledgers of migrations apart, which their owner reads.
//!
//! A transaction opened with a plain `BEGIN`, which sqlx does not know of, would be rolled back with the reading. Use
//! `begin()`.

mod ledger;
mod policy;
pub(crate) mod read_only;
mod rls;
mod role;
mod transport;

pub use self::{ledger::migrations, rls::rls, transport::transport};

/// What to measure: the tables of one schema that carry the tenant column, and the role that the application connects as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RlsScope {
    schema: String,
    tenant_column: String,
    app_role: String,
}

impl RlsScope {
    /// Names the schema, the tenant column and the role, as they stand in the catalogue: not quoted, in their own case.
    ///
    /// Every table of the schema with a column of that name is measured, partitions included. The names travel as parameters
    /// of a query, never as SQL.
    #[must_use]
    pub fn new(schema: impl Into<String>, tenant_column: impl Into<String>, app_role: impl Into<String>) -> Self {
        Self { schema: schema.into(), tenant_column: tenant_column.into(), app_role: app_role.into() }
    }

    /// The schema.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The column that carries the tenant.
    #[must_use]
    pub fn tenant_column(&self) -> &str {
        &self.tenant_column
    }

    /// The role of the application.
    #[must_use]
    pub fn app_role(&self) -> &str {
        &self.app_role
    }
}
