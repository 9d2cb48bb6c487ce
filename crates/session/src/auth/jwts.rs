//! Making, checking and renewing JWTs.

mod act;

use std::{collections::HashMap, fmt, sync::Mutex, sync::PoisonError};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use zeroize::Zeroizing;

use super::Inner;
use crate::{
    error::{Error, Result},
    event::SecurityEvent,
    id::SessionId,
    jwt::{Claims, JwtCheck, JwtPair, JwtPolicy, JwtRefresh, decode, encode, fingerprint, open, seal},
    session::{Issued, Session, touch_interval},
    store::{Digest, Ending, SessionRecord},
    token::RefreshToken,
};

/// How many sessions are remembered at a time.
const REMEMBERED: usize = 10_000;

/// JWTs; see [`Auth::jwts`](crate::Auth::jwts).
pub struct Jwts<'a>(&'a Inner);

/// When the row of a session was looked at, and its version then.
pub(crate) type Looked = Mutex<HashMap<SessionId, (DateTime<Utc>, String)>>;

impl<'a> Jwts<'a> {
    pub(super) fn new(inner: &'a Inner) -> Self {
        Self(inner)
    }

    /// A JWT for a session just issued or rotated. It ends with its life, and never later than the session.
    ///
    /// # Errors
    ///
    /// `Configuration` without a [`JwtPolicy`]; `Conflict` if the user [must enrol](Issued::must_enrol) a second factor first.
    pub fn issue(&self, issued: &Issued) -> Result<Zeroizing<String>> {
        if issued.must_enrol() {
            return Err(Error::conflict("the user must enrol a second factor first"));
        }
        let digest =
            issued.token.digest(&self.0.keys).ok_or_else(|| Error::configuration("a key of the ring is gone"))?;
        self.write(&digest, &issued.session)
    }

    /// A JWT and a refresh token for a session just issued or rotated. Nothing if the session is over.
    ///
    /// # Errors
    ///
    /// As for [`issue`](Self::issue); `Random`; `Store`.
    pub async fn issue_pair(&self, issued: &Issued) -> Result<Option<JwtPair>> {
        let access = self.issue(issued)?;
        let (refresh, digest) = self.refresh_token()?;
        let live = self.0.store.insert_refresh(&digest, issued.session.sid, self.0.now()).await?;
        Ok(live.then_some(JwtPair { access, refresh }))
    }

    /// What the JWT of a session says, if its signature, its names and its times are right and the session's row agrees as far as the
    /// [`JwtCheck`] asks. A session whose row was looked at is touched as by [`Auth::resolve`](crate::Auth::resolve).
    /// The JWT of an impersonation is none of a session: see [`caller`](Self::caller).
    ///
    /// # Errors
    ///
    /// `Configuration` without a [`JwtPolicy`]; `Store`.
    pub async fn verify(&self, text: &str) -> Result<Option<Claims>> {
        let now = self.0.now();
        let Some(claims) = self.read(text, now)? else { return Ok(None) };
        self.believe(claims, now).await
    }

    async fn believe(&self, claims: Claims, now: DateTime<Utc>) -> Result<Option<Claims>> {
        let policy = self.policy()?;
        if let JwtCheck::Stateless = policy.check {
            return Ok(Some(claims));
        }
        if let JwtCheck::Cached(age) = policy.check {
            let age = TimeDelta::from_std(age).unwrap_or(TimeDelta::zero());
            let looked = self.0.looked.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh = looked.get(&claims.sid);
            if fresh.is_some_and(|(at, version)| *version == claims.version && (*at..*at + age).contains(&now)) {
                return Ok(Some(claims));
            }
        }
        let live = self.look(&claims, now).await?.is_some();
        if let JwtCheck::Cached(_) = policy.check {
            let mut looked = self.0.looked.lock().unwrap_or_else(PoisonError::into_inner);
            if looked.len() >= REMEMBERED {
                looked.clear();
            }
            match live {
                true => looked.insert(claims.sid, (now, claims.version.clone())),
                false => looked.remove(&claims.sid),
            };
        }
        Ok(live.then_some(claims))
    }

