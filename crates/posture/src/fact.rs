//! Facts: the few numbers and names that make an observation worth believing.

use std::collections::BTreeMap;

/// The facts of one observation, by key and in the order of the keys.
pub type Facts = BTreeMap<&'static str, Fact>;

/// One fact: a count, a flag or a name. Never a row or a part of one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// How many.
    Count(i64),
    /// Whether.
    Flag(bool),
    /// The name of a role, a table, a version.
    Name(String),
}

impl From<bool> for Fact {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<i32> for Fact {
    fn from(count: i32) -> Self {
        Self::Count(count.into())
    }
}

impl From<i64> for Fact {
    fn from(count: i64) -> Self {
        Self::Count(count)
    }
}

impl From<u32> for Fact {
    fn from(count: u32) -> Self {
        Self::Count(count.into())
    }
}

/// A count above `i64::MAX` becomes `i64::MAX`.
impl From<u64> for Fact {
    fn from(count: u64) -> Self {
        Self::Count(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

/// A count above `i64::MAX` becomes `i64::MAX`.
impl From<usize> for Fact {
    fn from(count: usize) -> Self {
        Self::Count(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl From<&str> for Fact {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<String> for Fact {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}
