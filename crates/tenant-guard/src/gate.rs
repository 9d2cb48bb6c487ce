//! The statement gate: what may run in a tenant's scope, told by the first keyword.
//!
//! The lexical rules are PostgreSQL's (`src/backend/parser/scan.l`): whitespace is space, tab, newline, carriage return and form feed;
//! `--` comments end at a newline *or* a carriage return; `/* */` comments nest. A rule that skipped more than the server does would
//! let the server see another statement than the gate.

/// Why a statement was refused before it reached the database.
///
/// The refusal comes out of sqlx's `Executor` as a [`sqlx::Error::Configuration`]; [`Refusal::of`] finds it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The statement would have used the simple query protocol, which accepts several statements in one string: `sqlx::raw_sql`, or a
    /// string given to the executor without [`sqlx::query()`].
    #[error("statement refused: the simple query protocol is closed in a tenant's scope")]
    SimpleProtocol,
    /// The statement is none of `SELECT`, `INSERT`, `UPDATE`, `DELETE`, `MERGE`, `WITH`, `VALUES` and `TABLE`.
    #[error("statement refused: only queries and data changes may run in a tenant's scope")]
    NotAQuery,
}

impl Refusal {
    /// The refusal that an error of a statement carries, if the gate was what refused it.
    #[must_use]
    pub fn of(error: &sqlx::Error) -> Option<Self> {
        match error {
            sqlx::Error::Configuration(source) => source.downcast_ref().copied(),
            _ => None,
        }
    }
}

impl From<Refusal> for sqlx::Error {
    fn from(refusal: Refusal) -> Self {
        Self::Configuration(Box::new(refusal))
    }
}

const ADMITTED: [&[u8]; 8] = [b"SELECT", b"INSERT", b"UPDATE", b"DELETE", b"WITH", b"MERGE", b"VALUES", b"TABLE"];

/// What the gate says to a statement: whether its first keyword makes it a query or a data change.
///
/// A scope asks this of every statement by itself. For tests and tools of an application.
///
/// # Errors
///
/// [`Refusal::NotAQuery`].
pub fn check_statement(sql: &str) -> Result<(), Refusal> {
    let keyword = first_word(skip_to_statement(sql.as_bytes()));
    if ADMITTED.iter().any(|word| word.eq_ignore_ascii_case(keyword)) { Ok(()) } else { Err(Refusal::NotAQuery) }
}

/// Skips whitespace, comments and opening parentheses, after which only a query can follow. Not semicolons: behind one, anything can.
fn skip_to_statement(mut sql: &[u8]) -> &[u8] {
    loop {
        sql = match sql {
            [b' ' | b'\t' | b'\n' | b'\r' | b'\x0c' | b'(', rest @ ..] => rest,
            [b'-', b'-', rest @ ..] => after_line(rest),
            [b'/', b'*', rest @ ..] => after_block(rest),
            _ => return sql,
        };
    }
}

fn after_line(mut sql: &[u8]) -> &[u8] {
    while let [byte, rest @ ..] = sql {
        if matches!(byte, b'\n' | b'\r') {
            break;
        }
        sql = rest;
    }
    sql
}

fn after_block(mut sql: &[u8]) -> &[u8] {
    let mut depth = 1_usize;
    while depth > 0 {
        sql = match sql {
            [b'/', b'*', rest @ ..] => {
                depth = depth.saturating_add(1);
                rest
            }
            [b'*', b'/', rest @ ..] => {
                depth = depth.saturating_sub(1);
                rest
            }
            [_, rest @ ..] => rest,
            [] => return sql,
        };
    }
    sql
}

/// The identifier or keyword at the start, with every byte that PostgreSQL would count to it.
fn first_word(sql: &[u8]) -> &[u8] {
    let end = sql
        .iter()
        .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..)))
        .unwrap_or(sql.len());
    sql.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests;
