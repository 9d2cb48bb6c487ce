//! A sealed value in a text column.

use std::fmt;
use std::str::FromStr;

use super::Sealed;
use crate::column::Column;
use crate::error::OpenError;

/// A [`Sealed`] value whose stored form is its text, `fc1.` and base64url: a sqlx `text` with the feature `postgres`, for
/// columns that cannot become `bytea`. It is four thirds as long, and the rest is the same.
///
/// [`sealed_text_check`](crate::sealed_text_check) keeps plain text out of such a column.
pub struct SealedText<C>(Sealed<C>);

impl<C> SealedText<C> {
    /// The value, to be opened.
    #[must_use]
    pub const fn sealed(&self) -> &Sealed<C> {
        &self.0
    }

    /// The value.
    #[must_use]
    pub fn into_sealed(self) -> Sealed<C> {
        self.0
    }
}

impl<C> From<Sealed<C>> for SealedText<C> {
    fn from(sealed: Sealed<C>) -> Self {
        Self(sealed)
    }
}

impl<C> From<SealedText<C>> for Sealed<C> {
    fn from(text: SealedText<C>) -> Self {
        text.0
    }
}

impl<C: Column> FromStr for SealedText<C> {
    type Err = OpenError;

    /// As [`Sealed::from_text`].
    fn from_str(text: &str) -> Result<Self, OpenError> {
        Sealed::from_text(text).map(Self)
    }
}

impl<C: Column> fmt::Display for SealedText<C> {
    /// As [`Sealed::to_text`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_text())
    }
}

impl<C> Clone for SealedText<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C> PartialEq for SealedText<C> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<C> Eq for SealedText<C> {}

impl<C: Column> fmt::Debug for SealedText<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
