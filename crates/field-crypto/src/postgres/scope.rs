//! Transactions in a tenant's context.

use sqlx::{PgPool, Postgres, Transaction};

use crate::error::Error;
use crate::id::TenantId;
use crate::postgres::failure::store_error;

/// Begins transactions that see one tenant's rows, the way the application does it.
///
/// A [`PgPool`] is one for applications whose policies read `stockade.tenant_id` or the view `stockade.current_tenant`. What is
/// begun must set `stockade.tenant_id` in any case, because the rows of `stockade.field_jobs` are the tenant's, and its
/// role must be a member of `stockade_rotator` and may read and update the registered columns.
pub trait TenantScope: Send + Sync {
    /// Begins a transaction in the tenant's context, which ends with the transaction.
    ///
    /// # Errors
    ///
    /// [`Error::store`] if that fails.
    fn begin(&self, tenant: TenantId) -> impl Future<Output = Result<Transaction<'static, Postgres>, Error>> + Send;
}

impl TenantScope for PgPool {
    async fn begin(&self, tenant: TenantId) -> Result<Transaction<'static, Postgres>, Error> {
        let mut transaction = Self::begin(self).await.map_err(store_error)?;
        sqlx::query("SELECT set_config('stockade.tenant_id', $1, true)")
            .bind(tenant.to_string())
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        Ok(transaction)
    }
}
