//! Proofs that are renewed and credentials that are changed.

use std::future::Future;

use chrono::{DateTime, Utc};

use super::{Digest, IdentifierChangeRecord, ResetRecord, SessionRecord, Versions};
use crate::{error::Result, id::UserId};

/// Step-up, and the change of passwords and identifiers.
pub trait CredentialStore: Send + Sync + 'static {
    /// [`Store::rotate`](super::Store::rotate), which also sets `authenticated_at` to `now`. It does not prolong the session.
    fn step_up(
        &self,
        old: &Digest,
        new: &Digest,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Option<SessionRecord>>> + Send;

    /// If the account is active and its password hash still `old`: makes it `new`, adds one to the user's version, and gives the
    /// versions afterwards, all at once.
    fn change_password(
        &self,
        user: UserId,
        old: &str,
        new: &str,
    ) -> impl Future<Output = Result<Option<Versions>>> + Send;

    /// Adds a reset. It is **current** while its version is the user's and the account is active.
    fn insert_reset(&self, digest: &Digest, reset: &ResetRecord) -> impl Future<Output = Result<()>> + Send;

    /// Whose reset it is, if it is current and not expired (`expires_at > now`).
    fn reset(&self, digest: &Digest, now: DateTime<Utc>) -> impl Future<Output = Result<Option<UserId>>> + Send;

    /// For a reset that [`reset`](Self::reset) would find: replaces the user's password hash and adds one to the user's version, which
    /// ends this reset and every other of the user, all at once. Of simultaneous calls for one user one is true.
    fn redeem_reset(
        &self,
        digest: &Digest,
        new_hash: &str,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Begins a change of identifier, in place of an earlier one of the user. False if there is no active account.
    fn put_identifier_change(&self, change: &IdentifierChangeRecord) -> impl Future<Output = Result<bool>> + Send;

    /// Confirms the side of a change whose digest this is, if the change is not expired, its version is still the user's and the account
    /// is active. With the last side, and unless another account has the new identifier, the account takes it and the user's version
    /// grows by one, all at once.
    fn confirm_identifier_change(
        &self,
        digest: &Digest,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<IdentifierConfirmation>> + Send;
}

/// What a confirmation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentifierConfirmation {
    /// There is no such change, or no longer.
    Ended,
    /// The other side is missing.
    Waiting,
    /// Another account has the identifier; nothing was changed.
    Taken,
    /// The account has its new identifier.
    Changed(UserId),
}
