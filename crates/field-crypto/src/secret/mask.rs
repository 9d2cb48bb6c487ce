//! What may be shown of a secret.

use std::fmt;

/// A secret with all but its last four characters replaced: fit for a page or a log.
///
/// `078-05-1120` becomes `***-**-1120`, `12-3456789` becomes `**-***6789`. Hyphens, spaces, dots and slashes stay where
/// they are; everything else counts as content.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Masked(String);

/// How many characters stay readable.
const SHOWN: usize = 4;
/// With less content than this, four characters would be more than half of it.
const SHORTEST: usize = 2 * SHOWN;

impl Masked {
    pub(crate) fn of(text: &str) -> Self {
        let content = text.chars().filter(|c| !is_separator(*c)).count();
        let shown = if content < SHORTEST { 0 } else { SHOWN };
        let mut hidden = content - shown;
        let mask = |c| {
            if is_separator(c) {
                c
            } else if hidden > 0 {
                hidden -= 1;
                '*'
            } else {
                c
            }
        };
        Self(text.chars().map(mask).collect())
    }

    /// The masked text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const fn is_separator(c: char) -> bool {
    matches!(c, '-' | ' ' | '.' | '/')
}
