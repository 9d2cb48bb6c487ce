//! Connections to other services.

use chrono::{DateTime, Utc};
use sqlx::{Row, query, sqlite::SqliteRow};

use super::{
    SqliteStore,
    store::failed,
    value::{id, micros, optional_time, time},
};
use crate::{
    error::Result,
    id::ConnectionId,
    session::Scope,
    store::{ConnectionRecord, ConnectionStore},
};

impl ConnectionStore for SqliteStore {
    async fn insert_connection(&self, record: &ConnectionRecord) -> Result<bool> {
        // A trigger ignores what collides.
        let insert = query(
            "INSERT INTO main.stockade_auth_connection
                 (id, user_id, tenant_id, provider, sealed, generation, lease_until, created_at, refreshed_at, expires_at)
             SELECT ?1, a.user_id, a.tenant_id, ?4, ?5, ?6, ?7, ?8, ?9, ?10
             FROM main.stockade_auth_account a WHERE a.user_id = ?2 AND a.tenant_id = ?3 AND a.status = 'active'",
        )
        .bind(record.id.as_uuid())
        .bind(record.user.as_uuid())
        .bind(record.tenant.as_uuid())
        .bind(&record.provider)
        .bind(&record.sealed)
        .bind(record.generation)
        .bind(record.lease_until.map(micros))
        .bind(micros(record.created_at))
        .bind(micros(record.refreshed_at))
        .bind(record.expires_at.map(micros));
        Ok(self.write(insert.execute(&self.pool)).await?.rows_affected() == 1)
    }

    async fn connection(&self, within: Scope, id: ConnectionId) -> Result<Option<ConnectionRecord>> {
        let (user, tenant) = within.ends();
        let row = query(
            "SELECT c.* FROM main.stockade_auth_connection c
             JOIN main.stockade_auth_account a
                 ON a.user_id = c.user_id AND a.tenant_id = c.tenant_id AND a.status = 'active'
             WHERE c.id = ?1 AND (?2 IS NULL OR c.user_id = ?2) AND (?3 IS NULL OR c.tenant_id = ?3)
               AND c.ended_at IS NULL",
        )
        .bind(id.as_uuid())
        .bind(user)
        .bind(tenant)
        .fetch_optional(&self.pool)
        .await
        .map_err(failed)?;
        row.as_ref().map(record).transpose().map_err(failed)
    }

    async fn connections(&self, within: Scope) -> Result<Vec<ConnectionRecord>> {
        let (user, tenant) = within.ends();
        let rows = query(
            "SELECT c.* FROM main.stockade_auth_connection c
             WHERE (?1 IS NULL OR c.user_id = ?1) AND (?2 IS NULL OR c.tenant_id = ?2) AND c.ended_at IS NULL
             ORDER BY c.created_at DESC, c.id DESC",
        )
        .bind(user)
        .bind(tenant)
        .fetch_all(&self.pool)
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
        let lease = query(
            "UPDATE main.stockade_auth_connection SET generation = generation + 1, lease_until = ?4
             WHERE id = ?1 AND generation = ?2 AND (lease_until IS NULL OR lease_until <= ?3) AND ended_at IS NULL",
        )
        .bind(id.as_uuid())
        .bind(generation)
        .bind(micros(now))
        .bind(micros(until));
        Ok(self.write(lease.execute(&self.pool)).await?.rows_affected() == 1)
    }

    async fn keep_connection(
        &self,
        id: ConnectionId,
        generation: i64,
        sealed: &[u8],
        expires_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let keep = query(
            "UPDATE main.stockade_auth_connection
             SET generation = generation + 1, sealed = ?3, expires_at = ?4, refreshed_at = ?5, lease_until = NULL
             WHERE id = ?1 AND generation = ?2 AND ended_at IS NULL",
        )
        .bind(id.as_uuid())
        .bind(generation)
        .bind(sealed)
        .bind(expires_at.map(micros))
        .bind(micros(now));
        Ok(self.write(keep.execute(&self.pool)).await?.rows_affected() == 1)
    }

    async fn release_connection(&self, id: ConnectionId, generation: i64) -> Result<bool> {
        let release = query(
            "UPDATE main.stockade_auth_connection SET lease_until = NULL
             WHERE id = ?1 AND generation = ?2 AND ended_at IS NULL",
        )
        .bind(id.as_uuid())
        .bind(generation);
        Ok(self.write(release.execute(&self.pool)).await?.rows_affected() == 1)
    }

    async fn end_connection(
        &self,
        within: Scope,
        id: ConnectionId,
        generation: Option<i64>,
        now: DateTime<Utc>,
    ) -> Result<Option<ConnectionRecord>> {
        let (user, tenant) = within.ends();
        let end = query(
            "UPDATE main.stockade_auth_connection AS c SET ended_at = ?5, sealed = x''
             WHERE c.id = ?1 AND (?2 IS NULL OR c.user_id = ?2) AND (?3 IS NULL OR c.tenant_id = ?3)
               AND (?4 IS NULL OR c.generation = ?4) AND c.ended_at IS NULL
             RETURNING *",
        )
        .bind(id.as_uuid())
        .bind(user)
        .bind(tenant)
        .bind(generation)
        .bind(micros(now));
        let rows = self.write(end.fetch_all(&self.pool)).await?;
        rows.first().map(record).transpose().map_err(failed)
    }
}

fn record(row: &SqliteRow) -> sqlx::Result<ConnectionRecord> {
    Ok(ConnectionRecord {
        id: id(row, "id")?,
        user: id(row, "user_id")?,
        tenant: id(row, "tenant_id")?,
        provider: row.try_get("provider")?,
        sealed: row.try_get("sealed")?,
        generation: row.try_get("generation")?,
        lease_until: optional_time(row, "lease_until")?,
        created_at: time(row, "created_at")?,
        refreshed_at: time(row, "refreshed_at")?,
        expires_at: optional_time(row, "expires_at")?,
    })
}
