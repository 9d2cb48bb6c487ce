//! Which calls change what is kept, and that all others go to the primary store as they are.

use std::{net::IpAddr, num::NonZeroU32};

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use redis::aio::ConnectionLike;

use super::{
    CachedStore,
    names::Subject::{All, Session, Token},
};
use crate::{
    error::Result,
    id::{ApiTokenId, ConnectionId, ImpersonationId, SessionId, TenantId, UserId},
    impersonation::ImpersonationPolicy,
    lockout::LockoutPolicy,
    network::{KnownNetwork, Network, NetworkStatus},
    policy::{MfaRule, TenantPolicy},
    session::{Scope, Stats},
    store::*,
    sweep::Swept,
};

/// `pass! { Trait: fn ..; }` passes calls to the primary store. After one that `forgets` something, whatever its outcome, Redis is told:
/// a call that failed may have been carried out.
macro_rules! pass {
    ($trait:ident:
     $(fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $output:ty $(, forgets $subject:expr)?;)*
     $(also $($own:tt)*)?) => {
        impl<S: Store, C: ConnectionLike + Clone + Send + Sync + 'static> $trait for CachedStore<S, C> {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$output> {
                pass!(@call self, $trait::$name(&self.primary, $($arg),*) $(, $subject)?)
            })*
            $($($own)*)?
        }
    };
    (@call $this:ident, $call:expr) => { $call.await };
    (@call $this:ident, $call:expr, $subject:expr) => {{
        let outcome = $call.await;
        $this.cache.forget($subject).await;
        outcome
    }};
}

