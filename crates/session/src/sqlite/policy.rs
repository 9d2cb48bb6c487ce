//! The status of accounts and what tenants demand.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{Row, query, sqlite::SqliteRow};

use super::{
    SqliteStore,
    recovery::forget_codes,
    store::failed,
    value::{micros, optional_time},
};
use crate::{
    error::Result,
    id::{TenantId, UserId},
    policy::{MfaRule, TenantPolicy},
    session::SessionLimits,
    store::{PolicyStore, tombstone},
};

impl PolicyStore for SqliteStore {
    async fn tenant_policy(&self, tenant: TenantId) -> Result<TenantPolicy> {
        let row = query(
            "SELECT mfa_required_from, idle_seconds, absolute_seconds
             FROM main.stockade_auth_tenant_policy WHERE tenant_id = ?1",
        )
        .bind(tenant.as_uuid())
        .fetch_optional(&self.pool)
        .await
        .map_err(failed)?;
        row.as_ref().map_or(Ok(TenantPolicy::default()), policy)
    }

    async fn put_tenant_policy(&self, tenant: TenantId, policy: &TenantPolicy) -> Result<()> {
        let put = query(
            "INSERT INTO main.stockade_auth_tenant_policy (tenant_id, mfa_required_from, idle_seconds, absolute_seconds)
             VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (tenant_id) DO UPDATE SET mfa_required_from = excluded.mfa_required_from,
                 idle_seconds = excluded.idle_seconds, absolute_seconds = excluded.absolute_seconds",
        )
        .bind(tenant.as_uuid())
        .bind(policy.mfa.begins().map(micros))
        .bind(policy.limits.map(|limits| limits.idle().num_seconds()))
        .bind(policy.limits.map(|limits| limits.absolute().num_seconds()));
        self.write(put.execute(&self.pool)).await.map(drop)
    }

    async fn put_mfa_rule(&self, user: UserId, rule: MfaRule) -> Result<bool> {
        let put = query(
            "UPDATE main.stockade_auth_account SET mfa_required_from = ?2 WHERE user_id = ?1 AND status <> 'deleted'",
        )
        .bind(user.as_uuid())
        .bind(rule.begins().map(micros));
        Ok(self.write(put.execute(&self.pool)).await?.rows_affected() == 1)
    }

    async fn suspend_account(&self, user: UserId) -> Result<bool> {
        let suspend = query(
            "UPDATE main.stockade_auth_account SET status = 'suspended', version = version + 1
             WHERE user_id = ?1 AND status = 'active'",
        )
        .bind(user.as_uuid());
        Ok(self.write(suspend.execute(&self.pool)).await?.rows_affected() == 1)
    }

    async fn reactivate_account(&self, user: UserId) -> Result<bool> {
        let reactivate = query(
            "UPDATE main.stockade_auth_account SET status = 'active' WHERE user_id = ?1 AND status = 'suspended'",
        )
        .bind(user.as_uuid());
        Ok(self.write(reactivate.execute(&self.pool)).await?.rows_affected() == 1)
    }

    async fn delete_account(&self, user: UserId, now: DateTime<Utc>) -> Result<bool> {
        self.write(async {
            let mut tx = self.begin().await?;
            let deleted = query(
                "UPDATE main.stockade_auth_account SET status = 'deleted', version = version + 1, identifier = ?2,
                     password_hash = '', mfa_required_from = NULL
                 WHERE user_id = ?1 AND status <> 'deleted'",
            )
            .bind(user.as_uuid())
            .bind(tombstone(user));
            if deleted.execute(&mut *tx).await?.rows_affected() != 1 {
                return Ok(false);
            }
            forget_codes(&mut tx, user).await?;
            for remove in [
                "DELETE FROM main.stockade_auth_totp WHERE user_id = ?1",
                "DELETE FROM main.stockade_auth_network WHERE user_id = ?1",
                "DELETE FROM main.stockade_auth_reset WHERE user_id = ?1",
                "DELETE FROM main.stockade_auth_identifier_change WHERE user_id = ?1",
            ] {
                query(remove).bind(user.as_uuid()).execute(&mut *tx).await?;
            }
            let end = query(
                "UPDATE main.stockade_auth_connection SET ended_at = ?2, sealed = x'', lease_until = NULL
                 WHERE user_id = ?1 AND ended_at IS NULL",
            );
            end.bind(user.as_uuid()).bind(micros(now)).execute(&mut *tx).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }
}

fn policy(row: &SqliteRow) -> Result<TenantPolicy> {
    let seconds = |column: &str| -> Result<Option<Duration>> {
        let seconds: Option<i64> = row.try_get(column).map_err(failed)?;
        Ok(seconds.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs))
    };
    let limits = match (seconds("idle_seconds")?, seconds("absolute_seconds")?) {
        (Some(idle), Some(absolute)) => Some(SessionLimits::new(idle, absolute)?),
        _ => None,
    };
    Ok(TenantPolicy { mfa: MfaRule::from_begin(optional_time(row, "mfa_required_from").map_err(failed)?), limits })
}
