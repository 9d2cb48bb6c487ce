//! The error of this crate.

use std::{borrow::Cow, error::Error as StdError};

use crate::{control::ControlId, text};

pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// What went wrong: an unusable input, or a collector that could not measure.
///
/// A control that fails is not an error; it is an [`Observation`](crate::Observation).
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Repr);

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A text names no control of the catalogue.
    UnknownControl,
    /// An attestation was made for a control that has to be measured.
    NotAttestable,
    /// The dates of an attestation are out of order, or it would outlive the longest age of its control.
    Validity,
    /// A snapshot of a history does not say what it must.
    Malformed,
    /// The days of a period are out of order, or more than ten years.
    Period,
    /// A collector could not reach or read what it measures.
    Unavailable,
}

#[derive(Debug, thiserror::Error)]
enum Repr {
    #[error("no control is called `{0}`")]
    UnknownControl(String),
    #[error("control `{0}` is measured and cannot be attested")]
    NotAttestable(ControlId),
    #[error("attestation of `{0}`: {1}")]
    Validity(ControlId, &'static str),
    #[error("snapshot: {0}")]
    Malformed(&'static str),
    #[error("period: {0}")]
    Period(&'static str),
    #[error("{reason}")]
    Unavailable {
        reason: Cow<'static, str>,
        #[source]
        source: Option<BoxError>,
    },
}

impl Error {
    /// For authors of a [`Collector`](crate::Collector): the measurement could not be made.
    ///
    /// The reason is printed beside the control. It is `&'static str` so that no query, secret or name of a person can slip
    /// into it: write `"the key service did not answer"`.
    #[must_use]
    pub fn unavailable(reason: &'static str) -> Self {
        Self(Repr::Unavailable { reason: reason.into(), source: None })
    }

    /// As [`Error::unavailable`], with the cause for [`source`](StdError::source). The cause is never printed by this crate.
    #[must_use]
    pub fn unavailable_because(reason: &'static str, cause: impl Into<BoxError>) -> Self {
        Self(Repr::Unavailable { reason: reason.into(), source: Some(cause.into()) })
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn unreadable(reason: String, cause: BoxError) -> Self {
        Self(Repr::Unavailable { reason: reason.into(), source: Some(cause) })
    }

    /// The kind of this error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self.0 {
            Repr::UnknownControl(_) => ErrorKind::UnknownControl,
            Repr::NotAttestable(_) => ErrorKind::NotAttestable,
            Repr::Validity(..) => ErrorKind::Validity,
            Repr::Malformed(_) => ErrorKind::Malformed,
            Repr::Period(_) => ErrorKind::Period,
            Repr::Unavailable { .. } => ErrorKind::Unavailable,
        }
    }

    /// Whether the same call may succeed later without a change of its input.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.kind() == ErrorKind::Unavailable
    }

    pub(crate) fn unknown_control(name: &str) -> Self {
        Self(Repr::UnknownControl(text::clean(name)))
    }

    pub(crate) fn not_attestable(control: ControlId) -> Self {
        Self(Repr::NotAttestable(control))
    }

    pub(crate) const fn malformed(problem: &'static str) -> Self {
        Self(Repr::Malformed(problem))
    }

    pub(crate) const fn period(problem: &'static str) -> Self {
        Self(Repr::Period(problem))
    }

    pub(crate) fn validity(control: ControlId, problem: &'static str) -> Self {
        Self(Repr::Validity(control, problem))
    }
}
