//! The status of accounts and what tenants demand.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Row, postgres::PgRow, query};

use super::{PgStore, store::failed};
use crate::{
    error::Result,
    id::{TenantId, UserId},
    policy::{MfaRule, TenantPolicy},
    session::SessionLimits,
    store::{PolicyStore, tombstone},
};

impl PolicyStore for PgStore {
    async fn tenant_policy(&self, tenant: TenantId) -> Result<TenantPolicy> {
        let row = query(
            "SELECT mfa_required_from, idle_seconds, absolute_seconds
             FROM stockade.auth_version WHERE scope = 'tenant' AND id = $1",
        )
        .bind(tenant.as_uuid())
        .fetch_optional(&self.0)
        .await
        .map_err(failed)?;
        row.as_ref().map_or(Ok(TenantPolicy::default()), policy)
    }

    async fn put_tenant_policy(&self, tenant: TenantId, policy: &TenantPolicy) -> Result<()> {
        let seconds = |limit: TimeDelta| i32::try_from(limit.num_seconds()).unwrap_or(i32::MAX);
        query(
            "INSERT INTO stockade.auth_version (scope, id, version, mfa_required_from, idle_seconds, absolute_seconds)
             VALUES ('tenant', $1, 0, $2, $3, $4)
             ON CONFLICT (scope, id) DO UPDATE SET mfa_required_from = excluded.mfa_required_from,
                 idle_seconds = excluded.idle_seconds, absolute_seconds = excluded.absolute_seconds",
        )
        .bind(tenant.as_uuid())
        .bind(policy.mfa.begins())
        .bind(policy.limits.map(|limits| seconds(limits.idle())))
        .bind(policy.limits.map(|limits| seconds(limits.absolute())))
        .execute(&self.0)
        .await
        .map(drop)
        .map_err(failed)
    }

    async fn put_mfa_rule(&self, user: UserId, rule: MfaRule) -> Result<bool> {
        let done =
            query("UPDATE stockade.auth_account SET mfa_required_from = $2 WHERE user_id = $1 AND status <> 'deleted'")
                .bind(user.as_uuid())
                .bind(rule.begins())
                .execute(&self.0)
                .await;
        Ok(done.map_err(failed)?.rows_affected() == 1)
    }

    async fn suspend_account(&self, user: UserId) -> Result<bool> {
        let done = query(
            "UPDATE stockade.auth_account SET status = 'suspended', version = version + 1
             WHERE user_id = $1 AND status = 'active'",
        )
        .bind(user.as_uuid())
        .execute(&self.0)
        .await;
        Ok(done.map_err(failed)?.rows_affected() == 1)
    }

    async fn reactivate_account(&self, user: UserId) -> Result<bool> {
        let done =
            query("UPDATE stockade.auth_account SET status = 'active' WHERE user_id = $1 AND status = 'suspended'")
                .bind(user.as_uuid())
                .execute(&self.0)
                .await;
        Ok(done.map_err(failed)?.rows_affected() == 1)
    }

    async fn delete_account(&self, user: UserId, now: DateTime<Utc>) -> Result<bool> {
        let done = query(
            "WITH deleted AS (
                 UPDATE stockade.auth_account
                 SET status = 'deleted', version = version + 1, identifier = $2, password_hash = '', mfa_required_from = NULL
                 WHERE user_id = $1 AND status <> 'deleted'
                 RETURNING user_id
             ), factor AS (DELETE FROM stockade.auth_totp x USING deleted d WHERE x.user_id = d.user_id
             ), codes AS (DELETE FROM stockade.auth_recovery x USING deleted d WHERE x.user_id = d.user_id
             ), networks AS (DELETE FROM stockade.auth_network x USING deleted d WHERE x.user_id = d.user_id
             ), resets AS (DELETE FROM stockade.auth_reset x USING deleted d WHERE x.user_id = d.user_id
             ), change AS (DELETE FROM stockade.auth_identifier_change x USING deleted d WHERE x.user_id = d.user_id
             ), connections AS (
                 UPDATE stockade.auth_connection x SET ended_at = $3, sealed = '', lease_until = NULL FROM deleted d
                 WHERE x.user_id = d.user_id AND x.ended_at IS NULL)
             SELECT FROM deleted",
        )
        .bind(user.as_uuid())
        .bind(tombstone(user))
        .bind(now)
        .fetch_optional(&self.0)
        .await;
        Ok(done.map_err(failed)?.is_some())
    }
}

fn policy(row: &PgRow) -> Result<TenantPolicy> {
    let seconds = |column: &str| -> Result<Option<Duration>> {
        let seconds: Option<i32> = row.try_get(column).map_err(failed)?;
        Ok(seconds.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs))
    };
    let limits = match (seconds("idle_seconds")?, seconds("absolute_seconds")?) {
        (Some(idle), Some(absolute)) => Some(SessionLimits::new(idle, absolute)?),
        _ => None,
    };
    Ok(TenantPolicy { mfa: MfaRule::from_begin(row.try_get("mfa_required_from").map_err(failed)?), limits })
}
