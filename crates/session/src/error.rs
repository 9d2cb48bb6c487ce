//! The one error type of the crate.

use std::{error::Error as StdError, fmt};

/// Any error, as implementors of [`Store`](crate::Store) and [`SeedCipher`](crate::SeedCipher) have it.
pub type BoxError = Box<dyn StdError + Send + Sync + 'static>;

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation could not be carried out.
///
/// Wrong credentials are not an error: they are [`Step::Rejected`](crate::Step) and [`TotpStep::Rejected`](crate::TotpStep).
#[derive(Debug)]
pub struct Error(Repr);

/// What a caller can tell errors apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The hash pool is full. Answer with 503 and let the client try again.
    Unavailable,
    /// The store failed.
    Store,
    /// What was to be created is there already.
    Conflict,
    /// The account does not exist.
    NotFound,
    /// An argument breaks a documented rule.
    InvalidInput,
    /// A setting is missing or impossible.
    Configuration,
    /// The pending sign-in is unknown, expired or revoked: start again with [`Auth::begin`](crate::Auth::begin).
    FlowEnded,
    /// The [`SeedCipher`](crate::SeedCipher) could not seal or open a seed.
    SeedCipher,
    /// The list of breached passwords could not be asked, and the settings refuse passwords then.
    BreachList,
    /// The operating system gave no random numbers.
    Random,
}

impl Error {
    /// For implementors of [`Store`](crate::Store): a failure that would repeat.
    pub fn store(source: impl Into<BoxError>) -> Self {
        Self(Repr::Store(source.into()))
    }

    /// For implementors of [`Store`](crate::Store): a failure that may pass, such as a lost connection.
    pub fn store_unavailable(source: impl Into<BoxError>) -> Self {
        Self(Repr::StoreUnavailable(source.into()))
    }

    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self.0 {
            Repr::Unavailable => ErrorKind::Unavailable,
            Repr::Store(_) | Repr::StoreUnavailable(_) => ErrorKind::Store,
            Repr::Conflict(_) => ErrorKind::Conflict,
            Repr::NotFound => ErrorKind::NotFound,
            Repr::InvalidInput(_) => ErrorKind::InvalidInput,
            Repr::Configuration(_) => ErrorKind::Configuration,
            Repr::FlowEnded => ErrorKind::FlowEnded,
            Repr::SeedCipher(_) => ErrorKind::SeedCipher,
            Repr::BreachList(_) => ErrorKind::BreachList,
            Repr::Random(_) => ErrorKind::Random,
        }
    }

    /// Whether the same call may succeed a little later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.0, Repr::Unavailable | Repr::StoreUnavailable(_) | Repr::BreachList(_))
    }

    pub(crate) fn unavailable() -> Self {
        Self(Repr::Unavailable)
    }

    pub(crate) fn conflict(what: &'static str) -> Self {
        Self(Repr::Conflict(what))
    }

    pub(crate) fn not_found() -> Self {
        Self(Repr::NotFound)
    }

    pub(crate) fn invalid(what: &'static str) -> Self {
        Self(Repr::InvalidInput(what))
    }

    pub(crate) fn configuration(what: &'static str) -> Self {
        Self(Repr::Configuration(what))
    }

    pub(crate) fn flow_ended() -> Self {
        Self(Repr::FlowEnded)
    }

    pub(crate) fn seed_cipher(source: BoxError) -> Self {
        Self(Repr::SeedCipher(source))
    }

    pub(crate) fn breach_list(source: BoxError) -> Self {
        Self(Repr::BreachList(source))
    }

    pub(crate) fn random(source: getrandom::Error) -> Self {
        Self(Repr::Random(source.to_string()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

#[derive(Debug, thiserror::Error)]
enum Repr {
    #[error("password hashing is at its limit")]
    Unavailable,
    #[error("the session store failed")]
    Store(#[source] BoxError),
    #[error("the session store is not available")]
    StoreUnavailable(#[source] BoxError),
    #[error("{0}")]
    Conflict(&'static str),
    #[error("no such account")]
    NotFound,
    #[error("{0}")]
    InvalidInput(&'static str),
    #[error("{0}")]
    Configuration(&'static str),
    #[error("the sign-in has ended and must start again")]
    FlowEnded,
    #[error("the totp seed could not be sealed or opened")]
    SeedCipher(#[source] BoxError),
    #[error("the list of breached passwords could not be asked")]
    BreachList(#[source] BoxError),
    #[error("no random numbers: {0}")]
    Random(String),
}
