//! Sessions by name, and refresh tokens.

use chrono::{DateTime, Utc};
use sqlx::{query, query_scalar};
use uuid::Uuid;

use super::{
    SqliteStore,
    session::record,
    store::failed,
    value::{bytes, digest, micros},
};
use crate::{
    error::Result,
    id::SessionId,
    store::{Digest, RefreshStore, SessionRecord},
};

impl RefreshStore for SqliteStore {
    async fn session_by_id(&self, sid: SessionId, now: DateTime<Utc>) -> Result<Option<(Digest, SessionRecord)>> {
        let row = query(
            "SELECT s.* FROM main.stockade_auth_current_session s
             WHERE s.sid = ?1 AND s.expires_at > ?2 AND s.last_seen_at + s.idle_seconds * 1000000 > ?2",
        )
        .bind(sid.as_uuid())
        .bind(micros(now))
        .fetch_optional(&self.pool)
        .await
        .map_err(failed)?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some((digest(&row, "digest").map_err(failed)?, record(&row).map_err(failed)?)))
    }

    async fn insert_refresh(&self, digest: &Digest, sid: SessionId, now: DateTime<Utc>) -> Result<bool> {
        let insert = query(
            "INSERT INTO main.stockade_auth_refresh (digest, sid)
             SELECT ?1, s.sid FROM main.stockade_auth_current_session s
             WHERE s.sid = ?2 AND s.expires_at > ?3 AND s.last_seen_at + s.idle_seconds * 1000000 > ?3",
        )
        .bind(bytes(digest))
        .bind(sid.as_uuid())
        .bind(micros(now));
        Ok(self.write(insert.execute(&self.pool)).await?.rows_affected() == 1)
    }

    async fn use_refresh(&self, old: &Digest, new: &Digest, now: DateTime<Utc>) -> Result<Option<SessionId>> {
        self.write(async {
            let mut tx = self.begin().await?;
            let used: Vec<Uuid> = query_scalar(
                "UPDATE main.stockade_auth_refresh SET used_at = ?2
                 WHERE digest = ?1 AND used_at IS NULL AND sid IN (
                     SELECT s.sid FROM main.stockade_auth_current_session s
                     WHERE s.expires_at > ?2 AND s.last_seen_at + s.idle_seconds * 1000000 > ?2
                       AND s.sid = (SELECT r.sid FROM main.stockade_auth_refresh r WHERE r.digest = ?1))
                 RETURNING sid",
            )
            .bind(bytes(old))
            .bind(micros(now))
            .fetch_all(&mut *tx)
            .await?;
            let Some(sid) = used.first() else { return Ok(None) };
            query("INSERT INTO main.stockade_auth_refresh (digest, sid) VALUES (?1, ?2)")
                .bind(bytes(new))
                .bind(sid)
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            Ok(Some(SessionId::from(*sid)))
        })
        .await
    }

    async fn used_refresh(&self, digest: &Digest) -> Result<Option<SessionId>> {
        let sid: Option<Uuid> = query_scalar(
            "SELECT r.sid FROM main.stockade_auth_refresh r WHERE r.digest = ?1 AND r.used_at IS NOT NULL",
        )
        .bind(bytes(digest))
        .fetch_optional(&self.pool)
        .await
        .map_err(failed)?;
        Ok(sid.map(SessionId::from))
    }
}
