//! Reading what a JWT says, member by member in the one order that it is written in.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::JwtPolicy;

/// How far the clocks of two servers may be apart. It lets a token begin early, never end late.
const SKEW: TimeDelta = TimeDelta::seconds(5);

/// What is left to read.
pub(super) struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    /// A payload under the policy's names, after these.
    pub(super) fn of(policy: &JwtPolicy, payload: &'a [u8]) -> Option<Self> {
        let mut rest = Self(str::from_utf8(payload).ok()?);
        rest.skip(r#"{"iss":""#)?.skip(&policy.issuer)?.skip(r#"","aud":""#)?.skip(&policy.audience)?;
        Some(rest)
    }

    pub(super) fn skip(&mut self, expected: &str) -> Option<&mut Self> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(self)
    }

    pub(super) fn until(&mut self, end: char) -> Option<&'a str> {
        let (value, _) = self.0.split_once(end)?;
        self.0 = self.0.get(value.len()..)?;
        Some(value)
    }

    pub(super) fn uuid(&mut self) -> Option<Uuid> {
        Uuid::from_str(self.until('"')?).ok()
    }

    pub(super) fn time(&mut self, end: char) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(self.until(end)?.parse().ok()?, 0)
    }

    /// When the token was made and when it ends, if that is all and its time is now.
    pub(super) fn end(mut self, now: DateTime<Utc>) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let issued_at = self.skip(r#","iat":"#)?.time(',')?;
        let not_before = self.skip(r#","nbf":"#)?.time(',')?;
        let expires_at = self.skip(r#","exp":"#)?.time('}')?;
        let timely = not_before <= now + SKEW && now < expires_at;
        (self.0 == "}" && timely).then_some((issued_at, expires_at))
    }
}
