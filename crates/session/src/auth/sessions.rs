//! Looking sessions up and ending them.

use super::Auth;
use crate::{
    access::{Access, MustEnrol},
    error::{Error, Result},
    event::SecurityEvent,
    id::{SessionId, UserId},
    session::{Issued, Scope, Session, touch_interval},
    store::Ending,
    token::SessionToken,
    touch::Touch,
};

impl Auth {
    /// The live session of a token that satisfies the policy of its tenant: what [`access`](Self::access) grants.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn resolve(&self, token: &SessionToken) -> Result<Option<Session>> {
        Ok(match self.access(token).await? {
            Access::Granted(session) => Some(session),
            Access::MustEnrol(_) | Access::Denied => None,
        })
    }

    /// What the holder of a token may do, in one query: the session's own state, the account's status and the tenant's policy as they are
    /// now. Records the use of it if the last record is older than min(60 s, idle/30); so a session may end that much earlier than its
    /// idle limit, never later.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn access(&self, token: &SessionToken) -> Result<Access> {
        self.access_with(token, Touch::Throttled).await
    }

    /// As [`access`](Self::access). With [`Touch::Never`] nothing is written, and the idle limit goes on.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn access_with(&self, token: &SessionToken, touch: Touch) -> Result<Access> {
        let now = self.0.now();
        let Some(digest) = token.digest(&self.0.keys) else { return Ok(Access::Denied) };
        let Some(record) = self.0.store.resolve(&digest, now).await? else { return Ok(Access::Denied) };
        let unless_after = now - touch_interval(record.idle);
        if touch == Touch::Throttled && record.last_seen_at <= unless_after {
            self.0.store.touch(record.sid, now, unless_after).await?;
        }
        let session = Session::from_record(record, now);
        Ok(match session.must_enrol {
            true => Access::MustEnrol(MustEnrol::new(session)),
            false => Access::Granted(session),
        })
    }

    /// Replaces the token of a live session, for a change of authority after sign-in, such as another role. The old token is dead at
    /// once. Nothing if the session is not live, or another rotation came first.
    ///
    /// # Errors
    ///
    /// `Random`; `Store`.
    pub async fn rotate(&self, token: &SessionToken) -> Result<Option<Issued>> {
        let Some(old) = token.digest(&self.0.keys) else { return Ok(None) };
        let token = SessionToken::generate(&self.0.keys)?;
        let new = token.digest(&self.0.keys).ok_or_else(|| Error::configuration("the key ring is empty"))?;
        let now = self.0.now();
        let Some(record) = self.0.store.rotate(&old, &new, now).await? else { return Ok(None) };
        let (sid, user, tenant) = (record.sid, record.user, record.tenant);
        self.0.emit(&SecurityEvent::SessionRotated { sid, user, tenant });
        Ok(Some(Issued::new(token, record, now, None)))
    }

    /// Ends one session for good: a logout, or a line on a page of devices. Ending an unknown or ended session does nothing.
    ///
    /// Whoever may call it for another user's session is for the application to decide.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn revoke(&self, sid: SessionId) -> Result<()> {
        if let Some(record) = self.0.store.revoke(sid, self.0.now()).await? {
            let (sid, user, tenant) = (record.sid, record.user, record.tenant);
            self.0.emit(&SecurityEvent::SessionRevoked { sid, user, tenant });
            self.0.end_impersonations(Ending::OfSession(sid)).await?;
        }
        Ok(())
    }

    /// Ends every session and every pending sign-in of a user, a tenant or everybody, by adding one to a counter.
    ///
    /// # Errors
    ///
    /// `NotFound` if it is a user without an account; `Store`.
    pub async fn revoke_all(&self, scope: impl Into<Scope>) -> Result<()> {
        let scope = scope.into();
        if !self.0.store.bump_version(scope).await? {
            return Err(Error::not_found());
        }
        self.0.emit(&SecurityEvent::AllRevoked { scope });
        Ok(())
    }

    /// The live sessions of a user, newest first.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn sessions(&self, user: UserId) -> Result<Vec<Session>> {
        let now = self.0.now();
        let records = self.0.store.sessions(user, now).await?;
        Ok(records.into_iter().map(|record| Session::from_record(record, now)).collect())
    }
}
