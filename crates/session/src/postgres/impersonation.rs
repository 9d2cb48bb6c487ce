//! Impersonations.

use std::num::NonZeroU32;

use chrono::{DateTime, Utc};
use sqlx::{Row, postgres::PgRow, query, query_scalar};
use uuid::Uuid;

use super::{
    account::versions,
    store::{PgStore, failed},
};
use crate::{
    error::Result,
    id::{ImpersonationId, SessionId, TenantId},
    impersonation::ImpersonationPolicy,
    store::{Digest, Ending, ImpersonationRecord, ImpersonationStore},
};

impl ImpersonationStore for PgStore {
    async fn insert_impersonation(&self, digest: &Digest, record: &ImpersonationRecord) -> Result<bool> {
        let done = query(
            "INSERT INTO stockade.auth_impersonation
                 (id, digest, actor_id, session_id, target_id, tenant_id, user_version, tenant_version, global_version,
                  reason, started_at, expires_at, ip)
             SELECT $1, $2, s.user_id, s.sid, a.user_id, a.tenant_id, a.user_version, a.tenant_version, a.global_version,
                    $10, $11, $12, $13
             FROM stockade.auth_current_session s, stockade.auth_impersonable a
             WHERE s.user_id = $3 AND s.sid = $4 AND s.expires_at > $11
               AND s.last_seen_at + make_interval(secs => s.idle_seconds) > $11
               AND a.user_id = $5 AND a.tenant_id = $6
               AND a.user_version = $7 AND a.tenant_version = $8 AND a.global_version = $9 AND $12 > $11",
        )
        .bind(record.id.as_uuid())
        .bind(digest.as_bytes().as_slice())
        .bind(record.actor.as_uuid())
        .bind(record.session.as_uuid())
        .bind(record.target.as_uuid())
        .bind(record.tenant.as_uuid())
        .bind(record.versions.user)
        .bind(record.versions.tenant)
        .bind(record.versions.global)
        .bind(&record.reason)
        .bind(record.started_at)
        .bind(record.expires_at)
        .bind(record.ip.to_string())
        .execute(self.pool())
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() == 1)
    }

    async fn impersonation(
        &self,
        digest: &Digest,
        session: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<ImpersonationRecord>> {
        let row = query(
            "SELECT i.* FROM stockade.auth_current_impersonation i
             WHERE i.digest = $1 AND i.session_id = $2 AND i.expires_at > $3 AND i.session_ends_at > $3",
        )
        .bind(digest.as_bytes().as_slice())
        .bind(session.as_uuid())
        .bind(now)
        .fetch_optional(self.pool())
        .await
        .map_err(failed)?;
        row.as_ref().map(record).transpose().map_err(failed)
    }

    async fn impersonation_by_id(
        &self,
        id: ImpersonationId,
        now: DateTime<Utc>,
    ) -> Result<Option<(Digest, ImpersonationRecord)>> {
        let row = query(
            "SELECT i.* FROM stockade.auth_current_impersonation i
             WHERE i.id = $1 AND i.expires_at > $2 AND i.session_ends_at > $2",
        )
        .bind(id.as_uuid())
        .bind(now)
        .fetch_optional(self.pool())
        .await
        .map_err(failed)?;
        let Some(row) = row else { return Ok(None) };
        let digest: [u8; 32] = row.try_get("digest").map_err(failed)?;
        Ok(Some((digest.into(), record(&row).map_err(failed)?)))
    }

    async fn end_impersonations(&self, ending: Ending, now: DateTime<Utc>) -> Result<Vec<ImpersonationRecord>> {
        let (id, session) = match ending {
            Ending::One(id) => (Some(id.as_uuid()), None),
            Ending::OfSession(session) => (None, Some(session.as_uuid())),
            Ending::Over => (None, None),
        };
        let rows = query(
            "UPDATE stockade.auth_impersonation i SET ended_at = least(i.expires_at, $3)
             WHERE i.ended_at IS NULL AND ($1::uuid IS NULL OR i.id = $1) AND ($2::uuid IS NULL OR i.session_id = $2)
               AND ($1::uuid IS NOT NULL OR $2::uuid IS NOT NULL OR NOT EXISTS (
                   SELECT FROM stockade.auth_current_impersonation c
                   WHERE c.id = i.id AND c.expires_at > $3 AND c.session_ends_at > $3))
             RETURNING i.*",
        )
        .bind(id)
        .bind(session)
        .bind(now)
        .fetch_all(self.pool())
        .await
        .map_err(failed)?;
        rows.iter().map(record).collect::<sqlx::Result<_>>().map_err(failed)
    }

    async fn impersonations(&self, tenant: TenantId, most: NonZeroU32) -> Result<Vec<ImpersonationRecord>> {
        let rows = query(
            "SELECT i.* FROM stockade.auth_impersonation i WHERE i.tenant_id = $1
             ORDER BY i.started_at DESC, i.id DESC LIMIT $2",
        )
        .bind(tenant.as_uuid())
        .bind(i64::from(most.get()))
        .fetch_all(self.pool())
        .await
        .map_err(failed)?;
        rows.iter().map(record).collect::<sqlx::Result<_>>().map_err(failed)
    }

    async fn impersonation_policy(&self, tenant: TenantId) -> Result<ImpersonationPolicy> {
        let refused: bool =
            query_scalar("SELECT EXISTS (SELECT FROM stockade.auth_impersonation_refusal r WHERE r.tenant_id = $1)")
                .bind(tenant.as_uuid())
                .fetch_one(self.pool())
                .await
                .map_err(failed)?;
        Ok(if refused { ImpersonationPolicy::Refused } else { ImpersonationPolicy::Allowed })
    }

    async fn set_impersonation_policy(&self, tenant: TenantId, policy: ImpersonationPolicy) -> Result<bool> {
        let done = query(match policy {
            ImpersonationPolicy::Refused => {
                "INSERT INTO stockade.auth_impersonation_refusal (tenant_id) VALUES ($1) ON CONFLICT DO NOTHING"
            }
            ImpersonationPolicy::Allowed => "DELETE FROM stockade.auth_impersonation_refusal WHERE tenant_id = $1",
        })
        .bind(tenant.as_uuid())
        .execute(self.pool())
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() == 1)
    }
}

fn record(row: &PgRow) -> sqlx::Result<ImpersonationRecord> {
    let ip: String = row.try_get("ip")?;
    Ok(ImpersonationRecord {
        id: row.try_get::<Uuid, _>("id")?.into(),
        actor: row.try_get::<Uuid, _>("actor_id")?.into(),
        session: row.try_get::<Uuid, _>("session_id")?.into(),
        target: row.try_get::<Uuid, _>("target_id")?.into(),
        tenant: row.try_get::<Uuid, _>("tenant_id")?.into(),
        versions: versions(row)?,
        reason: row.try_get("reason")?,
        started_at: row.try_get("started_at")?,
        expires_at: row.try_get("expires_at")?,
        ended_at: row.try_get("ended_at")?,
        ip: ip.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
    })
}
