//! The persistence of what JWTs need: sessions by name, and refresh tokens.

use std::future::Future;

use chrono::{DateTime, Utc};

use super::{Digest, SessionRecord, erased::erase};
use crate::{error::Result, id::SessionId};

/// The part of a [`Store`](super::Store) that JWTs need.
pub trait RefreshStore: Send + Sync + 'static {
    /// A live session by its public name, with its digest. One query.
    fn session_by_id(
        &self,
        sid: SessionId,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Option<(Digest, SessionRecord)>>> + Send;

    /// Adds the first refresh token of a session. False if the session is not live.
    fn insert_refresh(
        &self,
        digest: &Digest,
        sid: SessionId,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Marks a refresh token of a live session as used, if it is not, and adds the next one, all at once. Of simultaneous calls one
    /// finds the session.
    fn use_refresh(
        &self,
        old: &Digest,
        new: &Digest,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<Option<SessionId>>> + Send;

    /// The session of a refresh token that was used, whatever became of the session.
    fn used_refresh(&self, digest: &Digest) -> impl Future<Output = Result<Option<SessionId>>> + Send;
}

erase! {
    trait ErasedRefreshStore(RefreshStore);
    fn session_by_id(sid: SessionId, now: DateTime<Utc>) -> Option<(Digest, SessionRecord)>;
    fn insert_refresh(digest: &'a Digest, sid: SessionId, now: DateTime<Utc>) -> bool;
    fn use_refresh(old: &'a Digest, new: &'a Digest, now: DateTime<Utc>) -> Option<SessionId>;
    fn used_refresh(digest: &'a Digest) -> Option<SessionId>;
}
