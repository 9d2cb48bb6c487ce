//! Refresh tokens in memory.

use chrono::{DateTime, Utc};

use super::{MemoryStore, State};
use crate::{
    error::Result,
    id::SessionId,
    store::{Digest, RefreshStore, SessionRecord},
};

/// A refresh token's session, and whether the token was used.
pub(super) struct Refresh {
    pub(super) sid: SessionId,
    used: bool,
}

impl State {
    fn live_by_id(&self, sid: SessionId, now: DateTime<Utc>) -> Option<SessionRecord> {
        self.live_record(self.sessions.get(&sid)?, now)
    }
}

impl RefreshStore for MemoryStore {
    async fn session_by_id(&self, sid: SessionId, now: DateTime<Utc>) -> Result<Option<(Digest, SessionRecord)>> {
        let state = self.state();
        let digest = state.sids.iter().find(|(_, of)| **of == sid).map(|(digest, _)| *digest);
        Ok(digest.zip(state.live_by_id(sid, now)))
    }

    async fn insert_refresh(&self, digest: &Digest, sid: SessionId, now: DateTime<Utc>) -> Result<bool> {
        let mut state = self.state();
        let live = state.live_by_id(sid, now).is_some();
        if live {
            state.refreshes.insert(*digest, Refresh { sid, used: false });
        }
        Ok(live)
    }

    async fn use_refresh(&self, old: &Digest, new: &Digest, now: DateTime<Utc>) -> Result<Option<SessionId>> {
        let mut state = self.state();
        let unused = state.refreshes.get(old).filter(|refresh| !refresh.used).map(|refresh| refresh.sid);
        let Some(sid) = unused.filter(|sid| state.live_by_id(*sid, now).is_some()) else { return Ok(None) };
        state.refreshes.insert(*old, Refresh { sid, used: true });
        state.refreshes.insert(*new, Refresh { sid, used: false });
        Ok(Some(sid))
    }

    async fn used_refresh(&self, digest: &Digest) -> Result<Option<SessionId>> {
        Ok(self.state().refreshes.get(digest).filter(|refresh| refresh.used).map(|refresh| refresh.sid))
    }
}
