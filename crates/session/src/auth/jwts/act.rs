//! JWTs of impersonations.

use chrono::{DateTime, SubsecRound, Utc};
use zeroize::Zeroizing;

use super::Jwts;
use crate::{
    error::{Error, Result},
    event::SecurityEvent,
    impersonation::{Impersonation, IssuedImpersonation},
    jwt::{ActClaims, JwtCaller, decode, decode_act, encode_act, fingerprint, open, seal},
    store::Ending,
};

impl Jwts<'_> {
    /// A JWT for an impersonation just begun: its `sub` is the target, its `act` the member of staff (RFC 8693, 4.1). It ends with its
    /// life, and never later than the impersonation. It does in one text what two cookies do otherwise, so the event that says so is a
    /// warning. There is no refresh token to it.
    ///
    /// # Errors
    ///
    /// `Configuration` without a [`JwtPolicy`](crate::JwtPolicy).
    pub fn issue_impersonation(&self, issued: &IssuedImpersonation) -> Result<Zeroizing<String>> {
        let policy = self.policy()?;
        let digest =
            issued.token.digest(&self.0.keys).ok_or_else(|| Error::configuration("a key of the ring is gone"))?;
        let Impersonation { id, actor, target, tenant, expires_at, .. } = issued.impersonation;
        let issued_at = self.0.now().trunc_subsecs(0);
        let expires_at = expires_at.min(issued_at + policy.life).trunc_subsecs(0);
        let claims = ActClaims { id, actor, target, tenant, issued_at, expires_at, version: fingerprint(&digest) };
        let text = seal(&self.0.keys, &encode_act(policy, &claims));
        self.0.emit(&SecurityEvent::ImpersonationTokenIssued { id, actor, target, tenant, expires_at });
        Ok(text)
    }

    /// Whom a JWT is from: a session's user, as by [`verify`](Self::verify), or a member of staff who looks as somebody else.
    ///
    /// An impersonation's row is looked up each time, whatever the [`JwtCheck`](crate::JwtCheck): staff and tenants can end it at once.
    /// That is no use of the session that it began in, whose idle limit goes on.
    ///
    /// # Errors
    ///
    /// `Configuration` without a [`JwtPolicy`](crate::JwtPolicy); `Store`.
    pub async fn caller(&self, text: &str) -> Result<Option<JwtCaller>> {
        let (policy, now) = (self.policy()?, self.0.now());
        let Some(payload) = open(&self.0.keys, text) else { return Ok(None) };
        if let Some(claims) = decode_act(policy, &payload, now) {
            return Ok(self.look_at_act(&claims, now).await?.map(JwtCaller::Impersonating));
        }
        let Some(claims) = decode(policy, &payload, now) else { return Ok(None) };
        Ok(self.believe(claims, now).await?.map(JwtCaller::Own))
    }

    async fn look_at_act(&self, claims: &ActClaims, now: DateTime<Utc>) -> Result<Option<Impersonation>> {
        if let Some((digest, record)) = self.0.store.impersonation_by_id(claims.id, now).await? {
            let named = (record.actor, record.target, record.tenant) == (claims.actor, claims.target, claims.tenant);
            return Ok((named && fingerprint(&digest) == claims.version).then(|| record.into()));
        }
        self.0.end_impersonations(Ending::Over).await?;
        Ok(None)
    }
}
