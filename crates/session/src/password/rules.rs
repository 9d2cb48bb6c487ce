//! What a new password has to be.

use std::{fmt, pin::Pin, sync::Arc};

use secrecy::{ExposeSecret, SecretString};

use super::{MAX_BYTES, MIN_CHARS};
use crate::error::{BoxError, Error, Result};

/// Shorter words are too common to be told from chance.
const CONTEXT_CHARS: usize = 4;

/// A list of passwords that were breached, such as Have I Been Pwned's by range, or a file.
pub trait BreachList: Send + Sync + 'static {
    /// Whether the list has the password.
    ///
    /// # Errors
    ///
    /// Whatever the implementation fails with; [`OnOutage`] says what that means. It has a timeout of its own.
    fn contains(&self, password: &SecretString) -> impl Future<Output = Result<bool, BoxError>> + Send;
}

/// What happens to a new password while the [`BreachList`] cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnOutage {
    /// It is accepted, and [`BreachListFailed`](crate::SecurityEvent::BreachListFailed) is emitted.
    Accept,
    /// Setting it fails with [`BreachList`](crate::ErrorKind::BreachList).
    Refuse,
}

/// Why a new password was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PasswordProblem {
    /// It has too few characters.
    TooShort,
    /// It has more bytes than the hash takes in full.
    TooLong,
    /// It contains the identifier, or a word that the application named.
    ContextWord,
    /// It is on the list of breached passwords.
    Breached,
}

/// The rules for new passwords: a length, words of the context, a list of breached ones, and no rules about kinds of characters (NIST
/// SP 800-63B, 3.1.1.2; ASVS 5.0, 6.2). Passwords that are in use already are not held to them.
pub struct PasswordRules {
    least: usize,
    words: Vec<String>,
    breaches: Option<(Box<dyn ErasedBreachList>, OnOutage)>,
}

impl PasswordRules {
    /// The fewest characters, at least 8. NIST asks for 15 where a password is the only factor.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for fewer than 8 or more than 64.
    pub fn least_chars(self, least: usize) -> Result<Self> {
        if !(MIN_CHARS..=64).contains(&least) {
            return Err(Error::invalid("the least length of a password is between 8 and 64 characters"));
        }
        Ok(Self { least, ..self })
    }

    /// Words that no password may contain, such as the name of the product, beside the identifier of the account and the part of it before
    /// the `@`. Case does not matter; words of fewer than 4 characters are ignored.
    #[must_use]
    pub fn context_words<'a>(mut self, words: impl IntoIterator<Item = &'a str>) -> Self {
        self.words.extend(words.into_iter().map(str::to_lowercase));
        self
    }

    /// A list of breached passwords, and what happens while it cannot be asked.
    #[must_use]
    pub fn breach_list(self, list: impl BreachList, on_outage: OnOutage) -> Self {
        Self { breaches: Some((Box::new(list), on_outage)), ..self }
    }

    /// The first problem of a password, if there is one. The other part says whether the list could not be asked.
    pub(crate) async fn check(
        &self,
        password: &SecretString,
        identifier: &str,
        most_bytes: usize,
    ) -> Result<(Option<PasswordProblem>, Option<OnOutage>)> {
        let text = password.expose_secret();
        if text.len() > most_bytes.min(MAX_BYTES) {
            return Ok((Some(PasswordProblem::TooLong), None));
        }
        if text.chars().count() < self.least {
            return Ok((Some(PasswordProblem::TooShort), None));
        }
        if self.contains_context(text, identifier) {
            return Ok((Some(PasswordProblem::ContextWord), None));
        }
        let Some((list, on_outage)) = &self.breaches else { return Ok((None, None)) };
        match (list.ask(password).await, on_outage) {
            (Ok(true), _) => Ok((Some(PasswordProblem::Breached), None)),
            (Ok(false), _) => Ok((None, None)),
            (Err(_), OnOutage::Accept) => Ok((None, Some(OnOutage::Accept))),
            (Err(error), OnOutage::Refuse) => Err(Error::breach_list(error)),
        }
    }

    fn contains_context(&self, password: &str, identifier: &str) -> bool {
        let password = zeroize::Zeroizing::new(password.to_lowercase());
        let local = identifier.split('@').next().unwrap_or_default();
        let words = self.words.iter().map(String::as_str).chain([identifier, local]);
        words.filter(|word| word.chars().count() >= CONTEXT_CHARS).any(|word| password.contains(word))
    }
}

impl PasswordProblem {
    /// The rule, for a person.
    pub(crate) const fn rule(self) -> &'static str {
        match self {
            Self::TooShort => "the password has too few characters",
            Self::TooLong => "the password has too many bytes",
            Self::ContextWord => "the password contains the identifier or a word of the context",
            Self::Breached => "the password is on a list of breached passwords",
        }
    }
}

impl Default for PasswordRules {
    /// At least 8 characters, not the identifier, and no list.
    fn default() -> Self {
        Self { least: MIN_CHARS, words: Vec::new(), breaches: None }
    }
}

impl fmt::Display for PasswordProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule())
    }
}

impl fmt::Debug for PasswordRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordRules").field("least", &self.least).finish_non_exhaustive()
    }
}

impl<L: BreachList + ?Sized> BreachList for Arc<L> {
    async fn contains(&self, password: &SecretString) -> Result<bool, BoxError> {
        (**self).contains(password).await
    }
}

/// [`BreachList`] with a boxed future.
trait ErasedBreachList: Send + Sync {
    fn ask<'a>(
        &'a self,
        password: &'a SecretString,
    ) -> Pin<Box<dyn Future<Output = Result<bool, BoxError>> + Send + 'a>>;
}

impl<L: BreachList> ErasedBreachList for L {
    fn ask<'a>(
        &'a self,
        password: &'a SecretString,
    ) -> Pin<Box<dyn Future<Output = Result<bool, BoxError>> + Send + 'a>> {
        Box::pin(BreachList::contains(self, password))
    }
}
