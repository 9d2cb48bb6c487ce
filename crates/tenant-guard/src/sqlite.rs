//! Tenant scopes on SQLite, which has no row-level security: the [statement guard](crate::StatementGuard) is all that holds.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use sqlx::sqlite::SqlitePoolOptions;
//! use stockade_tenant_guard::sqlite::SqliteTenantDb;
//! use stockade_tenant_guard::{Dialect, Guarantee, StatementGuard, TenantId};
//! # let tenant = TenantId::from(uuid::Uuid::from_u128(7));
//! # let file = tempfile::NamedTempFile::new()?;
//! # let pool = SqlitePoolOptions::new().connect(&format!("sqlite:{}", file.path().display())).await?;
//! # sqlx::query("CREATE TABLE loads (tenant_id BLOB NOT NULL, reference TEXT)").execute(&pool).await?;
//!
//! let guard = StatementGuard::new(Dialect::Sqlite).protect("loads", "tenant_id");
//! let db = SqliteTenantDb::new(pool, guard);
//! assert_eq!(db.guarantee(), Guarantee::ApplicationOnly);
//!
//! let mut tx = db.begin(tenant).await?;
//! // The scope binds its tenant as `?1`; the caller's values start at `?2`.
//! tx.query("INSERT INTO loads (tenant_id, reference) VALUES (?1, ?2)").bind("L-1").execute().await?;
//! let loads: Vec<(String,)> = tx.query("SELECT reference FROM loads WHERE tenant_id = ?1").fetch_all().await?;
//! assert_eq!(loads, [("L-1".to_owned(),)]);
//! assert!(tx.query("SELECT reference FROM loads").fetch_all::<(String,)>().await.is_err());
//! # Ok(())
//! # }
//! ```

mod query;
mod tx;

use std::fmt;
use std::sync::Arc;

use sqlx::SqlitePool;

use crate::counters::Counters;
use crate::error::Error;
use crate::event::Observers;
use crate::guarantee::Guarantee;
use crate::guard::Guard;
use crate::statement_guard::{Access, Dialect, StatementGuard};
use crate::tenant::TenantId;
use crate::watch::Watch;

pub use query::SqliteQuery;
pub use tx::SqliteTenantTx;

/// A SQLite database that can be used only on behalf of a tenant.
///
/// The pool is private, as in [`TenantDb`](crate::TenantDb). Clones share it and the counters. A scope that is dropped closes its connection,
/// so a database in memory needs shared cache and a connection that stays.
#[derive(Clone)]
pub struct SqliteTenantDb {
    pool: SqlitePool,
    statements: Arc<StatementGuard>,
    counters: Counters,
    form: TenantForm,
}

/// How a tenant is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TenantForm {
    /// 16 bytes (`BLOB`), as sqlx encodes a UUID.
    #[default]
    Blob,
    /// The hyphenated form in lower case (`TEXT`). SQLite never finds it equal to the bytes.
    Text,
}

impl SqliteTenantDb {
    /// Takes over a pool, and the tables that a guard knows. The guard reads SQLite's dialect from here on.
    #[must_use]
    pub fn new(pool: SqlitePool, guard: StatementGuard) -> Self {
        let statements = Arc::new(guard.reading(Dialect::Sqlite));
        Self { pool, statements, counters: Counters::default(), form: TenantForm::default() }
    }

    /// Sets how tenants are stored.
    #[must_use]
    pub fn tenants_as(mut self, form: TenantForm) -> Self {
        self.form = form;
        self
    }

    /// Opens a transaction that may write (`BEGIN IMMEDIATE`). SQLite has one writer at a time.
    ///
    /// # Errors
    ///
    /// [`Connection`](crate::ErrorKind::Connection), [`Database`](crate::ErrorKind::Database) if it is locked for too long,
    /// [`NoRuntime`](crate::ErrorKind::NoRuntime) outside a Tokio runtime.
    pub async fn begin(&self, tenant: TenantId) -> Result<SqliteTenantTx, Error> {
        SqliteTenantTx::begin(self, tenant, Access::Write).await
    }

    /// Opens a transaction in which the guard refuses every write.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin).
    pub async fn read(&self, tenant: TenantId) -> Result<SqliteTenantTx, Error> {
        SqliteTenantTx::begin(self, tenant, Access::Read).await
    }

    /// What stands behind its scopes: [`Guarantee::ApplicationOnly`].
    #[must_use]
    pub const fn guarantee(&self) -> Guarantee {
        Guarantee::ApplicationOnly
    }

    /// The guard of one tenant, which counts what it refuses in [`counters`](Self::counters).
    #[must_use]
    pub fn guard(&self, tenant: TenantId) -> Guard {
        Guard::new(Watch::new(tenant, self.counters.of(tenant), Observers::default()))
    }

    /// What happened since this value was made.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }
}

impl fmt::Debug for SqliteTenantDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteTenantDb").field("form", &self.form).finish_non_exhaustive()
    }
}
