//! How many stored values a key has sealed.

use sqlx::{Postgres, Transaction};

use crate::error::Error;
use crate::id::{KeyId, Purpose, TenantId};
use crate::postgres::columns::SealedColumns;
use crate::postgres::failure::store_error;
use crate::postgres::scope::TenantScope;
use crate::postgres::site::Layout;
use crate::vault::KeyUses;

/// Counts values in the registered columns: what keeps [`Vault::retire`](crate::Vault::retire) from retiring a key that is needed.
///
/// Before it counts it waits, for at most two seconds a table, until the transactions are over that are writing to it:
/// writers that come meanwhile wait as well, and go on before the count. The wait takes `LOCK TABLE`, for which the role needs `UPDATE`
/// or `DELETE` on the whole table; that it took too long is a retryable error.
#[derive(Clone, Debug)]
pub struct ColumnUses<T> {
    columns: SealedColumns,
    scope: T,
}

const SETTLE: &str = "SELECT stockade.field_settle($1::text::regclass)";
const COUNT: &str = "SELECT stockade.field_key_uses($1::text::regclass, $2, $3, $4, $5)";

impl<T: TenantScope> ColumnUses<T> {
    /// Over these columns, in transactions that `scope` begins.
    #[must_use]
    pub const fn new(columns: SealedColumns, scope: T) -> Self {
        Self { columns, scope }
    }

    async fn in_column(&self, tenant: TenantId, layout: &Layout, column: &str, key: KeyId) -> Result<u64, Error> {
        let mut transaction = self.scope.begin(tenant).await?;
        sqlx::query(SETTLE).bind(layout.table).execute(&mut *transaction).await.map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;

        let mut transaction: Transaction<'_, Postgres> = self.scope.begin(tenant).await?;
        let uses: i64 = sqlx::query_scalar(COUNT)
            .bind(layout.table)
            .bind(layout.tenant)
            .bind(column)
            .bind(tenant.as_uuid())
            .bind(i64::from(key.as_u32()))
            .fetch_one(&mut *transaction)
            .await
            .map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;
        Ok(u64::try_from(uses).unwrap_or(0))
    }
}

impl<T: TenantScope> KeyUses for ColumnUses<T> {
    async fn count(&self, tenant: TenantId, purpose: Purpose, key: KeyId) -> Result<u64, Error> {
        let mut uses = 0;
        for site in self.columns.sites() {
            let layout = site.layout();
            let columns = match purpose {
                Purpose::Aead => std::slice::from_ref(&layout.sealed),
                Purpose::Index => &layout.indexes,
            };
            for column in columns {
                uses += self.in_column(tenant, layout, column, key).await?;
            }
        }
        Ok(uses)
    }
}
