//! How far a JWT is believed.

use std::time::Duration;

use chrono::TimeDelta;

use crate::error::{Error, Result};

/// The claims that every JWT of the application has, how long they live and how far they are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtPolicy {
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) life: TimeDelta,
    pub(crate) check: JwtCheck,
}

/// How far a JWT is believed between its signature and the session's row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum JwtCheck {
    /// The row is looked up each time: a revocation holds from the next request.
    #[default]
    Strict,
    /// The row is looked up unless this process has done so within the given time, at most 5 seconds.
    Cached(Duration),
    /// The row is never looked up: a revocation holds when the token ends, at most 15 minutes after it was made.
    Stateless,
}

impl JwtPolicy {
    /// Tokens of `issuer` for `audience` that live for `life`, but never longer than their session.
    ///
    /// A token that nothing can take back must be short:
    ///
    /// ```
    /// use std::time::Duration;
    /// use stockade_session::{JwtCheck, JwtPolicy};
    ///
    /// let month = Duration::from_secs(30 * 86_400);
    /// assert!(JwtPolicy::new("https://acme.test", "api", month, JwtCheck::Strict).is_ok());
    /// assert!(JwtPolicy::new("https://acme.test", "api", month, JwtCheck::Stateless).is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// `Configuration` unless the names have 1 to 200 printable ASCII characters without quotation marks and backslashes, `life` is
    /// between 1 second and 365 days, or 15 minutes if stateless, and a cached answer is at most 5 seconds old.
    pub fn new(issuer: &str, audience: &str, life: Duration, check: JwtCheck) -> Result<Self> {
        let plain = |name: &str| {
            (1..=200).contains(&name.len()) && name.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\')
        };
        if !plain(issuer) || !plain(audience) {
            return Err(Error::configuration(
                "the issuer or the audience of a jwt is empty, long or has special characters",
            ));
        }
        let life = i64::try_from(life.as_secs()).ok().and_then(TimeDelta::try_seconds).unwrap_or(TimeDelta::MAX);
        if !(TimeDelta::seconds(1)..=TimeDelta::days(365)).contains(&life) {
            return Err(Error::configuration("a jwt lives between 1 second and 365 days"));
        }
        match check {
            JwtCheck::Stateless if life > TimeDelta::minutes(15) => {
                Err(Error::configuration("a jwt that cannot be revoked lives for 15 minutes at most"))
            }
            JwtCheck::Cached(age) if age > Duration::from_secs(5) => {
                Err(Error::configuration("what is known of a session is at most 5 seconds old"))
            }
            _ => Ok(Self { issuer: issuer.to_owned(), audience: audience.to_owned(), life, check }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_revoked_is_short() {
        let make = |seconds, check| JwtPolicy::new("acme", "api", Duration::from_secs(seconds), check);
        assert!(make(900, JwtCheck::Stateless).is_ok());
        assert!(make(901, JwtCheck::Stateless).is_err());
        assert!(make(30 * 86_400, JwtCheck::Strict).is_ok());
        assert!(make(30 * 86_400, JwtCheck::Cached(Duration::from_secs(5))).is_ok());
        assert!(make(60, JwtCheck::Cached(Duration::from_millis(5001))).is_err());
        assert!(make(0, JwtCheck::Strict).is_err());
        assert!(make(u64::MAX, JwtCheck::Strict).is_err());
        for name in ["", "a\"b", "a\\b", "\u{e4}", "a\nb", &"x".repeat(201)] {
            assert!(JwtPolicy::new(name, "api", Duration::from_secs(60), JwtCheck::Strict).is_err());
            assert!(JwtPolicy::new("acme", name, Duration::from_secs(60), JwtCheck::Strict).is_err());
        }
    }
}
