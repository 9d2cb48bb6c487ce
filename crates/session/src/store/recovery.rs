//! Recovery codes, and second factors that are removed or replaced.

use std::future::Future;

use super::Digest;
use crate::{error::Result, id::UserId};

/// The recovery codes of users.
pub trait RecoveryStore: Send + Sync + 'static {
    /// Makes `codes` the unused codes of a user, in place of all earlier ones. False if the user has no active second factor.
    fn put_recovery_codes(&self, user: UserId, codes: &[Digest]) -> impl Future<Output = Result<bool>> + Send;

    /// Removes the user's code that is among `candidates`, and says how many are left. Nothing if none is. Of simultaneous calls with
    /// the same candidates one finds it.
    fn consume_recovery_code(
        &self,
        user: UserId,
        candidates: &[Digest],
    ) -> impl Future<Output = Result<Option<u32>>> + Send;

    /// How many unused codes a user has.
    fn recovery_codes_left(&self, user: UserId) -> impl Future<Output = Result<u32>> + Send;
}

/// The end of a second factor.
pub trait FactorStore: Send + Sync + 'static {
    /// Removes an active or pending seed with its replacement and the user's recovery codes, and adds one to the user's version, all at
    /// once. False if there is no seed.
    fn remove_totp(&self, user: UserId) -> impl Future<Output = Result<bool>> + Send;

    /// Puts a seed beside the user's active one, over an earlier replacement if there is one. False if the user has no active seed.
    fn put_replacement_totp(&self, user: UserId, sealed_seed: &[u8]) -> impl Future<Output = Result<bool>> + Send;

    /// The seed that waits beside the active one.
    fn replacement_totp(&self, user: UserId) -> impl Future<Output = Result<Option<Vec<u8>>>> + Send;

    /// If the user's replacement is still `sealed_seed`: makes it the active seed, with `step` as its last step, and adds one to the
    /// user's version, all at once.
    fn swap_totp(&self, user: UserId, sealed_seed: &[u8], step: i64) -> impl Future<Output = Result<bool>> + Send;
}
