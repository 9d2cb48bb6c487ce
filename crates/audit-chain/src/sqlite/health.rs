//! Whether the schema is still the one that the migrations made.

use std::collections::BTreeMap;

use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use super::MIGRATIONS;
use crate::Error;

/// What a look at the schema found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    differences: Vec<Difference>,
}

/// One way in which the schema is not what the migrations made. The name is that of a table, index,
/// trigger or view.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Difference {
    /// The object is gone.
    Missing(String),
    /// The object is there under its name and is another.
    Altered(String),
    /// An object that is not of the migrations, on a table of the log or under a name like those of
    /// the log; temporary ones of this connection included.
    Unexpected(String),
}

impl Health {
    /// Whether nothing was found.
    #[must_use]
    pub const fn is_intact(&self) -> bool {
        self.differences.is_empty()
    }

    /// What was found.
    #[must_use]
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }
}

// Names are compared without regard to case, as SQLite does. No pattern of LIKE, where `_` is any
// character.
const OBJECTS: &str = "
SELECT lower(s.name), s.type || char(10) || lower(s.tbl_name) || char(10) || coalesce(s.sql, '') FROM (
    SELECT name, type, tbl_name, sql FROM main.sqlite_schema
    UNION ALL
    SELECT 'temp.' || name, type, tbl_name, sql FROM temp.sqlite_schema
) AS s
WHERE instr(lower(s.tbl_name), 'stockade_audit_') = 1 OR instr(lower(s.name), 'stockade_audit_') = 1
    OR instr(lower(s.name), 'temp.stockade_audit_') = 1";

/// Compares every table, index and trigger of the log with what the migrations make of an empty
/// database in memory.
///
/// Whoever can open the file can change its schema back before somebody looks: this finds what is
/// left in place, [`verify`](super::verify) what was done in between.
///
/// # Errors
/// The errors of the connection.
pub async fn health(connection: &mut SqliteConnection) -> Result<Health, Error> {
    let mut found = objects(connection).await?;
    let mut differences = Vec::new();
    for (name, definition) in expected().await? {
        match found.remove(&name) {
            Some(found) if found == definition => {}
            Some(_) => differences.push(Difference::Altered(name)),
            None => differences.push(Difference::Missing(name)),
        }
    }
    differences.extend(found.into_keys().map(Difference::Unexpected));
    Ok(Health { differences })
}

async fn expected() -> Result<BTreeMap<String, String>, Error> {
    let mut fresh = SqliteConnectOptions::new().in_memory(true).connect().await?;
    for (_, _, sql) in MIGRATIONS {
        sqlx::raw_sql(*sql).execute(&mut fresh).await?;
    }
    let expected = objects(&mut fresh).await?;
    fresh.close().await?;
    Ok(expected)
}

async fn objects(connection: &mut SqliteConnection) -> Result<BTreeMap<String, String>, Error> {
    let rows: Vec<(String, String)> = sqlx::query_as(OBJECTS).fetch_all(connection).await?;
    Ok(rows.into_iter().collect())
}
