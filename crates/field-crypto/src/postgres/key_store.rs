//! The key store in PostgreSQL.

use sqlx::PgPool;

use crate::error::{Error, Retry};
use crate::id::{KeyId, TenantId};
use crate::postgres::failure::store_error;
use crate::postgres::key_row::{KekRow, KeyRow, NewKey, kek_record, key_record};
use crate::store::{Insertion, KekRecord, KeyRecord, KeyStore};

/// Wrapped keys in `stockade.field_keys`.
///
/// The login role of the pool must be a member of `stockade_keyring`, which sees the keys of all tenants, or of
/// `stockade_rotator`, which may exchange them as well. Give it a
/// pool of its own: the application's role sees key rows of its tenant, but no wrapped key.
#[derive(Clone, Debug)]
pub struct PgKeyStore {
    pool: PgPool,
}

const LOAD: &str = "SELECT key_id, purpose, state, kek_id, wrapped, kcv, messages \
    FROM stockade.field_keys WHERE tenant_id = $1 ORDER BY key_id";
const INSERT: &str = "INSERT INTO stockade.field_keys \
    (tenant_id, key_id, purpose, state, kek_id, wrapped, kcv, messages) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
const ADD_MESSAGES: &str = "UPDATE stockade.field_keys SET messages = messages + $3 \
    WHERE tenant_id = $1 AND key_id = $2 RETURNING messages";
const KEKS: &str = "SELECT kek_id, canary, kcv FROM stockade.field_keks WHERE forgotten_at IS NULL ORDER BY kek_id";
const INSERT_KEK: &str = "INSERT INTO stockade.field_keks (kek_id, canary, kcv) \
    VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";

impl PgKeyStore {
    /// A store on a pool whose login role is a member of `stockade_keyring` or `stockade_rotator`.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    pub(crate) const fn pool(&self) -> &PgPool {
        &self.pool
    }
}

impl KeyStore for PgKeyStore {
    async fn load(&self, tenant: TenantId) -> Result<Vec<KeyRecord>, Error> {
        let rows: Vec<KeyRow> =
            sqlx::query_as(LOAD).bind(tenant.as_uuid()).fetch_all(&self.pool).await.map_err(store_error)?;
        rows.into_iter().map(|row| key_record(tenant, row)).collect()
    }

    async fn insert(&self, record: &KeyRecord) -> Result<Insertion, Error> {
        let Some(new) = NewKey::of(record) else {
            return Err(Error::store("a destroyed key cannot be added", Retry::Never));
        };
        let inserted = sqlx::query(INSERT)
            .bind(new.tenant)
            .bind(new.key)
            .bind(new.purpose)
            .bind(new.state)
            .bind(new.wrapped.kek.as_str())
            .bind(&new.wrapped.bytes)
            .bind(new.kcv)
            .bind(new.messages)
            .execute(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(insertion(inserted.rows_affected()))
    }

    async fn add_messages(&self, tenant: TenantId, key: KeyId, messages: u64) -> Result<u64, Error> {
        let messages = i64::try_from(messages).unwrap_or(i64::MAX);
        let total: Option<i64> = sqlx::query_scalar(ADD_MESSAGES)
            .bind(tenant.as_uuid())
            .bind(i64::from(key.as_u32()))
            .bind(messages)
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        total
            .and_then(|total| u64::try_from(total).ok())
            .ok_or_else(|| Error::store(format!("tenant {tenant} has no key {key}"), Retry::Never))
    }

    async fn keks(&self) -> Result<Vec<KekRecord>, Error> {
        let rows: Vec<KekRow> = sqlx::query_as(KEKS).fetch_all(&self.pool).await.map_err(store_error)?;
        rows.into_iter().map(kek_record).collect()
    }

    async fn insert_kek(&self, record: &KekRecord) -> Result<Insertion, Error> {
        let inserted = sqlx::query(INSERT_KEK)
            .bind(record.canary.kek.as_str())
            .bind(&record.canary.bytes)
            .bind(record.kcv.as_bytes())
            .execute(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(insertion(inserted.rows_affected()))
    }
}

pub(crate) const fn insertion(rows: u64) -> Insertion {
    if rows == 0 { Insertion::AlreadyPresent } else { Insertion::Inserted }
}
