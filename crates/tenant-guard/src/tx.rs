//! The two scopes a tenant's queries run in.

mod bulk;
mod context;
mod egress;
mod executor;
mod loan;
mod progress;
mod savepoint;
mod scope;
mod statement;

use std::fmt;
use std::marker::PhantomData;

pub(crate) use context::{Access, Beginning, Context};
pub use savepoint::Savepoint;
pub(crate) use scope::Scope;

use crate::error::Error;
use crate::guard::Guard;
use crate::tenant::TenantId;

/// A transaction in one tenant's scope: a [`TenantTx`] or a [`ReadTx`].
///
/// Run sqlx queries on `&mut tx`; it implements [`sqlx::Executor`]. A row with the tenant column of another tenant is an error (see
/// [`ForeignRow::of`](crate::ForeignRow::of)).
#[must_use = "dropping a transaction rolls it back"]
pub struct Tx<A> {
    scope: Scope,
    access: PhantomData<fn() -> A>,
}

/// May write.
#[derive(Debug)]
pub enum ReadWrite {}

/// May not write.
#[derive(Debug)]
pub enum ReadOnly {}

/// A transaction in one tenant's scope.
///
/// Dropped without [`commit`](Tx::commit), it is rolled back in the background and its connection goes back to the pool only once the
/// server has confirmed that.
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
pub type TenantTx = Tx<ReadWrite>;

/// A `READ ONLY` transaction in one tenant's scope.
///
/// PostgreSQL refuses a write (SQLSTATE 25006) when it runs. Dropping it ends it in the background, off the caller's path.
pub type ReadTx = Tx<ReadOnly>;

impl<A> Tx<A> {
    pub(crate) const fn new(scope: Scope) -> Self {
        Self { scope, access: PhantomData }
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

    /// Sets a savepoint, behind which a statement can fail alone.
    ///
    /// # Errors
    ///
    /// If the server refused or the connection failed. The transaction cannot be committed then.
    pub async fn savepoint(&mut self) -> Result<Savepoint<'_, A>, Error> {
        Savepoint::set(self).await
    }
}

impl Tx<ReadWrite> {
    /// Commits, unless any statement failed.
    ///
    /// # Errors
    ///
    /// [`StatementFailed`](crate::ErrorKind::StatementFailed) or [`StatementAbandoned`](crate::ErrorKind::StatementAbandoned) if a
    /// statement did not complete, [`SavepointOpen`](crate::ErrorKind::SavepointOpen) if a savepoint was dropped,
    /// [`Database`](crate::ErrorKind::Database) if the server refused to commit: nothing was
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

impl Tx<ReadOnly> {
    /// Ends the transaction, and waits until the server has done so. Dropping it does the same in the background.
    ///
    /// # Errors
    ///
    /// If the connection failed. It is closed then.
    pub async fn close(self) -> Result<(), Error> {
        self.scope.roll_back().await
    }
}

impl<A> fmt::Debug for Tx<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").field("scope", &self.scope).finish()
    }
}
