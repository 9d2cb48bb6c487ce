//! The only door to the database: a pool that opens nothing but scopes.

use std::fmt;

use sqlx::PgPool;

use crate::counters::Counters;
use crate::error::Error;
use crate::guard::Guard;
use crate::tenant::TenantId;
use crate::tx::{ReadTx, Scope, TenantTx};

/// A connection pool that can be used only on behalf of a tenant.
///
/// The pool is private: there is no `Deref`, no `Executor` and no `Acquire`, so a query without a scope does not compile. Clones share
/// the pool and the counters.
#[derive(Clone)]
pub struct TenantDb {
    pool: PgPool,
    counters: Counters,
}

impl TenantDb {
    /// Takes over a pool.
    ///
    /// Its login role must be subject to row-level security: not the owner of the tables, not a superuser, without `BYPASSRLS`. Keep
    /// no clone of the pool for other queries (see "What this does not do").
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool, counters: Counters::default() }
    }

    /// Opens a transaction in the tenant's scope.
    ///
    /// `BEGIN` and the tenant's context travel in one round trip. The future may be dropped at any await.
    ///
    /// # Errors
    ///
    /// [`Connection`](crate::ErrorKind::Connection) if the pool gave no connection or the connection failed,
    /// [`Database`](crate::ErrorKind::Database) if the server refused,
    /// [`NoRuntime`](crate::ErrorKind::NoRuntime) outside a Tokio runtime.
    pub async fn begin(&self, tenant: TenantId) -> Result<TenantTx, Error> {
        let guard = self.guard(tenant);
        Scope::read_write(&self.pool, guard).await.map(TenantTx::new)
    }

    /// Opens a `READ ONLY` transaction in the tenant's scope.
    ///
    /// PostgreSQL refuses a write in it (SQLSTATE 25006) when the statement runs.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin).
    pub async fn read(&self, tenant: TenantId) -> Result<ReadTx, Error> {
        let guard = self.guard(tenant);
        Scope::read_only(&self.pool, guard).await.map(ReadTx::new)
    }

    /// The guard of one tenant, which counts what it refuses in [`counters`](Self::counters).
    #[must_use]
    pub fn guard(&self, tenant: TenantId) -> Guard {
        Guard::counted(tenant, self.counters.of(tenant))
    }

    /// What happened since this value was made.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }
}

impl fmt::Debug for TenantDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantDb").finish_non_exhaustive()
    }
}
