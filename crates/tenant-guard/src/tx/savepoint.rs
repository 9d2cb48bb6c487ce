//! A part of a transaction that can fail alone.

use std::ops::{Deref, DerefMut};

use super::Tx;
use super::scope::Mark;
use crate::error::Error;

/// A savepoint: what is done behind it is kept by [`release`](Self::release) or undone by [`roll_back`](Self::roll_back).
///
/// It holds the transaction until then. Queries run on `&mut *savepoint`, and so does a savepoint inside it. Dropped without either, it
/// keeps the transaction from committing.
///
/// ```no_run
/// # async fn example(mut tx: stockade_tenant_guard::TenantTx) -> Result<(), Box<dyn std::error::Error>> {
/// let mut savepoint = tx.savepoint().await?;
/// match sqlx::query("INSERT INTO tags VALUES ('urgent')").execute(&mut *savepoint).await {
///     Ok(_) => savepoint.release().await?,
///     Err(_) => savepoint.roll_back().await?, // the transaction goes on as if nothing had happened
/// }
/// tx.commit().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a savepoint that is neither released nor rolled back keeps its transaction from committing"]
pub struct Savepoint<'t, A> {
    tx: &'t mut Tx<A>,
    mark: Mark,
}

impl<'t, A> Savepoint<'t, A> {
    pub(super) async fn set(tx: &'t mut Tx<A>) -> Result<Self, Error> {
        let mark = tx.scope.set_savepoint().await?;
        Ok(Self { tx, mark })
    }

    /// Keeps what was done since the savepoint was set, as a part of the transaction.
    ///
    /// # Errors
    ///
    /// [`StatementFailed`](crate::ErrorKind::StatementFailed), [`StatementAbandoned`](crate::ErrorKind::StatementAbandoned) or
    /// [`SavepointOpen`](crate::ErrorKind::SavepointOpen) if something behind it did not complete: then it was rolled back, and the
    /// transaction goes on. Anything else spoils the transaction.
    pub async fn release(self) -> Result<(), Error> {
        self.tx.scope.release(self.mark).await
    }

    /// Undoes what was done since the savepoint was set, failures included.
    ///
    /// # Errors
    ///
    /// If the server refused or the connection failed. The transaction cannot be committed then.
    pub async fn roll_back(self) -> Result<(), Error> {
        self.tx.scope.roll_back_to(self.mark).await
    }
}

impl<A> Deref for Savepoint<'_, A> {
    type Target = Tx<A>;

    fn deref(&self) -> &Tx<A> {
        self.tx
    }
}

impl<A> DerefMut for Savepoint<'_, A> {
    fn deref_mut(&mut self) -> &mut Tx<A> {
        self.tx
    }
}
