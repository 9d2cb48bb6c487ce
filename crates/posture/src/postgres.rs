//! Collectors that read the catalogue of a live PostgreSQL database.
//!
//! Each one takes a connection, reads in a transaction of its own (or in a savepoint, if a transaction was begun on the
//! connection through sqlx) that is read-only, allows five seconds a statement and is rolled back, and always answers: what
//! could not be read is [`Unknown`](crate::Outcome::Unknown) for each control that was to be measured. Any role that may connect
//! may run them.
//!
//! A transaction opened with a plain `BEGIN`, which sqlx does not know of, would be rolled back with the reading. Use
//! `begin()`.

mod ledger;
mod policy;
pub(crate) mod read_only;
mod rls;
mod role;
mod transport;

use chrono::Utc;
use sqlx::PgConnection;

pub use self::ledger::migrations;

use crate::{
    control::ControlId,
    observation::{Observation, Subject},
};

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

/// Measures `rls.enabled`, `rls.forced`, `rls.policies` and `rls.role`.
///
/// - `rls.enabled`: each tenant table has row-level security; a foreign table cannot have it and fails.
/// - `rls.forced`: it binds the owner too. The flag without row-level security itself has no effect and fails.
/// - `rls.policies`: for each command that a policy opens to the application's role, what may be read and what may be written is
///   bound to the tenant column: by a restrictive policy, or by every permissive one. A missing `WITH CHECK` is
///   `USING`, as in PostgreSQL. A command that no policy opens is refused by PostgreSQL, and listed.
/// - `rls.role`: the role is no superuser and has neither BYPASSRLS nor CREATEROLE; it owns no tenant table and is a member of no role
///   that does or that bypasses. Every view and materialised view of any schema that reads a tenant table directly and that the role may use
///   has `security_invoker` (a materialised view cannot, and fails).
///
/// Failures of the flags carry the statement that mends them, with identifiers quoted by PostgreSQL.
pub async fn rls(connection: &mut PgConnection, scope: &RlsScope) -> Vec<Observation> {
    let at = Utc::now();
    let seen = match read_only::begin(connection).await {
        Ok(mut reading) => {
            let seen = rls::measure(&mut reading, scope, at).await;
            // A failed rollback leaves nothing behind either: sqlx repeats it before the connection is used again.
            let _ = reading.rollback().await;
            seen
        }
        Err(error) => Err(error),
    };
    seen.unwrap_or_else(|error| {
        let reason = read_only::reason(&error);
        rls::CONTROLS
            .into_iter()
            .map(|control| Observation::unknown(control, rls::schema_subject(scope), at, &reason).by(rls::NAME))
            .collect()
    })
}

/// Measures the database's half of `transport.tls`: whether this very connection uses TLS 1.3, after `pg_stat_ssl`.
///
/// A connection without TLS fails, on the loopback address too. A Unix socket carries no TLS and crosses no network: it says
/// nothing about how the application connects in production, and is unknown.
pub async fn transport(connection: &mut PgConnection) -> Vec<Observation> {
    let at = Utc::now();
    let subject = Subject::new("connection to the database");
    let seen = match read_only::begin(connection).await {
        Ok(mut reading) => {
            let seen = transport::read(&mut reading).await;
            let _ = reading.rollback().await;
            seen
        }
        Err(error) => Err(error),
    };
    vec![match seen {
        Ok(hop) => hop.judge(subject, at),
        Err(error) => {
            Observation::unknown(ControlId::TRANSPORT_TLS, subject, at, read_only::reason(&error)).by(transport::NAME)
        }
    }]
}
