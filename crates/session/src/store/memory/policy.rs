//! The status of accounts and what tenants demand.

use chrono::{DateTime, Utc};

use super::MemoryStore;
use crate::{
    error::Result,
    id::{TenantId, UserId},
    policy::{AccountStatus, MfaRule, TenantPolicy},
    store::{PolicyStore, tombstone},
};

impl PolicyStore for MemoryStore {
    async fn tenant_policy(&self, tenant: TenantId) -> Result<TenantPolicy> {
        Ok(self.state().policies.get(&tenant).copied().unwrap_or_default())
    }

    async fn put_tenant_policy(&self, tenant: TenantId, policy: &TenantPolicy) -> Result<()> {
        let kept = TenantPolicy { mfa: MfaRule::from_begin(policy.mfa.begins()), limits: policy.limits };
        self.state().policies.insert(tenant, kept);
        Ok(())
    }

    async fn put_mfa_rule(&self, user: UserId, rule: MfaRule) -> Result<bool> {
        let mut state = self.state();
        let account = state.accounts.get_mut(&user).filter(|account| account.status != AccountStatus::Deleted);
        Ok(account.map(|account| account.mfa = rule).is_some())
    }

    async fn suspend_account(&self, user: UserId) -> Result<bool> {
        let mut state = self.state();
        let account = state.accounts.get_mut(&user).filter(|account| account.status == AccountStatus::Active);
        Ok(account
            .map(|account| {
                account.status = AccountStatus::Suspended;
                account.version += 1;
            })
            .is_some())
    }

    async fn reactivate_account(&self, user: UserId) -> Result<bool> {
        let mut state = self.state();
        let account = state.accounts.get_mut(&user).filter(|account| account.status == AccountStatus::Suspended);
        Ok(account.map(|account| account.status = AccountStatus::Active).is_some())
    }

    async fn delete_account(&self, user: UserId, _: DateTime<Utc>) -> Result<bool> {
        let mut state = self.state();
        let Some(account) = state.accounts.get_mut(&user).filter(|a| a.status != AccountStatus::Deleted) else {
            return Ok(false);
        };
        account.status = AccountStatus::Deleted;
        account.version += 1;
        (account.totp, account.replacement) = (None, None);
        account.recovery.clear();
        account.networks.clear();
        account.account.password_hash.clear();
        let old = std::mem::replace(&mut account.account.identifier, tombstone(user));
        state.users.remove(&old);
        state.users.insert(tombstone(user), user);
        state.changes.remove(&user);
        state.connections.retain(|_, connection| connection.user != user);
        state.resets.retain(|_, reset| reset.user != Some(user));
        Ok(true)
    }
}
