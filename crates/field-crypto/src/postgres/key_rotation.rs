//! Rotation of keys in PostgreSQL.

use std::time::Duration;

use crate::data_key::WrappedKey;
use crate::error::{Error, Retry};
use crate::id::{KekId, KeyId, TenantId};
use crate::postgres::failure::store_error;
use crate::postgres::key_row::{KeyRow, key_record};
use crate::postgres::key_store::PgKeyStore;
use crate::store::{KekRemoval, KeyChange, KeyRecord, KeyRotation};

const AGE: &str = "SELECT extract(epoch FROM clock_timestamp() - state_since)::float8 FROM stockade.field_keys \
    WHERE tenant_id = $1 AND key_id = $2";
const PROMOTE: &str = "SELECT stockade.field_key_promote($1, $2, make_interval(secs => $3))";
const RETIRE: &str = "SELECT stockade.field_key_retire($1, $2, make_interval(secs => $3))";
const DESTROY: &str = "SELECT stockade.field_key_destroy_retired($1, $2, make_interval(secs => $3))";
const OTHERWISE: &str = "SELECT tenant_id, key_id, purpose, state, kek_id, wrapped, kcv, messages FROM stockade.field_keys \
    WHERE kek_id <> $1 AND wrapped IS NOT NULL AND (tenant_id, key_id) > ($2, $3) ORDER BY tenant_id, key_id LIMIT $4";
const REWRAP: &str = "UPDATE stockade.field_keys SET kek_id = $5, wrapped = $6 \
    WHERE tenant_id = $1 AND key_id = $2 AND kek_id = $3 AND wrapped = $4";
const FORGET: &str = "SELECT stockade.field_kek_forget($1)";

/// Needs a login role that is a member of `stockade_rotator`.
impl KeyRotation for PgKeyStore {
    async fn state_age(&self, tenant: TenantId, key: KeyId) -> Result<Option<Duration>, Error> {
        let seconds: Option<f64> = sqlx::query_scalar(AGE)
            .bind(tenant.as_uuid())
            .bind(i64::from(key.as_u32()))
            .fetch_optional(self.pool())
            .await
            .map_err(store_error)?;
        Ok(seconds.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default()))
    }

    async fn promote(&self, tenant: TenantId, key: KeyId, settled: Duration) -> Result<KeyChange, Error> {
        self.change(PROMOTE, tenant, key, settled).await
    }

    async fn retire(&self, tenant: TenantId, key: KeyId, quiet: Duration) -> Result<KeyChange, Error> {
        self.change(RETIRE, tenant, key, quiet).await
    }

    async fn destroy_retired(&self, tenant: TenantId, key: KeyId, quarantine: Duration) -> Result<KeyChange, Error> {
        self.change(DESTROY, tenant, key, quarantine).await
    }

    async fn wrapped_otherwise(
        &self,
        kek: &KekId,
        after: Option<(TenantId, KeyId)>,
        limit: u32,
    ) -> Result<Vec<KeyRecord>, Error> {
        let (tenant, key) =
            after.map_or_else(Default::default, |(tenant, key)| (tenant.into(), i64::from(key.as_u32())));
        let rows: Vec<WithTenant> = sqlx::query_as(OTHERWISE)
            .bind(kek.as_str())
            .bind::<uuid::Uuid>(tenant)
            .bind(key)
            .bind(i64::from(limit))
            .fetch_all(self.pool())
            .await
            .map_err(store_error)?;
        rows.into_iter().map(|row| key_record(row.tenant_id.into(), row.key)).collect()
    }

    async fn rewrap(
        &self,
        tenant: TenantId,
        key: KeyId,
        before: &WrappedKey,
        after: &WrappedKey,
    ) -> Result<KeyChange, Error> {
        let updated = sqlx::query(REWRAP)
            .bind(tenant.as_uuid())
            .bind(i64::from(key.as_u32()))
            .bind(before.kek.as_str())
            .bind(&before.bytes)
            .bind(after.kek.as_str())
            .bind(&after.bytes)
            .execute(self.pool())
            .await
            .map_err(store_error)?;
        Ok(if updated.rows_affected() == 0 { KeyChange::WrongState } else { KeyChange::Made })
    }

    async fn forget_kek(&self, kek: &KekId) -> Result<KekRemoval, Error> {
        let keys: Option<i64> =
            sqlx::query_scalar(FORGET).bind(kek.as_str()).fetch_one(self.pool()).await.map_err(store_error)?;
        Ok(match keys.map(u64::try_from) {
            None => KekRemoval::Unknown,
            Some(Ok(0)) => KekRemoval::Forgotten,
            Some(keys) => KekRemoval::InUse { keys: keys.unwrap_or(u64::MAX) },
        })
    }
}

/// A key row of any tenant.
struct WithTenant {
    tenant_id: uuid::Uuid,
    key: KeyRow,
}

impl<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> for WithTenant {
    fn from_row(row: &'r sqlx::postgres::PgRow) -> sqlx::Result<Self> {
        use sqlx::Row as _;
        let key = (
            row.try_get(1)?,
            row.try_get(2)?,
            row.try_get(3)?,
            row.try_get(4)?,
            row.try_get(5)?,
            row.try_get(6)?,
            row.try_get(7)?,
        );
        Ok(Self { tenant_id: row.try_get(0)?, key })
    }
}

impl PgKeyStore {
    async fn change(
        &self,
        statement: &'static str,
        tenant: TenantId,
        key: KeyId,
        age: Duration,
    ) -> Result<KeyChange, Error> {
        let answer: Result<String, sqlx::Error> = sqlx::query_scalar(statement)
            .bind(tenant.as_uuid())
            .bind(i64::from(key.as_u32()))
            .bind(age.as_secs_f64())
            .fetch_one(self.pool())
            .await;
        let answer = match answer {
            // The trigger of the key table.
            Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code == "23001") => {
                return Ok(KeyChange::WrapsSubjects);
            }
            answer => answer.map_err(store_error)?,
        };
        match &*answer {
            "made" => Ok(KeyChange::Made),
            "too_soon" => Ok(KeyChange::TooSoon),
            "wrong_state" => Ok(KeyChange::WrongState),
            _ => Err(Error::store("the key table gives an unknown answer: is it of a later release?", Retry::Never)),
        }
    }
}
