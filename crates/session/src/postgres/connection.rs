//! Connections to other services.

use chrono::{DateTime, Utc};
use sqlx::{Row, postgres::PgRow, query};
use uuid::Uuid;

use super::store::{PgStore, failed};
use crate::{
    error::Result,
    id::ConnectionId,
    session::Scope,
    store::{ConnectionRecord, ConnectionStore},
};

impl ConnectionStore for PgStore {
    async fn insert_connection(&self, record: &ConnectionRecord) -> Result<bool> {
        let done = query(
            "INSERT INTO stockade.auth_connection
                 (id, user_id, tenant_id, provider, sealed, generation, lease_until, created_at, refreshed_at, expires_at)
             SELECT $1, a.user_id, a.tenant_id, $4, $5, $6, $7, $8, $9, $10
             FROM stockade.auth_active_account a WHERE a.user_id = $2 AND a.tenant_id = $3
             ON CONFLICT DO NOTHING",
        )
        .bind(record.id.as_uuid())
        .bind(record.user.as_uuid())
        .bind(record.tenant.as_uuid())
        .bind(&record.provider)
        .bind(&record.sealed)
        .bind(record.generation)
        .bind(record.lease_until)
        .bind(record.created_at)
        .bind(record.refreshed_at)
        .bind(record.expires_at)
        .execute(self.pool())
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() == 1)
    }

    async fn connection(&self, within: Scope, id: ConnectionId) -> Result<Option<ConnectionRecord>> {
        let (user, tenant) = within.ends();
        let row = query(
            "SELECT c.* FROM stockade.auth_connection c
             JOIN stockade.auth_active_account a ON a.user_id = c.user_id AND a.tenant_id = c.tenant_id
             WHERE c.id = $1 AND ($2::uuid IS NULL OR c.user_id = $2) AND ($3::uuid IS NULL OR c.tenant_id = $3)
               AND c.ended_at IS NULL",
        )
        .bind(id.as_uuid())
        .bind(user)
        .bind(tenant)
        .fetch_optional(self.pool())
        .await
        .map_err(failed)?;
        row.as_ref().map(record).transpose().map_err(failed)
    }

    async fn connections(&self, within: Scope) -> Result<Vec<ConnectionRecord>> {
        let (user, tenant) = within.ends();
        let rows = query(
            "SELECT c.* FROM stockade.auth_connection c
             WHERE ($1::uuid IS NULL OR c.user_id = $1) AND ($2::uuid IS NULL OR c.tenant_id = $2) AND c.ended_at IS NULL
             ORDER BY c.created_at DESC, c.id DESC",
        )
        .bind(user)
        .bind(tenant)
        .fetch_all(self.pool())
        .await
        .map_err(failed)?;
        rows.iter().map(record).collect::<sqlx::Result<_>>().map_err(failed)
    }

    async fn lease_connection(
        &self,
        id: ConnectionId,
        generation: i64,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<bool> {
        let done = query(
            "UPDATE stockade.auth_connection SET generation = generation + 1, lease_until = $4
             WHERE id = $1 AND generation = $2 AND (lease_until IS NULL OR lease_until <= $3) AND ended_at IS NULL",
        )
        .bind(id.as_uuid())
        .bind(generation)
        .bind(now)
        .bind(until)
        .execute(self.pool())
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() == 1)
    }

    async fn keep_connection(
        &self,
        id: ConnectionId,
        generation: i64,
        sealed: &[u8],
        expires_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let done = query(
            "UPDATE stockade.auth_connection SET generation = generation + 1, sealed = $3, expires_at = $4, refreshed_at = $5, lease_until = NULL
             WHERE id = $1 AND generation = $2 AND ended_at IS NULL",
        )
        .bind(id.as_uuid())
        .bind(generation)
        .bind(sealed)
        .bind(expires_at)
        .bind(now)
        .execute(self.pool())
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() == 1)
    }

    async fn release_connection(&self, id: ConnectionId, generation: i64) -> Result<bool> {
        let done = query(
            "UPDATE stockade.auth_connection SET lease_until = NULL WHERE id = $1 AND generation = $2 AND ended_at IS NULL",
        )
        .bind(id.as_uuid())
        .bind(generation)
        .execute(self.pool())
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() == 1)
    }

    async fn end_connection(
        &self,
        within: Scope,
        id: ConnectionId,
        generation: Option<i64>,
        now: DateTime<Utc>,
    ) -> Result<Option<ConnectionRecord>> {
        let (user, tenant) = within.ends();
        let row = query(
            "UPDATE stockade.auth_connection c SET ended_at = $5, sealed = ''
             WHERE c.id = $1 AND ($2::uuid IS NULL OR c.user_id = $2) AND ($3::uuid IS NULL OR c.tenant_id = $3)
               AND ($4::bigint IS NULL OR c.generation = $4) AND c.ended_at IS NULL
             RETURNING c.*",
        )
        .bind(id.as_uuid())
        .bind(user)
        .bind(tenant)
        .bind(generation)
        .bind(now)
        .fetch_optional(self.pool())
        .await
        .map_err(failed)?;
        row.as_ref().map(record).transpose().map_err(failed)
    }
}

fn record(row: &PgRow) -> sqlx::Result<ConnectionRecord> {
    Ok(ConnectionRecord {
        id: row.try_get::<Uuid, _>("id")?.into(),
        user: row.try_get::<Uuid, _>("user_id")?.into(),
        tenant: row.try_get::<Uuid, _>("tenant_id")?.into(),
        provider: row.try_get("provider")?,
        sealed: row.try_get("sealed")?,
        generation: row.try_get("generation")?,
        lease_until: row.try_get("lease_until")?,
        created_at: row.try_get("created_at")?,
        refreshed_at: row.try_get("refreshed_at")?,
        expires_at: row.try_get("expires_at")?,
    })
}
