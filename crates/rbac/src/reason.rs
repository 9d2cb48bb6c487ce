//! Why somebody was given or took exceptional authority.

use std::fmt;

use crate::error::{Error, Fault};

/// A reason that a person gave: one line of 1 to 200 characters.
///
/// Overrides and impersonations cannot be made without one. It may name people or tickets, so it goes into the audit
/// record, and neither into messages nor into the debug form.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Reason(Box<str>);

impl Reason {
    /// The longest reason, in characters.
    pub const MAX_CHARS: usize = 200;

    /// Takes the text without the white space around it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidReason`](crate::ErrorKind::InvalidReason) if nothing is left, if more than
    /// [`MAX_CHARS`](Self::MAX_CHARS) are left, or if there is a control character in it, such as a line break.
    pub fn new(text: impl AsRef<str>) -> Result<Self, Error> {
        let text = text.as_ref().trim();
        let length = text.chars().count();
        if length == 0 || length > Self::MAX_CHARS || text.chars().any(char::is_control) {
            return Err(Fault::Reason { max: Self::MAX_CHARS }.into());
        }
        Ok(Self(text.into()))
    }

    /// A reason that stands in the database, whatever wrote it there: a denial does not fall away because its reason is not one.
    #[cfg(feature = "postgres")]
    pub(crate) fn stored(text: &str) -> Self {
        let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        Self(plain.take(Self::MAX_CHARS).collect())
    }

    /// The reason as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reason(..)")
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
