//! API tokens: making, listing, changing and ending them.

mod authenticate;

use std::{fmt, time::Duration};

use chrono::TimeDelta;

use super::Inner;
use crate::{
    api_token::{ApiToken, ApiTokenPolicy, IssuedApiToken, NewApiToken, Presented, TokenLife},
    error::{Error, Result},
    event::SecurityEvent,
    id::ApiTokenId,
    key::Purpose,
    session::Scope,
    store::{ApiTokenRecord, ApiTokenSuccessor, ApiTokenVerifier, Lookup},
};

/// API tokens; see [`Auth::api_tokens`](crate::Auth::api_tokens).
///
/// Nothing here asks who is calling. `within` says whose tokens a call may reach, and a token of somebody else is not found, so that a
/// page can pass on what a form sent: the signed-in user, an administrator's tenant, or [`Scope::Global`].
pub struct ApiTokens<'a>(&'a Inner);

impl<'a> ApiTokens<'a> {
    pub(super) fn new(inner: &'a Inner) -> Self {
        Self(inner)
    }

    /// Makes a token.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if a scope is not known to the [`ApiTokenPolicy`] or another part of `new` breaks its rule; `NotFound` if the
    /// user has no active account; `Configuration` without a policy; `Random`; `Store`.
    pub async fn create(&self, new: NewApiToken) -> Result<IssuedApiToken> {
        let policy = self.policy()?;
        let (scopes, life) = policy.check(&new)?;
        let account = self.0.store.account(Lookup::User(new.user)).await?.ok_or_else(Error::not_found)?;
        let now = self.0.now();
        let (text, verifier) = self.secret(ApiTokenId::generate(now)?)?;
        let record = ApiTokenRecord {
            id: text.id,
            user: account.user,
            tenant: account.tenant,
            name: new.name,
            scopes,
            networks: new.networks,
            legacy_lookup: None,
            verifier,
            created_at: now,
            expires_at: life.map(|life| now + life),
            last_used_at: None,
            last_used_ip: None,
            seen: Vec::new(),
            rotated_to: None,
            revoked_at: None,
        };
        if !self.0.store.insert_api_token(&record).await? {
            return Err(Error::not_found());
        }
        let (id, user, tenant) = (record.id, record.user, record.tenant);
        self.0.emit(&SecurityEvent::ApiTokenCreated { id, user, tenant });
        Ok(IssuedApiToken::new(text.text(), record.into()))
    }

    /// The tokens that are not revoked, newest first, those that have expired among them.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn list(&self, within: impl Into<Scope>) -> Result<Vec<ApiToken>> {
        Ok(self.0.store.api_tokens(within.into()).await?.into_iter().map(ApiToken::from).collect())
    }

    /// Makes a token that takes another's place, with its owner, name, scopes and networks and a life of its own. The other one ends
    /// after `overlap` (at most 30 days, in whole seconds) or at its own end, whichever comes first. Nothing if there is no such
    /// token, or it has ended, or another rotation came first.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if `overlap` or `life` is out of its range; `Configuration` without a policy; `Random`; `Store`.
    pub async fn rotate(
        &self,
        within: impl Into<Scope>,
        id: ApiTokenId,
        life: TokenLife,
        overlap: Duration,
    ) -> Result<Option<IssuedApiToken>> {
        let overlap = i64::try_from(overlap.as_secs()).ok().and_then(TimeDelta::try_seconds);
        let overlap = overlap.filter(|overlap| *overlap <= TimeDelta::days(30));
        let overlap = overlap.ok_or_else(|| Error::invalid("a rotated token lives on for 30 days at most"))?;
        let (life, now) = (life.span()?, self.0.now());
        let (text, verifier) = self.secret(ApiTokenId::generate(now)?)?;
        let successor = ApiTokenSuccessor { id: text.id, verifier, expires_at: life.map(|life| now + life) };
        let rotated = self.0.store.rotate_api_token(within.into(), id, &successor, now + overlap, now).await?;
        let Some(record) = rotated else { return Ok(None) };
        let (to, user, tenant) = (record.id, record.user, record.tenant);
        self.0.emit(&SecurityEvent::ApiTokenRotated { id, to, user, tenant });
        Ok(Some(IssuedApiToken::new(text.text(), record.into())))
    }

    /// Takes scopes away: leaves those of `scopes`, which the token must have. There is no way to add one. Nothing if there is no such
    /// token, or it has not all of them.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if a scope is not known to the [`ApiTokenPolicy`] or none is left; `Configuration` without a policy; `Store`.
    pub async fn narrow(
        &self,
        within: impl Into<Scope>,
        id: ApiTokenId,
        scopes: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Option<ApiToken>> {
        let scopes = self.policy()?.scopes(scopes.into_iter().map(Into::into).collect())?;
        let narrowed = self.0.store.narrow_api_token(within.into(), id, &scopes).await?;
        Ok(narrowed.map(|record| {
            let (user, tenant) = (record.user, record.tenant);
            self.0.emit(&SecurityEvent::ApiTokenNarrowed { id, user, tenant });
            record.into()
        }))
    }

    /// Ends a token for good. False if there is no such token, or it was revoked before.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn revoke(&self, within: impl Into<Scope>, id: ApiTokenId) -> Result<bool> {
        let revoked = self.0.store.revoke_api_token(within.into(), id, self.0.now()).await?;
        if let Some(record) = &revoked {
            let (user, tenant) = (record.user, record.tenant);
            self.0.emit(&SecurityEvent::ApiTokenRevoked { id, user, tenant });
        }
        Ok(revoked.is_some())
    }

    /// Ends every token of a user, a tenant or everybody, and counts them. [`Auth::revoke_all`](crate::Auth::revoke_all) does not do
    /// this: a password that was changed should not stop a program. After a takeover do both, sessions first.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn revoke_all(&self, within: impl Into<Scope>) -> Result<u64> {
        let scope = within.into();
        let number = self.0.store.revoke_api_tokens(scope, self.0.now()).await?;
        self.0.emit(&SecurityEvent::ApiTokensRevoked { scope, number });
        Ok(number)
    }

    fn policy(&self) -> Result<&ApiTokenPolicy> {
        self.0.api_tokens.as_ref().ok_or_else(|| Error::configuration("api tokens need a policy"))
    }

    fn secret(&self, id: ApiTokenId) -> Result<(Presented, ApiTokenVerifier)> {
        let text = Presented::generate(self.policy()?, id)?;
        let verifier = self.keyed(text.body());
        Ok((text, verifier))
    }

    fn keyed(&self, body: &[u8]) -> ApiTokenVerifier {
        let keys = &self.0.keys;
        ApiTokenVerifier::Keyed { key: keys.active_id(), digest: keys.active_digest(Purpose::ApiToken, body) }
    }
}

impl fmt::Debug for ApiTokens<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiTokens")
    }
}
