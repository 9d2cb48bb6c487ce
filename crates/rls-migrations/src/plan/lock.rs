//! The locks that statements take.

use std::fmt;

/// The strongest lock of a statement on a table of the application, in PostgreSQL's order
/// (<https://www.postgresql.org/docs/current/explicit-locking.html>).
///
/// A statement that waits for its lock makes everybody behind it wait too, so
/// set `lock_timeout` before applying to a busy database. For how long it then holds the lock, [`Work`](crate::Work) says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Lock {
    /// Touches catalogue rows only; no table is locked.
    Catalogue,
    /// Waits for writers and holds them off, not readers: `SHARE`.
    Share,
    /// As `SHARE`, and holds off others that would take it: `SHARE ROW EXCLUSIVE`.
    ShareRowExclusive,
    /// Waits for everybody and holds everybody off: `ACCESS EXCLUSIVE`.
    AccessExclusive,
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Catalogue => "none (catalogue only)",
            Self::Share => "SHARE",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Self::AccessExclusive => "ACCESS EXCLUSIVE",
        })
    }
}