    /// The live session of a JWT, from its row, whatever the [`JwtCheck`]: for what needs more than its claims, and for what must not
    /// be done with a session that was revoked a moment ago.
    ///
    /// # Errors
    ///
    /// `Configuration` without a [`JwtPolicy`]; `Store`.
    pub async fn session(&self, text: &str) -> Result<Option<Session>> {
        let now = self.0.now();
        let Some(claims) = self.read(text, now)? else { return Ok(None) };
        Ok(self.look(&claims, now).await?.map(|record| Session::from_record(record, now)))
    }

    /// Uses up a refresh token for a new pair. One that was used before is in two hands: its session ends, with all its tokens, and a
    /// warning says so. There is no grace: a client that asks twice at once signs in again.
    ///
    /// # Errors
    ///
    /// `Configuration` without a [`JwtPolicy`]; `Random`; `Store`.
    pub async fn refresh(&self, token: &RefreshToken) -> Result<JwtRefresh> {
        let Some(old) = token.digest(&self.0.keys) else { return Ok(JwtRefresh::Rejected) };
        let (refresh, new) = self.refresh_token()?;
        let now = self.0.now();
        if let Some(sid) = self.0.store.use_refresh(&old, &new, now).await? {
            let found = self.0.store.session_by_id(sid, now).await?;
            let Some((digest, record)) = found.filter(|(_, record)| !record.must_enrol(now)) else {
                return Ok(JwtRefresh::Rejected);
            };
            self.touch(&record, now).await?;
            let access = self.write(&digest, &Session::from_record(record, now))?;
            return Ok(JwtRefresh::Renewed(JwtPair { access, refresh }));
        }
        if let Some(sid) = self.0.store.used_refresh(&old).await?
            && let Some(record) = self.0.store.revoke(sid, now).await?
        {
            let (user, tenant) = (record.user, record.tenant);
            self.0.emit(&SecurityEvent::RefreshReused { sid, user, tenant });
            self.0.emit(&SecurityEvent::SessionRevoked { sid, user, tenant });
            self.0.end_impersonations(Ending::OfSession(sid)).await?;
        }
        Ok(JwtRefresh::Rejected)
    }

    fn policy(&self) -> Result<&JwtPolicy> {
        self.0.jwt.as_ref().ok_or_else(|| Error::configuration("jwts need a policy"))
    }

    fn refresh_token(&self) -> Result<(RefreshToken, Digest)> {
        let token = RefreshToken::generate(&self.0.keys)?;
        let digest = token.digest(&self.0.keys).ok_or_else(|| Error::configuration("the key ring is empty"))?;
        Ok((token, digest))
    }

    fn write(&self, digest: &Digest, session: &Session) -> Result<Zeroizing<String>> {
        let policy = self.policy()?;
        let issued_at = self.0.now().trunc_subsecs(0);
        let claims = Claims {
            sid: session.sid,
            user: session.user,
            tenant: session.tenant,
            assurance: session.assurance,
            authenticated_at: session.authenticated_at,
            issued_at,
            expires_at: session.expires_at.min(issued_at + policy.life),
            version: fingerprint(digest),
        };
        Ok(seal(&self.0.keys, &encode(policy, &claims)))
    }

    fn read(&self, text: &str, now: DateTime<Utc>) -> Result<Option<Claims>> {
        let policy = self.policy()?;
        Ok(open(&self.0.keys, text).and_then(|payload| decode(policy, &payload, now)))
    }

    /// The row, if it is live and still goes with the JWT.
    async fn look(&self, claims: &Claims, now: DateTime<Utc>) -> Result<Option<SessionRecord>> {
        let Some((digest, record)) = self.0.store.session_by_id(claims.sid, now).await? else { return Ok(None) };
        if fingerprint(&digest) != claims.version || record.must_enrol(now) {
            return Ok(None);
        }
        self.touch(&record, now).await?;
        Ok(Some(record))
    }

    async fn touch(&self, record: &SessionRecord, now: DateTime<Utc>) -> Result<()> {
        let unless_after = now - touch_interval(record.idle);
        if record.last_seen_at <= unless_after {
            self.0.store.touch(record.sid, now, unless_after).await?;
        }
        Ok(())
    }
}

impl fmt::Debug for Jwts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jwts")
    }
}
