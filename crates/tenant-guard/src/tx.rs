//! The two scopes a tenant's queries run in.

mod executor;
mod lease;
mod progress;
mod scope;
mod statement;

pub(crate) use scope::Scope;

use crate::error::Error;
use crate::guard::Guard;
use crate::tenant::TenantId;

/// A transaction in one tenant's scope.
///
/// Run sqlx queries on `&mut tx`; it implements [`sqlx::Executor`]. Dropped without [`commit`](Self::commit), it is rolled back in the
/// background and its connection goes back to the pool only once the server has confirmed that.
///
/// ```no_run
/// # async fn example(db: stockade_tenant_guard::TenantDb, tenant: stockade_tenant_guard::TenantId)
/// # -> Result<(), Box<dyn std::error::Error>> {
/// let mut tx = db.begin(tenant).await?;
/// sqlx::query("DELETE FROM drafts").execute(&mut tx).await?;
/// tx.commit().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping a transaction rolls it back"]
pub struct TenantTx {
    scope: Scope,
}

/// A `READ ONLY` transaction in one tenant's scope.
///
/// Run sqlx queries on `&mut tx`; it implements [`sqlx::Executor`]. PostgreSQL refuses a write (SQLSTATE 25006) when it runs. Dropping it
/// ends it in the background, off the caller's path.
#[derive(Debug)]
#[must_use = "dropping a transaction ends it"]
pub struct ReadTx {
    scope: Scope,
}

impl TenantTx {
    pub(crate) const fn new(scope: Scope) -> Self {
        Self { scope }
    }

    /// The tenant of this scope.
    #[must_use]
    pub const fn tenant_id(&self) -> TenantId {
        self.scope.guard().tenant_id()
    }

    /// The guard of this scope's tenant, for batches on their way in and rows on their way out.
    #[must_use]
    pub const fn guard(&self) -> &Guard {
        self.scope.guard()
    }

    /// Commits, unless any statement failed.
    ///
    /// # Errors
    ///
    /// [`StatementFailed`](crate::ErrorKind::StatementFailed) or [`StatementAbandoned`](crate::ErrorKind::StatementAbandoned) if a
    /// statement did not complete, [`Database`](crate::ErrorKind::Database) if the server refused to commit: nothing was
    /// written. [`OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) if the connection failed meanwhile.
    pub async fn commit(self) -> Result<(), Error> {
        self.scope.commit().await
    }

    /// Rolls back, and waits until the server has done so.
    ///
    /// # Errors
    ///
    /// If the connection failed. It is closed then, which rolls back as well.
    pub async fn rollback(self) -> Result<(), Error> {
        self.scope.roll_back().await
    }
}

impl ReadTx {
    pub(crate) const fn new(scope: Scope) -> Self {
        Self { scope }
    }

    /// The tenant of this scope.
    #[must_use]
    pub const fn tenant_id(&self) -> TenantId {
        self.scope.guard().tenant_id()
    }

    /// The guard of this scope's tenant, for rows on their way out.
    #[must_use]
    pub const fn guard(&self) -> &Guard {
        self.scope.guard()
    }

    /// Ends the transaction, and waits until the server has done so. Dropping it does the same in the background.
    ///
    /// # Errors
    ///
    /// If the connection failed. It is closed then.
    pub async fn close(self) -> Result<(), Error> {
        self.scope.roll_back().await
    }
}
