//! A whole batch in one statement.

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;

use super::TenantTx;
use crate::batch::{Batch, Straddle};
use crate::tenant::TenantScoped;

impl TenantTx {
    /// Writes a batch with the one statement that `insert` makes of its items, and returns how many rows it wrote.
    ///
    /// The fast form is an array for each column, `INSERT INTO .. SELECT * FROM unnest($1, $2)`: one plan and one round trip for any
    /// number of rows. PostgreSQL refuses `COPY FROM` to a role that is subject to row-level security.
    ///
    /// ```no_run
    /// # use stockade_tenant_guard::{Batch, TenantId, TenantScoped, TenantTx};
    /// # struct Draft { tenant: TenantId, reference: String }
    /// # impl TenantScoped for Draft { fn tenant_id(&self) -> TenantId { self.tenant } }
    /// # async fn example(tx: &mut TenantTx, drafts: Batch<Draft>) -> Result<(), sqlx::Error> {
    /// tx.bulk_insert(drafts, |drafts| {
    ///     let (tenants, references): (Vec<_>, Vec<_>) = drafts.into_iter().map(|draft| (draft.tenant, draft.reference)).unzip();
    ///     sqlx::query("INSERT INTO loads (tenant_id, reference) SELECT * FROM unnest($1::uuid[], $2::text[])")
    ///         .bind(tenants)
    ///         .bind(references)
    /// })
    /// .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// A [`Straddle`] (see [`Straddle::of`]) if an item, or the batch itself, is not of this scope's tenant: nothing is sent then.
    /// Otherwise what the statement fails with.
    pub async fn bulk_insert<T, F>(&mut self, batch: Batch<T>, insert: F) -> Result<u64, sqlx::Error>
    where
        T: TenantScoped,
        F: FnOnce(Vec<T>) -> Query<'static, Postgres, PgArguments>,
    {
        let (expected, found) = (self.tenant_id(), batch.tenant_id());
        let items = batch.finish()?;
        if found != expected {
            let straddle = Straddle { expected, found, index: 0 };
            self.guard().watch().refused_batch(straddle);
            return Err(straddle.into());
        }
        if items.is_empty() {
            return Ok(0);
        }
        Ok(insert(items).execute(self).await?.rows_affected())
    }
}
