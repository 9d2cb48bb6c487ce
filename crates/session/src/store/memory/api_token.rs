//! API tokens in memory.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ipnet::IpNet;

use super::{MemoryStore, State};
use crate::{
    error::Result,
    id::{ApiTokenId, TenantId, UserId},
    policy::AccountStatus,
    session::Scope,
    store::{ApiTokenLookup, ApiTokenRecord, ApiTokenStore, ApiTokenSuccessor, ApiTokenVerifier, FoundApiToken},
};

impl State {
    /// Whether the user has an account in the tenant that may be used.
    pub(super) fn is_active(&self, user: UserId, tenant: TenantId) -> bool {
        let account = self.accounts.get(&user).filter(|account| account.status == AccountStatus::Active);
        account.is_some_and(|account| account.account.tenant == tenant)
    }

    fn unrevoked(&mut self, within: Scope, id: ApiTokenId) -> Option<&mut ApiTokenRecord> {
        self.api_tokens.get_mut(&id).filter(|token| token.revoked_at.is_none() && is_within(within, token))
    }
}

impl ApiTokenStore for MemoryStore {
    async fn insert_api_token(&self, token: &ApiTokenRecord) -> Result<bool> {
        let mut state = self.state();
        let taken = state.api_tokens.values().any(|other| {
            other.id == token.id || token.legacy_lookup.is_some() && other.legacy_lookup == token.legacy_lookup
        });
        if taken || !state.is_active(token.user, token.tenant) {
            return Ok(false);
        }
        state.api_tokens.insert(token.id, token.clone());
        Ok(true)
    }

    async fn api_token(&self, by: ApiTokenLookup<'_>) -> Result<Option<FoundApiToken>> {
        let state = self.state();
        let found = match by {
            ApiTokenLookup::Id(id) => state.api_tokens.get(&id),
            ApiTokenLookup::Legacy(name) => {
                state.api_tokens.values().find(|token| token.legacy_lookup.as_deref() == Some(name))
            }
        };
        Ok(found.map(|token| FoundApiToken {
            owner_is_active: state.is_active(token.user, token.tenant),
            token: token.clone(),
        }))
    }

    async fn api_tokens(&self, within: Scope) -> Result<Vec<ApiTokenRecord>> {
        let state = self.state();
        let tokens = state.api_tokens.values().filter(|token| token.revoked_at.is_none() && is_within(within, token));
        let mut tokens: Vec<_> = tokens.cloned().collect();
        tokens.sort_unstable_by_key(|token| std::cmp::Reverse((token.created_at, token.id)));
        Ok(tokens)
    }

    async fn touch_api_token(
        &self,
        id: ApiTokenId,
        now: DateTime<Utc>,
        ip: IpAddr,
        unless_after: DateTime<Utc>,
    ) -> Result<bool> {
        let mut state = self.state();
        let token = state.unrevoked(Scope::Global, id);
        let stale = token.filter(|token| token.last_used_at.is_none_or(|at| at <= unless_after));
        Ok(stale.map(|token| (token.last_used_at, token.last_used_ip) = (Some(now), Some(ip))).is_some())
    }

    async fn note_api_token_network(&self, id: ApiTokenId, network: IpNet, most: usize) -> Result<bool> {
        let mut state = self.state();
        let token = state.unrevoked(Scope::Global, id).filter(|token| !token.seen.contains(&network));
        Ok(token
            .map(|token| {
                token.seen.push(network);
                token.seen.drain(..token.seen.len().saturating_sub(most));
            })
            .is_some())
    }

    async fn replace_api_token_verifier(
        &self,
        id: ApiTokenId,
        old: &ApiTokenVerifier,
        new: &ApiTokenVerifier,
    ) -> Result<bool> {
        let mut state = self.state();
        let token = state.unrevoked(Scope::Global, id).filter(|token| token.verifier == *old);
        Ok(token.map(|token| token.verifier = new.clone()).is_some())
    }

    async fn rotate_api_token(
        &self,
        within: Scope,
        id: ApiTokenId,
        successor: &ApiTokenSuccessor,
        old_ends: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Option<ApiTokenRecord>> {
        let mut state = self.state();
        let owner = state.api_tokens.get(&id).map(|token| (token.user, token.tenant));
        let active = owner.is_some_and(|(user, tenant)| state.is_active(user, tenant));
        let token = state
            .unrevoked(within, id)
            .filter(|token| active && token.rotated_to.is_none() && token.expires_at.is_none_or(|end| end > now));
        let Some(token) = token else { return Ok(None) };
        token.rotated_to = Some(successor.id);
        token.expires_at = Some(token.expires_at.map_or(old_ends, |end| end.min(old_ends)));
        let new = ApiTokenRecord {
            id: successor.id,
            legacy_lookup: None,
            verifier: successor.verifier.clone(),
            created_at: now,
            expires_at: successor.expires_at,
            last_used_at: None,
            last_used_ip: None,
            rotated_to: None,
            ..token.clone()
        };
        state.api_tokens.insert(new.id, new.clone());
        Ok(Some(new))
    }

    async fn narrow_api_token(
        &self,
        within: Scope,
        id: ApiTokenId,
        scopes: &[String],
    ) -> Result<Option<ApiTokenRecord>> {
        let mut state = self.state();
        let token = state.unrevoked(within, id);
        let wider = token.filter(|token| scopes.iter().all(|scope| token.scopes.contains(scope)));
        Ok(wider.map(|token| {
            token.scopes = scopes.to_vec();
            token.clone()
        }))
    }

    async fn revoke_api_token(
        &self,
        within: Scope,
        id: ApiTokenId,
        now: DateTime<Utc>,
    ) -> Result<Option<ApiTokenRecord>> {
        let mut state = self.state();
        Ok(state.unrevoked(within, id).map(|token| {
            token.revoked_at = Some(now);
            token.clone()
        }))
    }

    async fn revoke_api_tokens(&self, within: Scope, now: DateTime<Utc>) -> Result<u64> {
        let mut state = self.state();
        let tokens = state.api_tokens.values_mut();
        let live = tokens.filter(|token| token.revoked_at.is_none() && is_within(within, token));
        let number = live.map(|token| token.revoked_at = Some(now)).count();
        Ok(u64::try_from(number).unwrap_or(u64::MAX))
    }
}

fn is_within(within: Scope, token: &ApiTokenRecord) -> bool {
    match within {
        Scope::User(user) => token.user == user,
        Scope::Tenant(tenant) => token.tenant == tenant,
        Scope::Global => true,
    }
}
