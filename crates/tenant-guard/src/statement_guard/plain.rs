//! The text that every lexer reads in the same way.
//!
//! A guard is passed where its lexer and the database's disagree about where a comment or a literal ends. So nothing is admitted on which
//! they could: no comments, no backslashes, no dollar quotes, no prefixed literals (`E'..'`, `U&".."`), no other quotes than `'` and `"`, no
//! characters outside ASCII except inside quotes.

use super::{Dialect, Refused};

pub(super) fn check(sql: &str, dialect: Dialect) -> Result<(), Refused> {
    let mut quote = None;
    let mut before = b' ';
    let mut bytes = sql.bytes().peekable();
    while let Some(byte) = bytes.next() {
        let next = bytes.peek().copied().unwrap_or(b' ');
        let harmless = match (quote, byte) {
            (_, b'\\' | 0) => false,
            (Some(open), _) if open == byte => {
                // A doubled quote closes and opens again, which comes to the same.
                quote = None;
                true
            }
            (Some(_), _) => true,
            (None, b'\'' | b'"') => {
                quote = Some(byte);
                before == byte || !(is_word(before) || matches!(before, b'&' | b'\'' | b'"'))
            }
            (None, b'-') => next != b'-',
            (None, b'/') => next != b'*',
            (None, b'*') => next != b'/',
            (None, b'$') => dialect == Dialect::PostgreSql && next.is_ascii_digit() && !is_word(before),
            (None, b'[' | b']' | b'#') => dialect == Dialect::PostgreSql,
            (None, b';' | b'`' | b'{' | b'}') => false,
            (None, b'\t' | b'\n' | b'\r') => true,
            (None, byte) => matches!(byte, b' '..=b'~'),
        };
        if !harmless {
            return Err(Refused::NotPlain);
        }
        before = byte;
    }
    if quote.is_some() { Err(Refused::NotPlain) } else { Ok(()) }
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..)
}
