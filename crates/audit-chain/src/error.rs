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
    /// A table cannot be captured in the way that was asked for: no such table or column, no tenant column, not an ordinary or
    /// partitioned table. The message says which.
    NotCapturable,
    /// Another writer of the chain was first. Nothing was written; try again.
    Contended,
    /// The database cannot be reached, is overloaded, or gave up the transaction. Trying again can
    /// help.
    Unavailable,
    /// The appender was closed. Nothing was stored.
    Closed,
    /// The appender ended, or lost the database twice, before it knew whether the entry was stored.
    /// Appending it again can store it twice.
    Unacknowledged,
    /// Any other error of the database; `source()` has it.
    Database,
    /// The operating system gave no random bytes.
    Randomness,
    /// A file cannot be read or written; `source()` has the reason.
    Io,
    /// A signer failed, or gave a signature that is not its key's; `source()` has the signer's reason.
    Signing,
    /// An anchor could not be read or written; `source()` has its reason. Trying again can help.
    Anchor,
}

impl Error {
    /// What kind of error this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &*self.0 {
            Repr::Invalid { .. } => ErrorKind::InvalidEntry,
            Repr::Malformed(_) => ErrorKind::Malformed,
            #[cfg(feature = "bundle")]
            Repr::Line { .. } => ErrorKind::Malformed,
            #[cfg(feature = "bundle")]
            Repr::UnknownBundle(_) => ErrorKind::UnknownFormat,
            #[cfg(feature = "bundle")]
            Repr::Io(_) => ErrorKind::Io,
            Repr::UnknownFormat(_) => ErrorKind::UnknownFormat,
            Repr::Corrupt(_) => ErrorKind::Corrupt,
            Repr::NotVisible | Repr::Swallowed | Repr::Savepoint => ErrorKind::Refused,
            #[cfg(all(feature = "postgres", feature = "bundle"))]
            Repr::NotSnapshot | Repr::NotAnnounced => ErrorKind::Refused,
            #[cfg(feature = "postgres")]
            Repr::NotOwner => ErrorKind::Refused,
            #[cfg(feature = "postgres")]
            Repr::NotCapturable(_) => ErrorKind::NotCapturable,
            Repr::Contended => ErrorKind::Contended,
            Repr::Closed => ErrorKind::Closed,
            Repr::Unacknowledged => ErrorKind::Unacknowledged,
            #[cfg(feature = "postgres")]
            Repr::Unreached(_) => ErrorKind::Unavailable,
            Repr::Random(_) => ErrorKind::Randomness,
            #[cfg(feature = "checkpoint")]
            Repr::Signing(_) | Repr::WrongSignature => ErrorKind::Signing,
            #[cfg(all(feature = "checkpoint", any(feature = "postgres", feature = "sqlite")))]
            Repr::Anchor(_) => ErrorKind::Anchor,
            #[cfg(any(feature = "postgres", feature = "sqlite"))]
            Repr::Database(error) => database_kind(error),
        }
    }

    /// The format that is unknown, if that is the error.
    pub(crate) fn unknown_format(&self) -> Option<u16> {
        match *self.0 {
            Repr::UnknownFormat(format) => Some(format),
            _ => None,
        }
    }

    /// The SQLSTATE, if the database gave one.
    #[cfg(feature = "postgres")]
    pub(crate) fn database_code(&self) -> Option<std::borrow::Cow<'_, str>> {
        match &*self.0 {
            Repr::Database(error) => error.as_database_error()?.code(),
            _ => None,
        }
    }

    /// Whether the database gave up waiting for a lock (`lock_timeout`).
    #[cfg(feature = "postgres")]
    pub(crate) fn is_lock_timeout(&self) -> bool {
        matches!(&*self.0, Repr::Database(sqlx::Error::Database(error)) if error.code().as_deref() == Some("55P03"))
    }

    /// Whether the same call, in a new transaction, may work.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind(), ErrorKind::Contended | ErrorKind::Unavailable | ErrorKind::Anchor)
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
    #[cfg(feature = "bundle")]
    #[error("line {number} of the bundle {problem}")]
    Line { number: u64, problem: &'static str },
    #[cfg(feature = "bundle")]
    #[error("version {0} of the bundle is unknown to this version")]
    UnknownBundle(u64),
    #[cfg(feature = "bundle")]
    #[error("the file cannot be read or written")]
    Io(#[source] std::io::Error),
    #[cfg(all(feature = "postgres", feature = "bundle"))]
    #[error("an export needs a transaction of the level REPEATABLE READ")]
    NotSnapshot,
    #[cfg(all(feature = "postgres", feature = "bundle"))]
    #[error("the announcement of this export is not committed, or the transaction has written something")]
    NotAnnounced,
    #[error("the stored entry `{0}` cannot be read")]
    Corrupt(Uuid),
    #[error("the tenant is not visible on this connection: set its context or use the sealer's role")]
    NotVisible,
    #[error("the database took the entry and did not store it")]
    Swallowed,
    #[error("the connection is in a transaction, and a savepoint cannot commit")]
    Savepoint,
    #[cfg(feature = "postgres")]
    #[error("only the owner of a table decides about its capture")]
    NotOwner,
    #[cfg(feature = "postgres")]
    #[error("{0}")]
    NotCapturable(&'static str),
    #[error("another writer of the chain was first")]
    Contended,
    #[error("the appender was closed")]
    Closed,
    #[error("it is not known whether the entry was stored")]
    Unacknowledged,
    #[cfg(feature = "postgres")]
    #[error("the appender cannot reach the database")]
    Unreached(#[source] std::sync::Arc<sqlx::Error>),
    #[error("the operating system gave no random bytes")]
    Random(#[source] getrandom::Error),
    #[cfg(feature = "checkpoint")]
    #[error("the signer failed")]
    Signing(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[cfg(feature = "checkpoint")]
    #[error("the signer gave a signature that does not hold")]
    WrongSignature,
    #[cfg(all(feature = "checkpoint", any(feature = "postgres", feature = "sqlite")))]
    #[error("the anchor could not be read or written")]
    Anchor(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    #[error("{}", database_message(.0))]
    Database(#[source] sqlx::Error),
}

impl From<Repr> for Error {
    #[cold]
    fn from(repr: Repr) -> Self {
        Self(Box::new(repr))
    }
}

#[cfg(any(feature = "postgres", feature = "sqlite"))]
impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Repr::Database(error).into()
    }
}

#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) fn database_kind(error: &sqlx::Error) -> ErrorKind {
    use sqlx::Error as E;
    match error {
        E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => ErrorKind::Unavailable,
        E::Database(error) => match error.code().as_deref() {
            // insufficient_privilege: a missing grant, a row-level policy, or the append-only
            // triggers.
            Some("42501") => ErrorKind::Refused,
            // serialization_failure, deadlock_detected; lock_not_available; connection exceptions; too many
            // connections; shutting down.
            Some("40001" | "40P01" | "55P03" | "53300" | "57P01" | "57P02" | "57P03") => ErrorKind::Unavailable,
            Some(code) if code.starts_with("08") => ErrorKind::Unavailable,
            #[cfg(feature = "sqlite")]
            Some(code) if code.len() < 5 => sqlite_kind(code),
            _ => ErrorKind::Database,
        },
        _ => ErrorKind::Database,
    }
}

// Extended result codes: the lowest byte is the primary code (<https://www.sqlite.org/rescode.html>).
// The codes of PostgreSQL have five characters.
#[cfg(feature = "sqlite")]
fn sqlite_kind(code: &str) -> ErrorKind {
    match code.parse::<u32>() {
        // SQLITE_BUSY_SNAPSHOT: somebody else has written since this transaction read.
        Ok(517) => ErrorKind::Contended,
        // SQLITE_CONSTRAINT_TRIGGER: the append-only triggers.
        Ok(1811) => ErrorKind::Refused,
        Ok(code) => match code & 0xff {
            // SQLITE_BUSY, SQLITE_LOCKED.
            5 | 6 => ErrorKind::Unavailable,
            // SQLITE_PERM, SQLITE_READONLY, SQLITE_AUTH.
            3 | 8 | 23 => ErrorKind::Refused,
            _ => ErrorKind::Database,
        },
        Err(_) => ErrorKind::Database,
    }
}

// The message of a database can quote the values of a row, so only its code is shown.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
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
