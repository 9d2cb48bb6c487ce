//! The crate's one error type.

use std::fmt;

/// Why a declaration could not be planned, applied, written or checked.
///
/// The message names the schema's objects and never contains SQL text or row data. The database's own error, where there
/// is one, is the [`source`](std::error::Error::source).
#[derive(Debug)]
pub struct Error(Box<Repr>);

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The declaration contradicts itself or has a name that PostgreSQL cannot hold.
    Declaration,
    /// The schema has tables that the declaration does not mention.
    Undeclared,
    /// The declaration names a schema, table or column that is not there.
    Missing,
    /// The declaration asks for something that this version cannot protect, such as a foreign table.
    Unsupported,
    /// The connected role lacks a privilege (SQLSTATE 42501), or is the application's, which does not plan.
    Privilege,
    /// The database failed or refused in another way.
    Database,
    /// A migration file could not be written.
    Io,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Repr {
    #[error("{name}: {why}")]
    Declaration { name: Name, why: String },
    #[cfg(feature = "toml")]
    #[error("{}{message}", Line(*.line))]
    Document { line: Option<usize>, message: String },
    #[error("undeclared in schema {schema}: {tables}")]
    Undeclared { schema: Name, tables: Names },
    #[error("{what} {name} does not exist")]
    Missing { what: &'static str, name: Name },
    #[error("{name}: {why}")]
    Unsupported { name: Name, why: &'static str },
    #[error("the database's context is a lease, declared for {0}; a setting would weaken it")]
    Lowers(Names),
    #[error("connected as {0}, the application's role; a plan is made by the role that migrates")]
    ApplicationRole(Name),
    #[error("the catalogue cannot be read{}", Code(.0))]
    Read(#[source] sqlx::Error),
    #[error("statement {number} of {total} failed{}, nothing was changed", Code(.source))]
    Apply { number: usize, total: usize, source: sqlx::Error },
    #[error("the transaction failed{}, nothing was changed", Code(.0))]
    Transaction(#[source] sqlx::Error),
    #[error("the probe was cut short{}, nothing was changed", Code(.0))]
    Probe(#[source] sqlx::Error),
    #[error("the application's login cannot connect{}", Code(.0))]
    Login(#[source] sqlx::Error),
    #[error("the migration folder cannot be used")]
    Io(#[source] std::io::Error),
}

impl Error {
    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &*self.0 {
            Repr::Declaration { .. } | Repr::Lowers(_) => ErrorKind::Declaration,
            #[cfg(feature = "toml")]
            Repr::Document { .. } => ErrorKind::Declaration,
            Repr::Undeclared { .. } => ErrorKind::Undeclared,
            Repr::Missing { .. } => ErrorKind::Missing,
            Repr::Unsupported { .. } => ErrorKind::Unsupported,
            Repr::ApplicationRole(_) => ErrorKind::Privilege,
            Repr::Io(_) => ErrorKind::Io,
            Repr::Read(source)
            | Repr::Transaction(source)
            | Repr::Probe(source)
            | Repr::Login(source)
            | Repr::Apply { source, .. } => match sqlstate(source).as_deref() {
                Some("42501") => ErrorKind::Privilege,
                _ => ErrorKind::Database,
            },
        }
    }

    /// Whether the same call may succeed when it is repeated: lost connections, deadlocks, serialization failures, lock
    /// timeouts and catalogue rows that another session changed at the same moment.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match &*self.0 {
            Repr::Read(source)
            | Repr::Transaction(source)
            | Repr::Probe(source)
            | Repr::Login(source)
            | Repr::Apply { source, .. } => {
                match source {
                    sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
                    source => matches!(
                        sqlstate(source).as_deref(),
                        // serialization failure, deadlock, lock not available, administrator's shutdown, and "tuple
                        // concurrently updated", which PostgreSQL reports as an internal error
                        Some("40001" | "40P01" | "55P03" | "57P01" | "XX000")
                    ),
                }
            }
            _ => false,
        }
    }
}

#[cfg(feature = "toml")]
impl Error {
    /// The name that a contradiction is about.
    pub(crate) fn name(&self) -> Option<&str> {
        match &*self.0 {
            Repr::Declaration { name, .. } => Some(&name.0),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&*self.0)
    }
}

impl From<Repr> for Error {
    fn from(repr: Repr) -> Self {
        Self(Box::new(repr))
    }
}

/// A name in a message: in backticks, on one line whatever it contains.
#[derive(Debug)]
pub(crate) struct Name(pub(crate) String);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0.escape_debug())
    }
}

/// Names in a message, separated by commas.
#[derive(Debug)]
pub(crate) struct Names(pub(crate) Vec<String>);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, name) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            write!(f, "{separator}`{}`", name.escape_debug())?;
        }
        Ok(())
    }
}

/// The line of a document that an error is on, or nothing.
#[cfg(feature = "toml")]
struct Line(Option<usize>);

#[cfg(feature = "toml")]
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |line| write!(f, "line {line}: "))
    }
}

/// The SQLSTATE of a database error, in brackets, or nothing.
struct Code<'a>(&'a sqlx::Error);

impl fmt::Display for Code<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        sqlstate(self.0).map_or(Ok(()), |code| write!(f, " (SQLSTATE {code})"))
    }
}

pub(crate) fn sqlstate(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}
