//! A transaction that owns its connection from before `BEGIN` is sent.

use std::fmt;
use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, SqlSafeStr, SqlStr, Sqlite, SqliteConnection};
use tokio::runtime::Handle;

use super::{SqliteQuery, SqliteTenantDb, TenantForm};
use crate::error::Error;
use crate::guard::Guard;
use crate::statement_guard::{Access, Refused, StatementGuard};
use crate::tenant::TenantId;

/// A transaction in one tenant's scope, held by the statement guard.
///
/// Dropped without [`commit`](Self::commit), it closes its connection, which rolls back.
#[must_use = "dropping a transaction rolls it back"]
pub struct SqliteTenantTx {
    connection: Option<PoolConnection<Sqlite>>,
    runtime: Handle,
    statements: Arc<StatementGuard>,
    guard: Guard,
    form: TenantForm,
    access: Access,
    health: Health,
}

/// Whether every statement so far has succeeded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    Good,
    /// One was dropped before it answered, or is under way.
    Abandoned,
    Failed,
}

impl SqliteTenantTx {
    pub(super) async fn begin(db: &SqliteTenantDb, tenant: TenantId, access: Access) -> Result<Self, Error> {
        let runtime = Handle::try_current().map_err(Error::no_runtime)?;
        let connection = db.pool.acquire().await.map_err(Error::begin)?;
        let mut tx = Self {
            connection: Some(connection),
            runtime,
            statements: Arc::clone(&db.statements),
            guard: db.guard(tenant),
            form: db.form,
            access,
            health: Health::Good,
        };
        let begin = match access {
            Access::Write => "BEGIN IMMEDIATE",
            Access::Read => "BEGIN",
        };
        tx.send(begin).await.map_err(Error::begin)?;
        Ok(tx)
    }

    /// A statement, with its tenant bound as `?1`. The caller's values follow, from `?2`.
    ///
    /// The guard looks at it when it is run.
    pub fn query(&mut self, sql: impl SqlSafeStr) -> SqliteQuery<'_> {
        SqliteQuery::new(self, sql.into_sql_str())
    }

    /// The tenant of this scope.
    #[must_use]
    pub const fn tenant_id(&self) -> TenantId {
        self.guard.tenant_id()
    }

    /// The guard of this scope's tenant, for batches on their way in and rows on their way out.
    #[must_use]
    pub const fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Commits, unless any statement failed.
    ///
    /// # Errors
    ///
    /// [`StatementFailed`](crate::ErrorKind::StatementFailed) or [`StatementAbandoned`](crate::ErrorKind::StatementAbandoned) if a statement
    /// did not complete, [`Database`](crate::ErrorKind::Database) if SQLite refused: nothing was written.
    pub async fn commit(mut self) -> Result<(), Error> {
        match self.health {
            Health::Good => {}
            Health::Abandoned => return Err(Error::statement_abandoned()),
            Health::Failed => return Err(Error::statement_failed()),
        }
        self.send("COMMIT").await.map_err(Error::commit)?;
        self.give_back();
        Ok(())
    }

    /// Rolls back, and waits until it is done.
    ///
    /// # Errors
    ///
    /// If the connection failed. It is closed then, which rolls back as well.
    pub async fn rollback(mut self) -> Result<(), Error> {
        self.send("ROLLBACK").await.map_err(Error::roll_back)?;
        self.give_back();
        Ok(())
    }

    /// Starts a statement if the guard admits it.
    pub(super) fn start(&mut self, sql: &SqlStr) -> Result<&mut SqliteConnection, sqlx::Error> {
        let earlier = self.health;
        self.health = Health::Failed;
        let admitted = self.statements.check(sql.as_str()).and_then(|checked| match (self.access, checked.access()) {
            (Access::Read, Access::Write) => Err(Refused::ReadOnly),
            _ => Ok(()),
        });
        if let Err(refused) = admitted {
            self.guard.watch().refused_text();
            return Err(refused.into());
        }
        self.guard.watch().query();
        self.health = if earlier == Health::Good { Health::Abandoned } else { earlier };
        self.connection.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// Notes how the statement that was started last ended.
    pub(super) fn ended<T>(&mut self, earlier: Standing, answer: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        self.health = match &answer {
            Ok(_) => earlier.0,
            Err(_) => Health::Failed,
        };
        answer
    }

    pub(super) const fn standing(&self) -> Standing {
        Standing(self.health)
    }

    pub(super) fn arguments(&self) -> Result<SqliteArguments, sqlx::Error> {
        let mut arguments = SqliteArguments::default();
        let tenant = self.guard.tenant_id().as_uuid();
        match self.form {
            TenantForm::Blob => arguments.add(tenant),
            TenantForm::Text => arguments.add(tenant.as_hyphenated().to_string()),
        }
        .map_err(sqlx::Error::Encode)?;
        Ok(arguments)
    }

    async fn send(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        let connection = self.connection.as_deref_mut().ok_or(sqlx::Error::PoolClosed)?;
        sqlx::raw_sql(sql).execute(connection).await?;
        Ok(())
    }

    fn give_back(&mut self) {
        let _context = self.runtime.enter();
        drop(self.connection.take());
    }
}

/// How the transaction stood before a statement.
#[derive(Clone, Copy)]
pub(super) struct Standing(Health);

impl Drop for SqliteTenantTx {
    fn drop(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            // Dropping a `PoolConnection` spawns a task, and panics where there is no runtime.
            let _context = self.runtime.enter();
            connection.close_on_drop();
            drop(connection);
        }
    }
}

impl fmt::Debug for SqliteTenantTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteTenantTx").field("tenant", &self.guard.tenant_id()).finish_non_exhaustive()
    }
}
