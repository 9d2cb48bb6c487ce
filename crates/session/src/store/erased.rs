//! A store behind a pointer, so that [`Auth`](crate::Auth) and [`Flow`](crate::Flow) need no type parameter for it.
//!
//! The price is one allocation a query.

use chrono::{DateTime, Utc};

use super::{
    AccountRecord, CredentialStore, Digest, FactorStore, FlowRecord, IdentifierChangeRecord, IdentifierConfirmation,
    Lookup, NetworkStore, NewAccountRecord, PolicyStore, RecoveryStore, Reservation, ResetRecord, SessionRecord, Store,
    SweepBounds, SweepStore, TotpRecord, Versions, api_token::ErasedApiTokenStore, connection::ErasedConnectionStore,
    impersonation::ErasedImpersonationStore, refresh::ErasedRefreshStore,
};
use crate::{
    id::{SessionId, TenantId, UserId},
    lockout::LockoutPolicy,
    network::{KnownNetwork, Network, NetworkStatus},
    policy::{MfaRule, TenantPolicy},
    session::{Scope, Stats},
    sweep::Swept,
};

/// `erase! { trait Erased(Plain): Supertraits; fn ..; }` declares `Erased`, which is `Plain` with boxed futures.
macro_rules! erase {
    (trait $erased:ident($store:ident)$(: $super:path $(, $more:path)*)?;
     $(fn $name:ident($($arg:ident: $type:ty),*) -> $output:ty;)*) => {
        #[doc = concat!("[`", stringify!($store), "`] with boxed futures.")]
        pub(crate) trait $erased: Send + Sync $(+ $super $(+ $more)*)? {
            $(fn $name<'a>(&'a self, $($arg: $type),*)
                -> ::std::pin::Pin<Box<dyn Future<Output = $crate::error::Result<$output>> + Send + 'a>>;)*
        }

        impl<S: $store> $erased for S {
            $(fn $name<'a>(&'a self, $($arg: $type),*)
                -> ::std::pin::Pin<Box<dyn Future<Output = $crate::error::Result<$output>> + Send + 'a>> {
                Box::pin($store::$name(self, $($arg),*))
            })*
        }
    };
}
pub(super) use erase;

/// [`Store`] with its parts, with boxed futures.
pub(crate) trait ErasedStore:
    ErasedCore
    + ErasedRecovery
    + ErasedFactors
    + ErasedPolicy
    + ErasedCredentials
    + ErasedNetworks
    + ErasedSweep
    + ErasedApiTokenStore
    + ErasedImpersonationStore
    + ErasedConnectionStore
    + ErasedRefreshStore
{
}

impl<S: Store> ErasedStore for S {}

erase! {
    trait ErasedCore(Store);
    fn insert_account(account: &'a NewAccountRecord) -> bool;
    fn account(by: Lookup<'a>) -> Option<AccountRecord>;
    fn replace_password_hash(user: UserId, old: &'a str, new: &'a str) -> bool;
    fn put_pending_totp(user: UserId, sealed_seed: &'a [u8]) -> bool;
    fn totp(user: UserId) -> Option<TotpRecord>;
    fn activate_totp(user: UserId, sealed_seed: &'a [u8], step: i64) -> bool;
    fn consume_totp_step(user: UserId, sealed_seed: &'a [u8], step: i64) -> bool;
    fn reserve_attempt(bucket: &'a Digest, policy: &'a LockoutPolicy, now: DateTime<Utc>) -> Reservation;
    fn clear_attempts(bucket: &'a Digest) -> ();
    fn insert_flow(digest: &'a Digest, flow: &'a FlowRecord) -> ();
    fn flow(digest: &'a Digest, now: DateTime<Utc>) -> Option<FlowRecord>;
    fn finish_flow(digest: &'a Digest, now: DateTime<Utc>) -> bool;
    fn insert_session(digest: &'a Digest, session: &'a SessionRecord) -> ();
    fn resolve(digest: &'a Digest, now: DateTime<Utc>) -> Option<SessionRecord>;
    fn touch(sid: SessionId, now: DateTime<Utc>, unless_after: DateTime<Utc>) -> bool;
    fn rotate(old: &'a Digest, new: &'a Digest, now: DateTime<Utc>) -> Option<SessionRecord>;
    fn revoke(sid: SessionId, now: DateTime<Utc>) -> Option<SessionRecord>;
    fn bump_version(scope: Scope) -> bool;
    fn sessions(user: UserId, now: DateTime<Utc>) -> Vec<SessionRecord>;
    fn stats(prefix: &'a str) -> Stats;
}

erase! {
    trait ErasedRecovery(RecoveryStore);
    fn put_recovery_codes(user: UserId, codes: &'a [Digest]) -> bool;
    fn consume_recovery_code(user: UserId, candidates: &'a [Digest]) -> Option<u32>;
    fn recovery_codes_left(user: UserId) -> u32;
}

erase! {
    trait ErasedFactors(FactorStore);
    fn remove_totp(user: UserId) -> bool;
    fn put_replacement_totp(user: UserId, sealed_seed: &'a [u8]) -> bool;
    fn replacement_totp(user: UserId) -> Option<Vec<u8>>;
    fn swap_totp(user: UserId, sealed_seed: &'a [u8], step: i64) -> bool;
}

erase! {
    trait ErasedPolicy(PolicyStore);
    fn tenant_policy(tenant: TenantId) -> TenantPolicy;
    fn put_tenant_policy(tenant: TenantId, policy: &'a TenantPolicy) -> ();
    fn put_mfa_rule(user: UserId, rule: MfaRule) -> bool;
    fn suspend_account(user: UserId) -> bool;
    fn reactivate_account(user: UserId) -> bool;
    fn delete_account(user: UserId, now: DateTime<Utc>) -> bool;
}

erase! {
    trait ErasedCredentials(CredentialStore);
    fn step_up(old: &'a Digest, new: &'a Digest, now: DateTime<Utc>) -> Option<SessionRecord>;
    fn change_password(user: UserId, old: &'a str, new: &'a str) -> Option<Versions>;
    fn insert_reset(digest: &'a Digest, reset: &'a ResetRecord) -> ();
    fn reset(digest: &'a Digest, now: DateTime<Utc>) -> Option<UserId>;
    fn redeem_reset(digest: &'a Digest, new_hash: &'a str, now: DateTime<Utc>) -> bool;
    fn put_identifier_change(change: &'a IdentifierChangeRecord) -> bool;
    fn confirm_identifier_change(digest: &'a Digest, now: DateTime<Utc>) -> IdentifierConfirmation;
}

erase! {
    trait ErasedNetworks(NetworkStore);
    fn is_known_network(user: UserId, network: Network, since: DateTime<Utc>) -> bool;
    fn note_network(user: UserId, network: Network, now: DateTime<Utc>, since: DateTime<Utc>, keep: u32) -> NetworkStatus;
    fn networks(user: UserId) -> Vec<KnownNetwork>;
    fn forget_networks(user: UserId, which: Option<Network>) -> u64;
}

erase! {
    trait ErasedSweep(SweepStore);
    fn sweep(bounds: &'a SweepBounds, batch: u32) -> Swept;
}
