//! A store behind a pointer, so that [`Auth`](crate::Auth) and [`Flow`](crate::Flow) need no type parameter for it.
//!
//! The price is one allocation a query.

use chrono::{DateTime, Utc};

use super::{
    AccountRecord, Digest, FlowRecord, Lookup, NewAccountRecord, Reservation, SessionRecord, Store, TotpRecord,
    api_token::ErasedApiTokenStore, impersonation::ErasedImpersonationStore,
};
use crate::{
    id::{SessionId, UserId},
    lockout::LockoutPolicy,
    session::{Scope, Stats},
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

erase! {
    trait ErasedStore(Store): ErasedApiTokenStore, ErasedImpersonationStore;
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
