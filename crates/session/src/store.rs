//! Where accounts, attempts, pending sign-ins and sessions are kept.
//!
//! An application needs nothing of this module; it is for those who write a [`Store`] of their own.

mod api_token;
mod credential;
mod erased;
mod impersonation;
mod memory;
mod network;
mod policy;
mod record;
mod recovery;
mod sweep;

use std::future::Future;

use chrono::{DateTime, Utc};

use crate::{
    error::Result,
    id::{SessionId, UserId},
    lockout::LockoutPolicy,
    session::{Scope, Stats},
};

pub use api_token::{
    ApiTokenLookup, ApiTokenRecord, ApiTokenStore, ApiTokenSuccessor, ApiTokenVerifier, FoundApiToken,
};
pub use credential::{CredentialStore, IdentifierConfirmation};
pub(crate) use erased::ErasedStore;
pub use impersonation::{Ending, ImpersonationRecord, ImpersonationStore};
pub use memory::MemoryStore;
pub use network::NetworkStore;
pub use policy::{PolicyStore, tombstone};
pub use record::{
    AccountRecord, Digest, FlowRecord, IdentifierChangeRecord, Lookup, NewAccountRecord, Reservation, ResetRecord,
    SessionRecord, TotpRecord, TotpState, Versions,
};
pub use recovery::{FactorStore, RecoveryStore};
pub use sweep::{SweepBounds, SweepStore};

/// The persistence of an [`Auth`](crate::Auth).
///
/// Every method is one atomic step, and every change is a compare-and-swap: it states what must still be true and says whether it
/// was, so that no caller reads, decides and then writes. Times come from the caller, in whole microseconds.
///
/// A session or pending sign-in is **current** while the [`Versions`] it holds equal those of its user, its tenant and everybody, and the
/// account is [`Active`](crate::AccountStatus::Active). Versions start at 0 and only grow.
pub trait Store:
    ApiTokenStore
    + CredentialStore
    + FactorStore
    + ImpersonationStore
    + NetworkStore
    + PolicyStore
    + RecoveryStore
    + SweepStore
    + Send
    + Sync
    + 'static
{
    /// Adds an account. False if its user or its identifier is there already.
    fn insert_account(&self, account: &NewAccountRecord) -> impl Future<Output = Result<bool>> + Send;

    /// Finds an account.
    fn account(&self, by: Lookup<'_>) -> impl Future<Output = Result<Option<AccountRecord>>> + Send;

    /// Replaces a password hash if it is still `old`.
    fn replace_password_hash(&self, user: UserId, old: &str, new: &str) -> impl Future<Output = Result<bool>> + Send;

    /// Puts a seed in the state [`Pending`](TotpState::Pending), over a pending one if there is one. False if the user has an active
    /// seed, or no account.
    fn put_pending_totp(&self, user: UserId, sealed_seed: &[u8]) -> impl Future<Output = Result<bool>> + Send;

    /// The seed of a user.
    fn totp(&self, user: UserId) -> impl Future<Output = Result<Option<TotpRecord>>> + Send;

    /// If the user's seed is pending and still `sealed_seed`: makes it active, with `step` as its last step, and adds one to the
    /// user's version, all at once.
    fn activate_totp(&self, user: UserId, sealed_seed: &[u8], step: i64) -> impl Future<Output = Result<bool>> + Send;

    /// If the user's seed is active and still `sealed_seed`, and its last step is smaller than `step`: makes `step` the last step.
    fn consume_totp_step(
        &self,
        user: UserId,
        sealed_seed: &[u8],
        step: i64,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Counts an attempt in a bucket, unless the bucket is locked. The attempt is number one if the last one is older than the
    /// policy's memory. It locks the bucket for [`LockoutPolicy::lock_after`] its number.
    fn reserve_attempt(
        &self,
        bucket: &Digest,
        policy: &LockoutPolicy,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Reservation>> + Send;

    /// Forgets the attempts and the lock of a bucket.
    fn clear_attempts(&self, bucket: &Digest) -> impl Future<Output = Result<()>> + Send;

    /// Adds a pending sign-in.
    fn insert_flow(&self, digest: &Digest, flow: &FlowRecord) -> impl Future<Output = Result<()>> + Send;

    /// A pending sign-in that is current and not expired (`expires_at > now`).
    fn flow(&self, digest: &Digest, now: DateTime<Utc>) -> impl Future<Output = Result<Option<FlowRecord>>> + Send;

    /// Removes a pending sign-in that [`flow`](Self::flow) would find. Of simultaneous calls one is true.
    fn finish_flow(&self, digest: &Digest, now: DateTime<Utc>) -> impl Future<Output = Result<bool>> + Send;

    /// Adds a session.
    fn insert_session(&self, digest: &Digest, session: &SessionRecord) -> impl Future<Output = Result<()>> + Send;

    /// A session that is live: current, not revoked, `last_seen_at + idle > now` and `expires_at > now`. One query.
    ///
    /// Here and wherever a session is given, `idle` and `expires_at` are the tighter of the session's own and those of the tenant's
    /// [policy](crate::TenantPolicy), and `mfa_required_from` is the earlier of the account's and the tenant's.
    fn resolve(
        &self,
        digest: &Digest,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Option<SessionRecord>>> + Send;

    /// Sets the last use to `now` if it is at or before `unless_after` and the session is not revoked.
    fn touch(
        &self,
        sid: SessionId,
        now: DateTime<Utc>,
        unless_after: DateTime<Utc>,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Replaces the digest of a live session and sets its last use to `now`. Of simultaneous calls one finds it.
    fn rotate(
        &self,
        old: &Digest,
        new: &Digest,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Option<SessionRecord>>> + Send;

    /// Revokes a session for good. Nothing if there is none or it was revoked before.
    fn revoke(&self, sid: SessionId, now: DateTime<Utc>) -> impl Future<Output = Result<Option<SessionRecord>>> + Send;

    /// Adds one to the version of a scope. False if it is a user without an account, or with a deleted one.
    fn bump_version(&self, scope: Scope) -> impl Future<Output = Result<bool>> + Send;

    /// The live sessions of a user, newest first.
    fn sessions(&self, user: UserId, now: DateTime<Utc>) -> impl Future<Output = Result<Vec<SessionRecord>>> + Send;

    /// Counts accounts; a hash is current if it begins with `prefix`.
    fn stats(&self, prefix: &str) -> impl Future<Output = Result<Stats>> + Send;
}
