//! How much a statement does while it holds its lock.

use std::fmt;

/// What a statement of a [`Plan`](crate::Plan) does to the rows that are there, which says for how long it holds its
/// [`Lock`](crate::Lock).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Work {
    /// Changes catalogue rows only: takes the same short time on a table of any size.
    Catalogue,
    /// Reads the rows: to check them, or to build an index.
    Scan,
    /// Writes the rows again. No planned statement does.
    Rewrite,
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Catalogue => "none",
            Self::Scan => "reads every row",
            Self::Rewrite => "rewrites every row",
        })
    }
}
