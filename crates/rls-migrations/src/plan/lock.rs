//! The locks that statements take.

use std::fmt;

/// The strongest lock of a statement on a table of the application, in PostgreSQL's order
/// (<https://www.postgresql.org/docs/current/explicit-locking.html>).
///
/// None of the planned statements rewrites a table. A statement that waits for its lock makes everybody behind it wait too, so
/// set `lock_timeout` before applying to a busy database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Lock {
    /// Touches catalogue rows only; no table is locked.
    Catalogue,
    /// Waits for writers and holds them off, not readers: `SHARE ROW EXCLUSIVE`.
    ShareRowExclusive,
    /// Waits for everybody and holds everybody off: `ACCESS EXCLUSIVE`.
    AccessExclusive,
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Catalogue => "none (catalogue only)",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Self::AccessExclusive => "ACCESS EXCLUSIVE",
        })
    }
}
