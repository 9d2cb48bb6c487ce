//! What the JWT of an impersonation says: who is seen in `sub`, and who is looking in `act` (RFC 8693, 4.1).
//!
//! Its members are others than those of a session's JWT, so neither is ever read as the other, and no text has one `act` more or less.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Claims, JwtPolicy, reader::Reader};
use crate::{
    id::{ImpersonationId, TenantId, UserId},
    impersonation::Impersonation,
};

/// Whom a JWT is from. The two cases need two answers, so there is no shortcut through them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum JwtCaller {
    /// The signed-in user.
    Own(Claims),
    /// A member of staff as somebody else: reading only.
    Impersonating(Impersonation),
}

/// What a JWT says about an impersonation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ActClaims {
    pub(crate) id: ImpersonationId,
    pub(crate) actor: UserId,
    pub(crate) target: UserId,
    pub(crate) tenant: TenantId,
    pub(crate) issued_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
    /// The fingerprint of the impersonation's digest.
    pub(crate) version: String,
}

pub(crate) fn encode_act(policy: &JwtPolicy, claims: &ActClaims) -> String {
    let (issuer, audience) = (&policy.issuer, &policy.audience);
    let ActClaims { id, actor, target, tenant, issued_at, expires_at, version } = claims;
    let [from, to] = [issued_at, expires_at].map(DateTime::timestamp);
    format!(r#"{{"iss":"{issuer}","aud":"{audience}","sub":"{target}","tid":"{tenant}","act":{{"sub":"{actor}"}},"#)
        + &format!(r#""imp":"{id}","ver":"{version}","iat":{from},"nbf":{from},"exp":{to}}}"#)
}

/// Nothing unless the payload is one that [`encode_act`] makes under this policy, and its time is now.
pub(crate) fn decode_act(policy: &JwtPolicy, payload: &[u8], now: DateTime<Utc>) -> Option<ActClaims> {
    let mut rest = Reader::of(policy, payload)?;
    let target: Uuid = rest.skip(r#"","sub":""#)?.uuid()?;
    let tenant = rest.skip(r#"","tid":""#)?.uuid()?;
    let actor = rest.skip(r#"","act":{"sub":""#)?.uuid()?;
    let id = rest.skip(r#""},"imp":""#)?.uuid()?;
    let version = rest.skip(r#"","ver":""#)?.until('"')?.to_owned();
    rest.skip("\"")?;
    let (issued_at, expires_at) = rest.end(now)?;
    Some(ActClaims {
        id: id.into(),
        actor: actor.into(),
        target: target.into(),
        tenant: tenant.into(),
        issued_at,
        expires_at,
        version,
    })
}

#[cfg(test)]
mod tests;
