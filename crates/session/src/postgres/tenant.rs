//! Sessions of the tenant of the caller's transaction, as the application's own role.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, Row, postgres::PgRow, query, query_as, query_scalar};
use uuid::Uuid;

use super::store::failed;
use crate::{
    error::Result,
    event::SecurityEvent,
    id::{SessionId, TenantId, UserId},
    session::{Assurance, Scope},
};

/// A live session, as an administrator of its tenant may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TenantSession {
    /// The public name of the session.
    pub sid: SessionId,
    /// Who is signed in.
    pub user: UserId,
    /// What was checked at sign-in.
    pub assurance: Assurance,
    /// When that was.
    pub authenticated_at: DateTime<Utc>,
    /// The last recorded use.
    pub last_seen_at: DateTime<Utc>,
    /// The absolute limit.
    pub expires_at: DateTime<Utc>,
    /// The address at sign-in.
    pub ip: IpAddr,
    /// The `User-Agent` at sign-in.
    pub user_agent: Option<String>,
}

/// The live sessions of the transaction's tenant, or of one user of it, newest first. None outside a tenant.
///
/// # Errors
///
/// `Store` if the store fails.
pub async fn tenant_sessions(
    executor: impl PgExecutor<'_>,
    user: Option<UserId>,
    now: DateTime<Utc>,
) -> Result<Vec<TenantSession>> {
    let rows = query("SELECT * FROM stockade.auth_tenant_sessions($1, $2)")
        .bind(user.map(UserId::as_uuid))
        .bind(now)
        .fetch_all(executor)
        .await
        .map_err(failed)?;
    rows.iter().map(|row| session(row).map_err(failed)).collect()
}

/// Ends a session of the transaction's tenant for good, once the transaction commits. Nothing if it is another tenant's, or ended before.
///
/// What it returns has been given to no [`Observer`](crate::Observer): put it into the audit trail in the same transaction.
///
/// # Errors
///
/// `Store` if the store fails, or the transaction may only read.
pub async fn revoke_in_tenant(
    executor: impl PgExecutor<'_>,
    sid: SessionId,
    now: DateTime<Utc>,
) -> Result<Option<SecurityEvent>> {
    let revoked: Option<(Uuid, Uuid)> = query_as("SELECT user_id, tenant_id FROM stockade.auth_tenant_revoke($1, $2)")
        .bind(sid.as_uuid())
        .bind(now)
        .fetch_optional(executor)
        .await
        .map_err(failed)?;
    Ok(revoked.map(|(user, tenant)| SecurityEvent::SessionRevoked { sid, user: user.into(), tenant: tenant.into() }))
}

/// Ends every session and every pending sign-in of a user of the transaction's tenant, once the transaction commits. Nothing if the
/// account is another tenant's. For what it returns see [`revoke_in_tenant`].
///
/// # Errors
///
/// `Store` if the store fails, or the transaction may only read.
pub async fn revoke_user_in_tenant(executor: impl PgExecutor<'_>, user: UserId) -> Result<Option<SecurityEvent>> {
    let revoked: bool = query_scalar("SELECT stockade.auth_tenant_revoke_user($1)")
        .bind(user.as_uuid())
        .fetch_one(executor)
        .await
        .map_err(failed)?;
    Ok(revoked.then_some(SecurityEvent::AllRevoked { scope: Scope::User(user) }))
}

/// Ends every session and every pending sign-in of the transaction's tenant, once the transaction commits. Nothing outside a tenant.
/// For what it returns see [`revoke_in_tenant`].
///
/// # Errors
///
/// `Store` if the store fails, or the transaction may only read.
pub async fn revoke_tenant(executor: impl PgExecutor<'_>) -> Result<Option<SecurityEvent>> {
    let tenant: Option<Uuid> =
        query_scalar("SELECT stockade.auth_tenant_revoke_all()").fetch_one(executor).await.map_err(failed)?;
    Ok(tenant.map(|tenant| SecurityEvent::AllRevoked { scope: Scope::Tenant(TenantId::from(tenant)) }))
}

fn session(row: &PgRow) -> sqlx::Result<TenantSession> {
    let ip: String = row.try_get("ip")?;
    Ok(TenantSession {
        sid: row.try_get::<Uuid, _>("sid")?.into(),
        user: row.try_get::<Uuid, _>("user_id")?.into(),
        assurance: Assurance::of(row.try_get("assurance")?),
        authenticated_at: row.try_get("authenticated_at")?,
        last_seen_at: row.try_get("last_seen_at")?,
        expires_at: row.try_get("expires_at")?,
        ip: ip.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        user_agent: row.try_get("user_agent")?,
    })
}
