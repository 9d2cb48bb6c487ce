//! Names and texts in SQL. They are the program's own, as `&'static str`; quoting makes any of them mean itself.

use std::fmt;

/// A quoted identifier.
pub(super) struct Name<'a>(pub(super) &'a str);

/// A quoted text.
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('"', "\"\""))
    }
}

impl fmt::Display for Text<'_> {
    /// `E''`, so that a backslash means one whatever `standard_conforming_strings` says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains('\\') {
            return write!(f, "E'{}'", self.0.replace('\\', "\\\\").replace('\'', "''"));
        }
        write!(f, "'{}'", self.0.replace('\'', "''"))
    }
}
