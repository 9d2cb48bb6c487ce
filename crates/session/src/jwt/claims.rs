//! What a JWT says, in one order and without a space, so that it is read without a JSON parser.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{JwtPolicy, reader::Reader};
use crate::{
    id::{SessionId, TenantId, UserId},
    session::Assurance,
    store::Digest,
};

/// What a JWT says about its session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claims {
    /// The session.
    pub sid: SessionId,
    /// Who is signed in.
    pub user: UserId,
    /// The tenant of the account.
    pub tenant: TenantId,
    /// What was checked at sign-in.
    pub assurance: Assurance,
    /// When that was, in whole seconds.
    pub authenticated_at: DateTime<Utc>,
    /// When the token was made, in whole seconds.
    pub issued_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// Which of the session's tokens it goes with: a rotation makes another.
    pub(crate) version: String,
}

/// A short name for a digest, from which it cannot be found.
pub(crate) fn fingerprint(digest: &Digest) -> String {
    let hash = Sha256::digest(digest.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.get(..12).unwrap_or_default())
}

pub(crate) fn encode(policy: &JwtPolicy, claims: &Claims) -> String {
    let (issuer, audience) = (&policy.issuer, &policy.audience);
    let Claims { sid, user, tenant, assurance, authenticated_at, issued_at, expires_at, version } = claims;
    let aal = aal(*assurance);
    let [auth, from, to] = [authenticated_at, issued_at, expires_at].map(DateTime::timestamp);
    format!(r#"{{"iss":"{issuer}","aud":"{audience}","sub":"{user}","tid":"{tenant}","sid":"{sid}","ver":"{version}","#)
        + &format!(r#""aal":{aal},"auth_time":{auth},"iat":{from},"nbf":{from},"exp":{to}}}"#)
}

/// Nothing unless the payload is one that [`encode`] makes under this policy, and its time is now.
pub(crate) fn decode(policy: &JwtPolicy, payload: &[u8], now: DateTime<Utc>) -> Option<Claims> {
    let mut rest = Reader::of(policy, payload)?;
    let user: Uuid = rest.skip(r#"","sub":""#)?.uuid()?;
    let tenant = rest.skip(r#"","tid":""#)?.uuid()?;
    let sid = rest.skip(r#"","sid":""#)?.uuid()?;
    let version = rest.skip(r#"","ver":""#)?.until('"')?.to_owned();
    let assurance = match rest.skip(r#"","aal":"#)?.until(',')? {
        "1" => Assurance::Password,
        "2" => Assurance::PasswordAndTotp,
        _ => return None,
    };
    let authenticated_at = rest.skip(r#","auth_time":"#)?.time(',')?;
    let (issued_at, expires_at) = rest.end(now)?;
    Some(Claims {
        sid: sid.into(),
        user: user.into(),
        tenant: tenant.into(),
        assurance,
        authenticated_at,
        issued_at,
        expires_at,
        version,
    })
}

fn aal(assurance: Assurance) -> u8 {
    match assurance {
        Assurance::Password => 1,
        Assurance::PasswordAndTotp => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::jwt::JwtCheck;

    fn policy() -> JwtPolicy {
        JwtPolicy::new("https://acme.test", "api", Duration::from_secs(900), JwtCheck::Strict).unwrap()
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn claims() -> Claims {
        Claims {
            sid: Uuid::from_u128(1).into(),
            user: Uuid::from_u128(2).into(),
            tenant: Uuid::from_u128(3).into(),
            assurance: Assurance::PasswordAndTotp,
            authenticated_at: at(-60),
            issued_at: at(0),
            expires_at: at(900),
            version: fingerprint(&[7; 32].into()),
        }
    }

    #[test]
    fn claims_come_back() {
        let text = encode(&policy(), &claims());
        assert_eq!(decode(&policy(), text.as_bytes(), at(0)).unwrap(), claims());
        assert_eq!(
            text,
            "{\"iss\":\"https://acme.test\",\"aud\":\"api\",\"sub\":\"00000000-0000-0000-0000-000000000002\",\
             \"tid\":\"00000000-0000-0000-0000-000000000003\",\"sid\":\"00000000-0000-0000-0000-000000000001\",\
             \"ver\":\"S7Bvjk46dxXSAdVz\",\"aal\":2,\"auth_time\":1799999940,\"iat\":1800000000,\"nbf\":1800000000,\"exp\":1800000900}"
        );
    }

    #[test]
    fn a_token_has_a_beginning_and_an_end() {
        let text = encode(&policy(), &claims());
        let accepted = |seconds| decode(&policy(), text.as_bytes(), at(seconds)).is_some();
        assert!(accepted(-5) && accepted(899));
        assert!(!accepted(-6) && !accepted(900));
        assert!(
            decode(&policy(), text.as_bytes(), at(900) - TimeDelta::microseconds(1)).is_some(),
            "no leeway, no haste"
        );
    }

    #[test]
    fn another_issuer_or_audience_is_refused() {
        let text = encode(&policy(), &claims());
        for (issuer, audience) in
            [("https://acme.tes", "api"), ("https://acme.test", "ap"), ("api", "https://acme.test")]
        {
            let other = JwtPolicy { issuer: issuer.to_owned(), audience: audience.to_owned(), ..policy() };
            assert!(decode(&other, text.as_bytes(), at(0)).is_none());
        }
    }

    #[test]
    fn every_other_byte_string_is_refused() {
        let text = encode(&policy(), &claims());
        let changes = [
            text.replace("\"aal\":2", "\"aal\":3"),
            text.replace("\"aal\":2", "\"aal\": 2"),
            text.replace("\"exp\":1800000900", "\"exp\":1800000900.5"),
            text.replace("\"exp\":1800000900", "\"exp\":\"1800000900\""),
            text.replace("\"exp\":1800000900", "\"exp\":1e300"),
            text.replace("}", ",\"exp\":9999999999}"),
            text.replace("{", "{\"sub\":\"x\","),
            text.replace(",\"nbf\":1800000000", ""),
            format!("{text} "),
            format!(" {text}"),
            String::new(),
        ];
        for changed in changes {
            assert_ne!(changed, text);
            assert!(decode(&policy(), changed.as_bytes(), at(0)).is_none(), "{changed}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(payload: Vec<u8>, cut in 0_usize..400) {
            let _ = decode(&policy(), &payload, at(0));
            let text = encode(&policy(), &claims());
            let cut = cut.min(text.len() - 1);
            prop_assert!(decode(&policy(), &text.as_bytes()[..cut], at(0)).is_none());
        }
    }
}
