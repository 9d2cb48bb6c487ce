//! What can go wrong.

use std::fmt;

use uuid::Uuid;

/// An error of this crate. Says what kind it is, and never holds an entry's content.
pub struct Error(Box<Repr>);

/// The kinds of [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A part of the entry cannot be recorded: too long, empty, or it holds U+0000. The caller's
    /// mistake.
    InvalidEntry,
    /// Bytes that should be an envelope or a digest are not, or not in their one canonical
    /// encoding.
    Malformed,
    /// Bytes of a format that this version of the crate does not know. Neither right nor wrong.
    UnknownFormat,
    /// A stored row cannot be read. Verification says where; a search only stops.
    Corrupt,
    /// The database refused: no tenant context, another tenant's, a clock too far off, a missing
    /// grant, or an attempt to change the log.
    Refused,
    /// Another sealer moved a head first. Nothing was written; try again.
    Contended,
    /// The database cannot be reached, is overloaded, or gave up the transaction. Trying again can
    /// help.
    Unavailable,
    /// Any other error of the database; `source()` has it.
    Database,
    /// The operating system gave no random bytes.
    Randomness,
    /// A signer failed, or gave a signature that is not its key's; `source()` has the signer's reason.
    Signing,
}

impl Error {
    /// What kind of error this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &*self.0 {
            Repr::Invalid { .. } => ErrorKind::InvalidEntry,
            Repr::Malformed(_) => ErrorKind::Malformed,
            Repr::UnknownFormat(_) => ErrorKind::UnknownFormat,
            Repr::Corrupt(_) => ErrorKind::Corrupt,
            Repr::NotVisible | Repr::Swallowed => ErrorKind::Refused,
            Repr::Contended => ErrorKind::Contended,
            Repr::Random(_) => ErrorKind::Randomness,
            #[cfg(feature = "checkpoint")]
            Repr::Signing(_) | Repr::WrongSignature => ErrorKind::Signing,
            #[cfg(feature = "postgres")]
            Repr::Database(error) => database_kind(error),
        }
    }

    /// Whether the same call, in a new transaction, may work.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind(), ErrorKind::Contended | ErrorKind::Unavailable)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error").field("kind", &self.kind()).field("message", &self.to_string()).finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

#[derive(Debug, thiserror::Error)]
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "some errors only a database gives"))]
pub(crate) enum Repr {
    #[error("the {part} of an audit entry {problem}")]
    Invalid { part: &'static str, problem: &'static str },
    #[error("{0}")]
    Malformed(&'static str),
    #[error("format {0} is unknown to this version")]
    UnknownFormat(u16),
    #[error("the stored entry `{0}` cannot be read")]
    Corrupt(Uuid),
    #[error("the tenant is not visible on this connection: set its context or use the sealer's role")]
    NotVisible,
    #[error("the database took the entry and did not store it")]
    Swallowed,
    #[error("another sealer moved a head first")]
    Contended,
    #[error("the operating system gave no random bytes")]
    Random(#[source] getrandom::Error),
    #[cfg(feature = "checkpoint")]
    #[error("the signer failed")]
    Signing(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[cfg(feature = "checkpoint")]
    #[error("the signer gave a signature that does not hold")]
    WrongSignature,
    #[cfg(feature = "postgres")]
    #[error("{}", database_message(.0))]
    Database(#[source] sqlx::Error),
}

impl From<Repr> for Error {
    #[cold]
    fn from(repr: Repr) -> Self {
        Self(Box::new(repr))
    }
}

#[cfg(feature = "postgres")]
impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Repr::Database(error).into()
    }
}

#[cfg(feature = "postgres")]
fn database_kind(error: &sqlx::Error) -> ErrorKind {
    use sqlx::Error as E;
    match error {
        E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => ErrorKind::Unavailable,
        E::Database(error) => match error.code().as_deref() {
            // insufficient_privilege: a missing grant, a row-level policy, or the append-only
            // triggers.
            Some("42501") => ErrorKind::Refused,
            // serialization_failure, deadlock_detected; connection exceptions; too many
            // connections; shutting down.
            Some("40001" | "40P01" | "53300" | "57P01" | "57P02" | "57P03") => ErrorKind::Unavailable,
            Some(code) if code.starts_with("08") => ErrorKind::Unavailable,
            _ => ErrorKind::Database,
        },
        _ => ErrorKind::Database,
    }
}

// The message of a database can quote the values of a row, so only its code is shown.
#[cfg(feature = "postgres")]
fn database_message(error: &sqlx::Error) -> String {
    let what = match database_kind(error) {
        ErrorKind::Refused => "the database refused the statement",
        ErrorKind::Unavailable => "the database is unavailable",
        _ => "the database reported an error",
    };
    match error.as_database_error().and_then(sqlx::error::DatabaseError::code) {
        Some(code) => format!("{what} ({code})"),
        None => what.to_owned(),
    }
}
