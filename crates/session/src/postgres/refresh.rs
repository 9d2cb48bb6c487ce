//! Sessions by name, and refresh tokens.

use chrono::{DateTime, Utc};
use sqlx::{Row, query, query_scalar};
use uuid::Uuid;

use super::{
    session::record,
    store::{PgStore, failed},
};
use crate::{
    error::Result,
    id::SessionId,
    store::{Digest, RefreshStore, SessionRecord},
};

impl RefreshStore for PgStore {
    async fn session_by_id(&self, sid: SessionId, now: DateTime<Utc>) -> Result<Option<(Digest, SessionRecord)>> {
        let row = query("SELECT * FROM stockade.auth_session_by_id($1, $2)")
            .bind(sid.as_uuid())
            .bind(now)
            .fetch_optional(self.pool())
            .await
            .map_err(failed)?;
        let Some(row) = row else { return Ok(None) };
        let digest: [u8; 32] = row.try_get("digest").map_err(failed)?;
        Ok(Some((digest.into(), record(&row).map_err(failed)?)))
    }

    async fn insert_refresh(&self, digest: &Digest, sid: SessionId, now: DateTime<Utc>) -> Result<bool> {
        let done = query(
            "INSERT INTO stockade.auth_refresh (digest, sid)
             SELECT $1, s.sid FROM stockade.auth_session_by_id($2, $3) s",
        )
        .bind(digest.as_bytes().as_slice())
        .bind(sid.as_uuid())
        .bind(now)
        .execute(self.pool())
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() == 1)
    }

    async fn use_refresh(&self, old: &Digest, new: &Digest, now: DateTime<Utc>) -> Result<Option<SessionId>> {
        let sid: Option<Uuid> = query_scalar(
            "WITH used AS (
                 UPDATE stockade.auth_refresh r SET used_at = $3
                 WHERE r.digest = $1 AND r.used_at IS NULL
                   AND EXISTS (SELECT FROM stockade.auth_session_by_id(r.sid, $3))
                 RETURNING r.sid
             )
             INSERT INTO stockade.auth_refresh AS fresh (digest, sid) SELECT $2, u.sid FROM used u RETURNING fresh.sid",
        )
        .bind(old.as_bytes().as_slice())
        .bind(new.as_bytes().as_slice())
        .bind(now)
        .fetch_optional(self.pool())
        .await
        .map_err(failed)?;
        Ok(sid.map(SessionId::from))
    }

    async fn used_refresh(&self, digest: &Digest) -> Result<Option<SessionId>> {
        let sid: Option<Uuid> =
            query_scalar("SELECT r.sid FROM stockade.auth_refresh r WHERE r.digest = $1 AND r.used_at IS NOT NULL")
                .bind(digest.as_bytes().as_slice())
                .fetch_optional(self.pool())
                .await
                .map_err(failed)?;
        Ok(sid.map(SessionId::from))
    }
}