pass! { Store:
    fn insert_account(account: &NewAccountRecord) -> bool;
    fn account(by: Lookup<'_>) -> Option<AccountRecord>;
    fn replace_password_hash(user: UserId, old: &str, new: &str) -> bool;
    fn put_pending_totp(user: UserId, sealed_seed: &[u8]) -> bool;
    fn totp(user: UserId) -> Option<TotpRecord>;
    fn activate_totp(user: UserId, sealed_seed: &[u8], step: i64) -> bool, forgets All(user.into());
    fn consume_totp_step(user: UserId, sealed_seed: &[u8], step: i64) -> bool;
    fn reserve_attempt(bucket: &Digest, policy: &LockoutPolicy, now: DateTime<Utc>) -> Reservation;
    fn clear_attempts(bucket: &Digest) -> ();
    fn insert_flow(digest: &Digest, flow: &FlowRecord) -> ();
    fn flow(digest: &Digest, now: DateTime<Utc>) -> Option<FlowRecord>;
    fn finish_flow(digest: &Digest, now: DateTime<Utc>) -> bool;
    fn insert_session(digest: &Digest, session: &SessionRecord) -> ();
    fn rotate(old: &Digest, new: &Digest, now: DateTime<Utc>) -> Option<SessionRecord>, forgets Token(*old);
    fn revoke(sid: SessionId, now: DateTime<Utc>) -> Option<SessionRecord>, forgets Session(sid);
    fn bump_version(scope: Scope) -> bool, forgets All(scope);
    fn sessions(user: UserId, now: DateTime<Utc>) -> Vec<SessionRecord>;
    fn stats(prefix: &str) -> Stats;
    also
    async fn resolve(&self, digest: &Digest, now: DateTime<Utc>) -> Result<Option<SessionRecord>> {
        self.look(digest, now).await
    }

    /// What is kept has an older last use than the primary store: nobody's session ends or lasts by it, but it asks for a touch each
    /// time until it is renewed.
    async fn touch(&self, sid: SessionId, now: DateTime<Utc>, unless_after: DateTime<Utc>) -> Result<bool> {
        let touched = self.primary.touch(sid, now, unless_after).await?;
        self.cache.refresh(Session(sid)).await;
        Ok(touched)
    }
}

pass! { CredentialStore:
    fn step_up(old: &Digest, new: &Digest, now: DateTime<Utc>) -> Option<SessionRecord>, forgets Token(*old);
    fn change_password(user: UserId, old: &str, new: &str) -> Option<Versions>, forgets All(user.into());
    fn insert_reset(digest: &Digest, reset: &ResetRecord) -> ();
    fn reset(digest: &Digest, now: DateTime<Utc>) -> Option<UserId>;
    fn put_identifier_change(change: &IdentifierChangeRecord) -> bool;
    also
    async fn redeem_reset(&self, digest: &Digest, new_hash: &str, now: DateTime<Utc>) -> Result<bool> {
        let user = self.primary.reset(digest, now).await?;
        let outcome = self.primary.redeem_reset(digest, new_hash, now).await;
        if let Some(user) = user {
            self.cache.forget(All(user.into())).await;
        }
        outcome
    }

    async fn confirm_identifier_change(&self, digest: &Digest, now: DateTime<Utc>) -> Result<IdentifierConfirmation> {
        let outcome = self.primary.confirm_identifier_change(digest, now).await?;
        if let IdentifierConfirmation::Changed(user) = outcome {
            self.cache.forget(All(user.into())).await;
        }
        Ok(outcome)
    }
}

pass! { PolicyStore:
    fn tenant_policy(tenant: TenantId) -> TenantPolicy;
    fn put_tenant_policy(tenant: TenantId, policy: &TenantPolicy) -> (), forgets All(tenant.into());
    fn put_mfa_rule(user: UserId, rule: MfaRule) -> bool, forgets All(user.into());
    fn suspend_account(user: UserId) -> bool, forgets All(user.into());
    fn reactivate_account(user: UserId) -> bool;
    fn delete_account(user: UserId, now: DateTime<Utc>) -> bool, forgets All(user.into());
}

pass! { FactorStore:
    fn remove_totp(user: UserId) -> bool, forgets All(user.into());
    fn put_replacement_totp(user: UserId, sealed_seed: &[u8]) -> bool;
    fn replacement_totp(user: UserId) -> Option<Vec<u8>>;
    fn swap_totp(user: UserId, sealed_seed: &[u8], step: i64) -> bool, forgets All(user.into());
}

pass! { RecoveryStore:
    fn put_recovery_codes(user: UserId, codes: &[Digest]) -> bool;
    fn consume_recovery_code(user: UserId, candidates: &[Digest]) -> Option<u32>;
    fn recovery_codes_left(user: UserId) -> u32;
}

pass! { NetworkStore:
    fn is_known_network(user: UserId, network: Network, since: DateTime<Utc>) -> bool;
    fn note_network(
        user: UserId, network: Network, now: DateTime<Utc>, since: DateTime<Utc>, keep: u32
    ) -> NetworkStatus;
    fn networks(user: UserId) -> Vec<KnownNetwork>;
    fn forget_networks(user: UserId, which: Option<Network>) -> u64;
}

pass! { SweepStore:
    fn sweep(bounds: &SweepBounds, batch: u32) -> Swept;
}

pass! { ApiTokenStore:
    fn insert_api_token(token: &ApiTokenRecord) -> bool;
    fn api_token(by: ApiTokenLookup<'_>) -> Option<FoundApiToken>;
    fn api_tokens(within: Scope) -> Vec<ApiTokenRecord>;
    fn touch_api_token(id: ApiTokenId, now: DateTime<Utc>, ip: IpAddr, unless_after: DateTime<Utc>) -> bool;
    fn note_api_token_network(id: ApiTokenId, network: IpNet, most: usize) -> bool;
    fn replace_api_token_verifier(id: ApiTokenId, old: &ApiTokenVerifier, new: &ApiTokenVerifier) -> bool;
    fn rotate_api_token(
        within: Scope, id: ApiTokenId, successor: &ApiTokenSuccessor, old_ends: DateTime<Utc>, now: DateTime<Utc>
    ) -> Option<ApiTokenRecord>;
    fn narrow_api_token(within: Scope, id: ApiTokenId, scopes: &[String]) -> Option<ApiTokenRecord>;
    fn revoke_api_token(within: Scope, id: ApiTokenId, now: DateTime<Utc>) -> Option<ApiTokenRecord>;
    fn revoke_api_tokens(within: Scope, now: DateTime<Utc>) -> u64;
}

pass! { ImpersonationStore:
    fn insert_impersonation(digest: &Digest, record: &ImpersonationRecord) -> bool;
    fn impersonation(digest: &Digest, session: SessionId, now: DateTime<Utc>) -> Option<ImpersonationRecord>;
    fn impersonation_by_id(id: ImpersonationId, now: DateTime<Utc>) -> Option<(Digest, ImpersonationRecord)>;
    fn end_impersonations(ending: Ending, now: DateTime<Utc>) -> Vec<ImpersonationRecord>;
    fn impersonations(tenant: TenantId, most: NonZeroU32) -> Vec<ImpersonationRecord>;
    fn impersonation_policy(tenant: TenantId) -> ImpersonationPolicy;
    fn set_impersonation_policy(tenant: TenantId, policy: ImpersonationPolicy) -> bool;
}

pass! { ConnectionStore:
    fn insert_connection(record: &ConnectionRecord) -> bool;
    fn connection(within: Scope, id: ConnectionId) -> Option<ConnectionRecord>;
    fn connections(within: Scope) -> Vec<ConnectionRecord>;
    fn lease_connection(id: ConnectionId, generation: i64, now: DateTime<Utc>, until: DateTime<Utc>) -> bool;
    fn keep_connection(
        id: ConnectionId, generation: i64, sealed: &[u8], expires_at: Option<DateTime<Utc>>, now: DateTime<Utc>
    ) -> bool;
    fn release_connection(id: ConnectionId, generation: i64) -> bool;
    fn end_connection(
        within: Scope, id: ConnectionId, generation: Option<i64>, now: DateTime<Utc>
    ) -> Option<ConnectionRecord>;
}

pass! { RefreshStore:
    fn session_by_id(sid: SessionId, now: DateTime<Utc>) -> Option<(Digest, SessionRecord)>;
    fn insert_refresh(digest: &Digest, sid: SessionId, now: DateTime<Utc>) -> bool;
    fn use_refresh(old: &Digest, new: &Digest, now: DateTime<Utc>) -> Option<SessionId>;
    fn used_refresh(digest: &Digest) -> Option<SessionId>;
}
