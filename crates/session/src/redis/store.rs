//! The store that remembers look-ups.

use std::{fmt, sync::atomic::Ordering};

use chrono::{DateTime, Utc};
use redis::aio::ConnectionLike;

use super::{Staleness, cache::Cache, names::Subject};
use crate::{
    error::Result,
    id::SessionId,
    key::KeyRing,
    session::Scope,
    store::{Digest, SessionRecord, Store},
};

/// A [`Store`] whose [`resolve`](Store::resolve) is answered from Redis for as long as nothing has changed, and by `S` otherwise.
///
/// Every change is made in `S` first. When the call that made it returns, Redis has forgotten what the change concerns: a session, or
/// all of a user, a tenant or everybody. So a revocation holds from the next request of every process, however many requests
/// are under way. Redis itself decides nothing: what is missing, lost or evicted there is looked up, and what it holds is
/// authenticated with a subkey of the ring. [`Staleness`] bounds the rest: a change holds within that time even if Redis
/// could not be told, or was told and lost it, or if the future that made the change was dropped before it ended.
///
/// | | round trips to Redis | queries of `S` |
/// |---|---|---|
/// | a session that was looked up within [`Staleness`] | 1 | 0 |
/// | any other token | 2, or 1 if there is no such session | 1 |
/// | a change | 1 | as in `S`, and one more to use a reset |
/// | while Redis does not answer | 0, or 1 a second, of 250 ms at most; 1 for a change | as in `S` |
///
/// `C` is a connection that is cheap to clone and may be used by many tasks at once, such as `redis`'s `ConnectionManager`, to a server
/// that takes writes: a replica knows too little. All keys share a slot of a cluster. The waits use tokio's timer.
///
/// A change that was made past this store, such as by [`revoke_tenant`](crate::postgres::revoke_tenant) or by SQL, holds within
/// [`Staleness`], or at once if [`forget_session`](Self::forget_session) or [`forget_all`](Self::forget_all) is called after its commit.
#[derive(Clone)]
pub struct CachedStore<S, C> {
    pub(super) primary: S,
    pub(super) cache: Cache<C>,
}

/// What the cache of one process and its clones has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Look-ups that Redis answered.
    pub hits: u64,
    /// Look-ups that Redis had no answer to.
    pub misses: u64,
    /// Questions and orders that Redis did not answer in time.
    pub failures: u64,
    /// Changes that Redis could not be told of: they held within [`Staleness`].
    pub untold: u64,
}

impl<S: Store, C: ConnectionLike + Clone + Send + Sync + 'static> CachedStore<S, C> {
    /// A cache in front of `primary` under `namespace`: 1 to 64 characters from `a-z`, `0-9`, `.`, `_` and `-`, of its own for each
    /// primary store. Give it the ring of the [`Auth`](crate::Auth): a key must be [pending](KeyRing::pending) everywhere before
    /// it is active anywhere.
    ///
    /// # Errors
    ///
    /// `Configuration` if the namespace is none; `Random`.
    pub fn new(primary: S, connection: C, keys: &KeyRing, namespace: &str, staleness: Staleness) -> Result<Self> {
        Ok(Self { primary, cache: Cache::new(connection, keys, namespace, staleness)? })
    }

    /// Has a session looked up anew, after something about it was changed past this store.
    pub async fn forget_session(&self, sid: SessionId) {
        self.cache.forget(Subject::Session(sid)).await;
    }

    /// Has all sessions of a scope looked up anew, after something about them was changed past this store.
    pub async fn forget_all(&self, scope: impl Into<Scope>) {
        self.cache.forget(Subject::All(scope.into())).await;
    }

    /// What the cache has done so far.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        let counts = self.cache.counts();
        CacheStats {
            hits: counts.hits.load(Ordering::Relaxed),
            misses: counts.misses.load(Ordering::Relaxed),
            failures: counts.failures.load(Ordering::Relaxed),
            untold: counts.untold.load(Ordering::Relaxed),
        }
    }

    pub(super) async fn look(&self, digest: &Digest, now: DateTime<Utc>) -> Result<Option<SessionRecord>> {
        let (known, ticket) = self.cache.read(digest, now).await;
        if known.is_some() {
            return Ok(known);
        }
        let found = self.primary.resolve(digest, now).await?;
        if let (Some(record), Some(ticket)) = (&found, ticket) {
            self.cache.fill(digest, record, now, ticket).await;
        }
        Ok(found)
    }
}

impl<S, C> fmt::Debug for CachedStore<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedStore").finish_non_exhaustive()
    }
}
