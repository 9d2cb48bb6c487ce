//! How much an entry matters, and how the action ended.

use std::fmt;

/// How much attention an entry deserves. Ordered: `Info < Notice < Warning < Critical`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Ordinary work. The default.
    #[default]
    Info,
    /// Ordinary, but somebody will ask about it: a changed price, a new user.
    Notice,
    /// Deserves a look: a refused attempt, an export of many rows.
    Warning,
    /// Deserves a look now: a changed role, a break-glass access.
    Critical,
}

impl Severity {
    /// The lower-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The number in the envelope and in the table.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Info => 0,
            Self::Notice => 1,
            Self::Warning => 2,
            Self::Critical => 3,
        }
    }

    #[cfg(any(feature = "postgres", feature = "sqlite", feature = "bundle"))]
    pub(crate) const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Info),
            1 => Some(Self::Notice),
            2 => Some(Self::Warning),
            3 => Some(Self::Critical),
            _ => None,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the action ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It was done. The default.
    #[default]
    Success,
    /// It was permitted and did not work.
    Failure,
    /// It was not permitted.
    Denied,
}

impl Outcome {
    /// The lower-case name, as it stands in the envelope and in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Denied => "denied",
        }
    }

    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Success, Self::Failure, Self::Denied].into_iter().find(|outcome| outcome.as_str() == name)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
