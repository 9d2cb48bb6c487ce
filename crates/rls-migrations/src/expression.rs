//! SQL conditions that an application wrote, kept in their place.

use std::fmt;

use crate::sql::Fragment;

/// A condition whose quotes and brackets are closed, and that holds no statement, comment or escape: between brackets it ends where
/// it began. What it says is not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expression(String);

impl Expression {
    /// # Errors
    ///
    /// Why the text could leave its place.
    pub(crate) fn new(text: impl Into<String>) -> Result<Self, &'static str> {
        let text = text.into();
        match fault(&text) {
            Some(why) => Err(why),
            None => Ok(Self(text)),
        }
    }
}

fn fault(text: &str) -> Option<&'static str> {
    if text.trim().is_empty() {
        return Some("a condition must not be empty");
    }
    if text.contains(['\0', '\\']) {
        return Some("a condition has no NUL and no backslash");
    }
    let (mut open, mut quote, mut before) = (Vec::new(), None, ' ');
    for character in text.chars() {
        // A doubled quote closes and opens again.
        if let Some(end) = quote {
            if character == end {
                quote = None;
            }
            before = ' ';
            continue;
        }
        match (before, character) {
            (_, '\'' | '"') => quote = Some(character),
            (_, '(') => open.push(')'),
            (_, '[') => open.push(']'),
            (_, ')' | ']') if open.pop() != Some(character) => return Some("a condition closes what it opens"),
            (_, ';') => return Some("a condition is one expression, without a semicolon"),
            (_, '$') => return Some("a condition has no dollar quote and no parameter"),
            ('-', '-') | ('/', '*') => return Some("a condition has no comment"),
            _ => {}
        }
        before = character;
    }
    (quote.is_some() || !open.is_empty()).then_some("a condition closes what it opens")
}

impl Fragment for Expression {}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Expression;

    #[test]
    fn a_condition_stays_between_its_brackets() {
        for text in [
            "owner_id = (SELECT a.actor_id FROM stockade.current_actor a)",
            "note <> ');--' AND \"odd)name\" = 'it''s' AND tags[1] = 'a'",
            "a - -1 = b / 2 * 3",
        ] {
            assert!(Expression::new(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "  ",
            "true) WITH CHECK (true",
            "true); DROP TABLE t; SELECT (1",
            "true; SELECT 1",
            "(true",
            "true)",
            "(tags[1)]",
            "true -- and the rest",
            "true /* and the rest",
            "'open",
            "\"open",
            "note = $$ ) $$",
            "id = $1",
            "note = E'\\' OR true) --'",
            "a\0b",
        ] {
            assert!(Expression::new(text).is_err(), "{text}");
        }
    }
}
