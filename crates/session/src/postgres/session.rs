//! Sessions.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{
    PgPool, Row, ValueRef,
    error::BoxDynError,
    postgres::{PgRow, PgValueRef, types::PgRecordDecoder},
    query, query_scalar,
};
use uuid::Uuid;

use super::account::versions;
use crate::{
    id::{SessionId, UserId},
    session::Assurance,
    store::{Digest, SessionRecord, Versions},
};

type Result<T> = sqlx::Result<T>;

pub(super) async fn insert(pool: &PgPool, digest: &Digest, session: &SessionRecord) -> Result<()> {
    query(
        "INSERT INTO stockade.auth_session
             (sid, digest, user_id, tenant_id, user_version, tenant_version, global_version, assurance,
              authenticated_at, last_seen_at, idle_seconds, expires_at, ip, user_agent)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(session.sid.as_uuid())
    .bind(digest.as_bytes().as_slice())
    .bind(session.user.as_uuid())
    .bind(session.tenant.as_uuid())
    .bind(session.versions.user)
    .bind(session.versions.tenant)
    .bind(session.versions.global)
    .bind(session.assurance.as_str())
    .bind(session.authenticated_at)
    .bind(session.last_seen_at)
    .bind(i32::try_from(session.idle.num_seconds()).unwrap_or(i32::MAX))
    .bind(session.expires_at)
    .bind(session.ip.to_string())
    .bind(session.user_agent.as_deref())
    .execute(pool)
    .await
    .map(drop)
}

pub(super) async fn resolve(pool: &PgPool, digest: &Digest, now: DateTime<Utc>) -> Result<Option<SessionRecord>> {
    let row = query("SELECT stockade.auth_look_up($1, $2)")
        .bind(digest.as_bytes().as_slice())
        .bind(now)
        .fetch_one(pool)
        .await?;
    let found = row.try_get_raw(0)?;
    if found.is_null() {
        return Ok(None);
    }
    looked_up(found).map(Some).map_err(sqlx::Error::Decode)
}

/// The fields of the one value that `auth_look_up` gives, in its order. What comes after them is not needed here.
fn looked_up(value: PgValueRef<'_>) -> std::result::Result<SessionRecord, BoxDynError> {
    let mut fields = PgRecordDecoder::new(value)?;
    Ok(SessionRecord {
        sid: fields.try_decode::<Uuid>()?.into(),
        user: fields.try_decode::<Uuid>()?.into(),
        tenant: fields.try_decode::<Uuid>()?.into(),
        versions: Versions { user: fields.try_decode()?, tenant: fields.try_decode()?, global: fields.try_decode()? },
        assurance: Assurance::of(&fields.try_decode::<String>()?),
        authenticated_at: fields.try_decode()?,
        last_seen_at: fields.try_decode()?,
        idle: TimeDelta::seconds(fields.try_decode::<i32>()?.into()),
        expires_at: fields.try_decode()?,
        ip: fields.try_decode::<String>()?.parse()?,
        user_agent: fields.try_decode()?,
        mfa_required_from: fields.try_decode()?,
    })
}

pub(super) async fn touch(
    pool: &PgPool,
    sid: SessionId,
    now: DateTime<Utc>,
    unless_after: DateTime<Utc>,
) -> Result<bool> {
    query_scalar("SELECT stockade.auth_record_use($1, $2, $3)")
        .bind(sid.as_uuid())
        .bind(now)
        .bind(unless_after)
        .fetch_one(pool)
        .await
}

pub(super) async fn rotate(
    pool: &PgPool,
    old: &Digest,
    new: &Digest,
    now: DateTime<Utc>,
) -> Result<Option<SessionRecord>> {
    let row = query(
        "WITH live AS MATERIALIZED (SELECT * FROM stockade.auth_resolve($1, $3)),
              changed AS (
                  UPDATE stockade.auth_session s SET digest = $2, last_seen_at = $3 FROM live
                  WHERE s.sid = live.sid AND s.digest = $1 AND s.revoked_at IS NULL
                  RETURNING s.sid, s.last_seen_at AS seen_at
              )
         SELECT live.sid, live.user_id, live.tenant_id, live.user_version, live.tenant_version, live.global_version,
                live.assurance, live.authenticated_at, changed.seen_at AS last_seen_at, live.idle_seconds, live.expires_at,
                live.ip, live.user_agent, live.mfa_required_from
         FROM live JOIN changed ON changed.sid = live.sid",
    )
    .bind(old.as_bytes().as_slice())
    .bind(new.as_bytes().as_slice())
    .bind(now)
    .fetch_optional(pool)
    .await?;
    row.as_ref().map(record).transpose()
}

pub(super) async fn revoke(pool: &PgPool, sid: SessionId, now: DateTime<Utc>) -> Result<Option<SessionRecord>> {
    let row = query(
        "UPDATE stockade.auth_session s SET revoked_at = $2 WHERE s.sid = $1 AND s.revoked_at IS NULL
         RETURNING s.*, NULL::timestamptz AS mfa_required_from",
    )
    .bind(sid.as_uuid())
    .bind(now)
    .fetch_optional(pool)
    .await?;
    row.as_ref().map(record).transpose()
}

pub(super) async fn of_user(pool: &PgPool, user: UserId, now: DateTime<Utc>) -> Result<Vec<SessionRecord>> {
    let rows = query(
        "SELECT s.* FROM stockade.auth_current_session s
         WHERE s.user_id = $1 AND s.expires_at > $2
           AND s.last_seen_at + make_interval(secs => s.idle_seconds) > $2
         ORDER BY s.authenticated_at DESC, s.sid DESC",
    )
    .bind(user.as_uuid())
    .bind(now)
    .fetch_all(pool)
    .await?;
    rows.iter().map(record).collect()
}

pub(super) fn record(row: &PgRow) -> Result<SessionRecord> {
    let ip: String = row.try_get("ip")?;
    let assurance: &str = row.try_get("assurance")?;
    Ok(SessionRecord {
        sid: row.try_get::<Uuid, _>("sid")?.into(),
        user: row.try_get::<Uuid, _>("user_id")?.into(),
        tenant: row.try_get::<Uuid, _>("tenant_id")?.into(),
        versions: versions(row)?,
        assurance: Assurance::of(assurance),
        authenticated_at: row.try_get("authenticated_at")?,
        last_seen_at: row.try_get("last_seen_at")?,
        idle: TimeDelta::seconds(row.try_get::<i32, _>("idle_seconds")?.into()),
        expires_at: row.try_get("expires_at")?,
        ip: ip.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        user_agent: row.try_get("user_agent")?,
        mfa_required_from: row.try_get("mfa_required_from")?,
    })
}
