//! Pending sign-ins.

use chrono::{DateTime, Utc};
use sqlx::{SqlitePool, query};

use super::value::{bytes, id, micros, time, versions};
use crate::store::{Digest, FlowRecord};

pub(super) async fn insert(pool: &SqlitePool, digest: &Digest, flow: &FlowRecord) -> sqlx::Result<()> {
    query(
        "INSERT INTO main.stockade_auth_flow
             (digest, user_id, tenant_id, user_version, tenant_version, global_version, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )
    .bind(bytes(digest))
    .bind(flow.user.as_uuid())
    .bind(flow.tenant.as_uuid())
    .bind(flow.versions.user)
    .bind(flow.versions.tenant)
    .bind(flow.versions.global)
    .bind(micros(flow.created_at))
    .bind(micros(flow.expires_at))
    .execute(pool)
    .await
    .map(drop)
}

pub(super) async fn find(pool: &SqlitePool, digest: &Digest, now: DateTime<Utc>) -> sqlx::Result<Option<FlowRecord>> {
    let row = query("SELECT f.* FROM main.stockade_auth_current_flow f WHERE f.digest = ?1 AND f.expires_at > ?2")
        .bind(bytes(digest))
        .bind(micros(now))
        .fetch_optional(pool)
        .await?;
    row.map(|row| {
        Ok(FlowRecord {
            user: id(&row, "user_id")?,
            tenant: id(&row, "tenant_id")?,
            versions: versions(&row)?,
            created_at: time(&row, "created_at")?,
            expires_at: time(&row, "expires_at")?,
        })
    })
    .transpose()
}

pub(super) async fn finish(pool: &SqlitePool, digest: &Digest, now: DateTime<Utc>) -> sqlx::Result<bool> {
    let done = query(
        "DELETE FROM main.stockade_auth_flow WHERE digest IN (
             SELECT f.digest FROM main.stockade_auth_current_flow f WHERE f.digest = ?1 AND f.expires_at > ?2)",
    )
    .bind(bytes(digest))
    .bind(micros(now))
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}
