//! Names and strings that are safe to put into SQL text.

use std::fmt;

use crate::error::{Error, Name, Repr};

/// PostgreSQL cuts longer names off silently (`NAMEDATALEN - 1`), and a cut name is a different object.
const MAX_BYTES: usize = 63;

/// A checked identifier. `Display` writes it quoted, always.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ident(String);

impl Ident {
    /// # Errors
    ///
    /// Refuses what PostgreSQL cannot hold as a name: nothing, more than 63 bytes, a NUL.
    pub(crate) fn new(name: impl Into<String>) -> Result<Self, Error> {
        let name = name.into();
        let fault = if name.is_empty() {
            "a name must not be empty"
        } else if name.len() > MAX_BYTES {
            "a name has at most 63 bytes"
        } else if name.contains('\0') {
            "a name must not contain NUL"
        } else {
            return Ok(Self(name));
        };
        Err(Repr::Declaration { name: Name(name), why: fault.to_owned() }.into())
    }

    /// As [`Ident::new`], and refuses what PostgreSQL reserves: `"public"` in a GRANT means everybody, even in quotes.
    pub(crate) fn role(name: impl Into<String>) -> Result<Self, Error> {
        let ident = Self::new(name)?;
        if matches!(ident.as_str(), "public" | "none") || ident.as_str().starts_with("pg_") {
            let why = "PostgreSQL reserves this role name".to_owned();
            return Err(Repr::Declaration { name: Name(ident.0), why }.into());
        }
        Ok(ident)
    }

    /// A name of this crate's own: the program's text, checked where it is used by the tests.
    pub(crate) fn own(name: &'static str) -> Self {
        Self(name.to_owned())
    }

    /// A name of this crate's own for an object that belongs to a table: readable at the front, unique by its end, and
    /// never longer than PostgreSQL allows.
    pub(crate) fn derived(prefix: &'static str, schema: &Self, table: &Self) -> Self {
        Self::derived_of(prefix, &[schema.as_str(), table.as_str()])
    }

    /// As [`derived`](Self::derived), of any number of names.
    pub(crate) fn derived_of(prefix: &'static str, names: &[&str]) -> Self {
        let key = names.join("\0");
        let mut name = format!("{prefix}_{}", names.join("_"));
        while name.len() > MAX_BYTES - 17 {
            name.pop();
        }
        Self(format!("{name}_{:016x}", fnv1a(key.as_bytes())))
    }

    /// The bare name, for bind parameters and look-ups.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('"', "\"\""))
    }
}

/// A string constant. `Display` writes it as PostgreSQL's own `quote_literal` does: the `E''` form where there is a
/// backslash, so that the value does not depend on `standard_conforming_strings`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Literal(pub(crate) String);

impl Literal {
    pub(crate) fn of(ident: &Ident) -> Self {
        Self(ident.as_str().to_owned())
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = self.0.replace('\'', "''");
        if quoted.contains('\\') { write!(f, "E'{}'", quoted.replace('\\', "\\\\")) } else { write!(f, "'{quoted}'") }
    }
}

/// FNV-1a, 64 bits: tells names apart, protects nothing.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests;
