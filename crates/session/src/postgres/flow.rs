//! Pending sign-ins.

use chrono::{DateTime, Utc};
use sqlx::{PgPool, Row, query};
use uuid::Uuid;

use super::account::versions;
use crate::store::{Digest, FlowRecord};

pub(super) async fn insert(pool: &PgPool, digest: &Digest, flow: &FlowRecord) -> sqlx::Result<()> {
    query(
        "INSERT INTO stockade.auth_flow
             (digest, user_id, tenant_id, user_version, tenant_version, global_version, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(digest.as_bytes().as_slice())
    .bind(flow.user.as_uuid())
    .bind(flow.tenant.as_uuid())
    .bind(flow.versions.user)
    .bind(flow.versions.tenant)
    .bind(flow.versions.global)
    .bind(flow.created_at)
    .bind(flow.expires_at)
    .execute(pool)
    .await
    .map(drop)
}

pub(super) async fn find(pool: &PgPool, digest: &Digest, now: DateTime<Utc>) -> sqlx::Result<Option<FlowRecord>> {
    let row = query("SELECT f.* FROM stockade.auth_current_flow f WHERE f.digest = $1 AND f.expires_at > $2")
        .bind(digest.as_bytes().as_slice())
        .bind(now)
        .fetch_optional(pool)
        .await?;
    row.map(|row| {
        Ok(FlowRecord {
            user: row.try_get::<Uuid, _>("user_id")?.into(),
            tenant: row.try_get::<Uuid, _>("tenant_id")?.into(),
            versions: versions(&row)?,
            created_at: row.try_get("created_at")?,
            expires_at: row.try_get("expires_at")?,
        })
    })
    .transpose()
}

pub(super) async fn finish(pool: &PgPool, digest: &Digest, now: DateTime<Utc>) -> sqlx::Result<bool> {
    let done = query(
        "DELETE FROM stockade.auth_flow f USING stockade.auth_current_flow current
         WHERE current.digest = f.digest AND f.digest = $1 AND f.expires_at > $2",
    )
    .bind(digest.as_bytes().as_slice())
    .bind(now)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}
