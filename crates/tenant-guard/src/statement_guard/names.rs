//! Names, as the database compares them.

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart};

use super::{Dialect, Refused};

/// PostgreSQL cuts names here, after which two that differ may be one.
const MAX_BYTES: usize = 63;

/// A name as the database stores it.
pub(super) fn fold(name: &Ident, dialect: Dialect) -> Result<String, Refused> {
    if name.value.len() > MAX_BYTES {
        return Err(Refused::Construct);
    }
    Ok(match (dialect, name.quote_style) {
        (Dialect::PostgreSql, Some(_)) => name.value.clone(),
        // SQLite ignores case in quotes too.
        _ => name.value.to_ascii_lowercase(),
    })
}

/// The last part of a name, and whether it stands alone.
pub(super) fn last(name: &ObjectName) -> Result<(&Ident, bool), Refused> {
    for part in &name.0 {
        if !matches!(part, ObjectNamePart::Identifier(_)) {
            return Err(Refused::Construct);
        }
    }
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(name)] => Ok((name, true)),
        [.., ObjectNamePart::Identifier(name)] => Ok((name, false)),
        _ => Err(Refused::Construct),
    }
}
