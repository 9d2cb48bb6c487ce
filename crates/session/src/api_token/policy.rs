//! What API tokens of an application look like and may be for.

use std::fmt;

use chrono::TimeDelta;

use super::{NewApiToken, TokenLife, text};
use crate::error::{Error, Result};

const MAX_SCOPES: usize = 64;
const MAX_NETWORKS: usize = 32;

/// The prefix and the scopes of an application's API tokens; see [`AuthBuilder::api_tokens`](crate::AuthBuilder::api_tokens).
pub struct ApiTokenPolicy {
    prefix: String,
    knows: Box<dyn Fn(&str) -> bool + Send + Sync>,
}

impl ApiTokenPolicy {
    /// Tokens that begin with `prefix` and an underscore, and have no scope that `knows` does not answer with true.
    ///
    /// ```
    /// use stockade_session::ApiTokenPolicy;
    ///
    /// let policy = ApiTokenPolicy::new("acme", |scope| ["loads:read", "loads:write"].contains(&scope))?;
    /// assert_eq!(policy.pattern(), "acme_[0-9A-Za-z]{22}_[0-9A-Za-z]{49}");
    /// # Ok::<(), stockade_session::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidInput` unless the prefix has 2 to 20 of `a-z0-9_`, begins with a letter and does not end with an underscore.
    pub fn new(prefix: &str, knows: impl Fn(&str) -> bool + Send + Sync + 'static) -> Result<Self> {
        let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let sound = (2..=20).contains(&prefix.len())
            && prefix.starts_with(|c: char| c.is_ascii_lowercase())
            && prefix.chars().all(inside)
            && !prefix.ends_with('_');
        match sound {
            true => Ok(Self { prefix: prefix.to_owned(), knows: Box::new(knows) }),
            false => {
                Err(Error::invalid("a token prefix has 2 to 20 of a-z, 0-9 and inner underscores, after a letter"))
            }
        }
    }

    /// A regular expression for secret scanners.
    #[must_use]
    pub fn pattern(&self) -> String {
        format!("{}_[0-9A-Za-z]{{{}}}_[0-9A-Za-z]{{{}}}", self.prefix, text::ID, text::SECRET + text::CHECK)
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The scopes in order and without repetition, if they are scopes.
    pub(crate) fn scopes(&self, mut scopes: Vec<String>) -> Result<Vec<String>> {
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() || scopes.len() > MAX_SCOPES {
            return Err(Error::invalid("a token has 1 to 64 scopes"));
        }
        match scopes.iter().all(|scope| is_scope(scope) && (self.knows)(scope)) {
            true => Ok(scopes),
            false => Err(Error::invalid("unknown scope")),
        }
    }

    /// What is new about the token, checked: its scopes and its life, where there is an end.
    pub(crate) fn check(&self, new: &NewApiToken) -> Result<(Vec<String>, Option<TimeDelta>)> {
        if !valid_name(&new.name) {
            return Err(Error::invalid("the name of a token has 1 to 100 characters and no control characters"));
        }
        if new.networks.len() > MAX_NETWORKS {
            return Err(Error::invalid("a token has at most 32 networks"));
        }
        Ok((self.scopes(new.scopes.clone())?, new.life.span()?))
    }
}

impl TokenLife {
    pub(crate) fn span(self) -> Result<Option<TimeDelta>> {
        let Self::For(life) = self else { return Ok(None) };
        let span = i64::try_from(life.as_secs()).ok().and_then(TimeDelta::try_seconds);
        match span.filter(|span| (TimeDelta::minutes(1)..=TimeDelta::days(3653)).contains(span)) {
            Some(span) => Ok(Some(span)),
            None => Err(Error::invalid("a token lives between 1 minute and 10 years, or says that it never ends")),
        }
    }
}

fn valid_name(name: &str) -> bool {
    (1..=100).contains(&name.chars().count()) && !name.contains(char::is_control)
}

/// RFC 6749, 3.3.
fn is_scope(scope: &str) -> bool {
    (1..=128).contains(&scope.len()) && scope.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5B | 0x5D..=0x7E))
}

impl fmt::Debug for ApiTokenPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiTokenPolicy").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_words() {
        for good in ["ac", "acme", "acme_live", "a1"] {
            assert!(ApiTokenPolicy::new(good, |_| true).is_ok(), "{good}");
        }
        for bad in ["", "a", "Acme", "1ac", "_ac", "acme_", "ac-me", "ac me", "abcdefghijklmnopqrstu", "\u{e4}cme"] {
            assert!(ApiTokenPolicy::new(bad, |_| true).is_err(), "{bad}");
        }
    }

    #[test]
    fn scopes_are_known_and_in_order() {
        let policy = ApiTokenPolicy::new("acme", |scope| scope != "b").unwrap();
        let scopes = |list: &[&str]| policy.scopes(list.iter().map(|&scope| scope.to_owned()).collect());
        assert_eq!(scopes(&["c", "a", "c"]).unwrap(), ["a", "c"]);
        for bad in [&[][..], &["b"], &["a", "b"], &[""], &["a b"], &["a\""], &["\u{e4}"], &["a\\"]] {
            assert!(scopes(bad).is_err(), "{bad:?}");
        }
        assert!(policy.scopes((0..65).map(|n| format!("s{n}")).collect()).is_err());
    }

    #[test]
    fn lives_have_limits() {
        let seconds = |seconds| TokenLife::For(std::time::Duration::from_secs(seconds)).span();
        assert_eq!(seconds(60).unwrap(), Some(TimeDelta::minutes(1)));
        assert!(seconds(59).is_err() && seconds(3654 * 86_400).is_err() && seconds(u64::MAX).is_err());
        assert_eq!(TokenLife::Never.span().unwrap(), None);
        assert_eq!(TokenLife::default().span().unwrap(), Some(TimeDelta::days(90)));
    }
}
