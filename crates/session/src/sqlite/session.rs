//! Sessions.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Row, SqlitePool, query, sqlite::SqliteRow};

use super::value::{bytes, id, micros, optional_time, parsed, time, versions};
use crate::{
    id::{SessionId, UserId},
    session::Assurance,
    store::{Digest, SessionRecord},
};

type Result<T> = sqlx::Result<T>;

pub(super) async fn insert(pool: &SqlitePool, digest: &Digest, session: &SessionRecord) -> Result<()> {
    query(
        "INSERT INTO main.stockade_auth_session
             (sid, digest, user_id, tenant_id, user_version, tenant_version, global_version, assurance,
              authenticated_at, last_seen_at, idle_seconds, expires_at, ip, user_agent)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )
    .bind(session.sid.as_uuid())
    .bind(bytes(digest))
    .bind(session.user.as_uuid())
    .bind(session.tenant.as_uuid())
    .bind(session.versions.user)
    .bind(session.versions.tenant)
    .bind(session.versions.global)
    .bind(session.assurance.as_str())
    .bind(micros(session.authenticated_at))
    .bind(micros(session.last_seen_at))
    .bind(i32::try_from(session.idle.num_seconds()).unwrap_or(i32::MAX))
    .bind(micros(session.expires_at))
    .bind(session.ip.to_string())
    .bind(session.user_agent.as_deref())
    .execute(pool)
    .await
    .map(drop)
}

pub(super) async fn resolve(pool: &SqlitePool, digest: &Digest, now: DateTime<Utc>) -> Result<Option<SessionRecord>> {
    let row = query(
        "SELECT s.* FROM main.stockade_auth_current_session s
         WHERE s.digest = ?1 AND s.expires_at > ?2 AND s.last_seen_at + s.idle_seconds * 1000000 > ?2",
    )
    .bind(bytes(digest))
    .bind(micros(now))
    .fetch_optional(pool)
    .await?;
    row.as_ref().map(record).transpose()
}

pub(super) async fn touch(
    pool: &SqlitePool,
    sid: SessionId,
    now: DateTime<Utc>,
    unless_after: DateTime<Utc>,
) -> Result<bool> {
    let done = query(
        "UPDATE main.stockade_auth_session SET last_seen_at = ?2
         WHERE sid = ?1 AND last_seen_at <= ?3 AND revoked_at IS NULL",
    )
    .bind(sid.as_uuid())
    .bind(micros(now))
    .bind(micros(unless_after))
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Replaces the digest of a live session, and says when it was proved anew if it was.
pub(super) async fn replace(
    pool: &SqlitePool,
    old: &Digest,
    new: &Digest,
    now: DateTime<Utc>,
    stepped_up_at: Option<DateTime<Utc>>,
) -> Result<Option<SessionRecord>> {
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let done = query(
        "UPDATE main.stockade_auth_session
         SET digest = ?2, last_seen_at = ?3, stepped_up_at = coalesce(?4, stepped_up_at)
         WHERE sid IN (
             SELECT s.sid FROM main.stockade_auth_current_session s
             WHERE s.digest = ?1 AND s.expires_at > ?3 AND s.last_seen_at + s.idle_seconds * 1000000 > ?3)",
    )
    .bind(bytes(old))
    .bind(bytes(new))
    .bind(micros(now))
    .bind(stepped_up_at.map(micros))
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() != 1 {
        return Ok(None);
    }
    let row = query("SELECT s.* FROM main.stockade_auth_current_session s WHERE s.digest = ?1")
        .bind(bytes(new))
        .fetch_one(&mut *tx)
        .await?;
    tx.commit().await?;
    record(&row).map(Some)
}

pub(super) async fn revoke(pool: &SqlitePool, sid: SessionId, now: DateTime<Utc>) -> Result<Option<SessionRecord>> {
    let rows = query(
        "UPDATE main.stockade_auth_session SET revoked_at = ?2 WHERE sid = ?1 AND revoked_at IS NULL
         RETURNING *, NULL AS mfa_required_from",
    )
    .bind(sid.as_uuid())
    .bind(micros(now))
    .fetch_all(pool)
    .await?;
    rows.first().map(record).transpose()
}

pub(super) async fn of_user(pool: &SqlitePool, user: UserId, now: DateTime<Utc>) -> Result<Vec<SessionRecord>> {
    let rows = query(
        "SELECT s.* FROM main.stockade_auth_current_session s
         WHERE s.user_id = ?1 AND s.expires_at > ?2 AND s.last_seen_at + s.idle_seconds * 1000000 > ?2
         ORDER BY s.authenticated_at DESC, s.sid DESC",
    )
    .bind(user.as_uuid())
    .bind(micros(now))
    .fetch_all(pool)
    .await?;
    rows.iter().map(record).collect()
}

pub(super) fn record(row: &SqliteRow) -> Result<SessionRecord> {
    let assurance: &str = row.try_get("assurance")?;
    Ok(SessionRecord {
        sid: id(row, "sid")?,
        user: id(row, "user_id")?,
        tenant: id(row, "tenant_id")?,
        versions: versions(row)?,
        assurance: Assurance::of(assurance),
        authenticated_at: time(row, "authenticated_at")?,
        last_seen_at: time(row, "last_seen_at")?,
        idle: TimeDelta::seconds(row.try_get::<i32, _>("idle_seconds")?.into()),
        expires_at: time(row, "expires_at")?,
        ip: parsed(row.try_get("ip")?)?,
        user_agent: row.try_get("user_agent")?,
        mfa_required_from: optional_time(row, "mfa_required_from")?,
    })
}
