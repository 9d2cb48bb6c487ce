//! What there is to compare in one database.

use std::collections::BTreeMap;
use std::fmt;

use sqlx::{Connection as _, PgConnection};

use super::contents;
use crate::catalogue::STOCKADE_OWNER;
use crate::error::{Error, Repr};
use crate::model::Model;
use crate::schema::Schema;

/// A part of a database that a drill compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Part {
    /// Relations of every kind, with their row-level security and options.
    Relations,
    /// Columns: type, nullability, default, identity, collation.
    Columns,
    /// Owners of relations, schemas and functions.
    Owners,
    /// Privileges on the database, schemas, relations, columns and functions, and default privileges.
    Grants,
    /// Row-level security policies.
    Policies,
    /// Triggers, whether they are on, and event triggers.
    Triggers,
    /// Functions and procedures, by a digest of their definition.
    Functions,
    /// Constraints, indexes, views, rules, types, publications and extensions.
    Definitions,
    /// Sequences and where they stand.
    Sequences,
    /// Attributes and memberships of the roles that matter here. Passwords are not read.
    Roles,
    /// Settings of the database.
    Settings,
    /// Migrations that were run, with their checksums.
    Migrations,
    /// Rows: for each table, and of a tenant table for each tenant, a count and a digest.
    Rows,
}

impl Part {
    /// Every part.
    pub const ALL: &'static [Self] = &[
        Self::Relations,
        Self::Columns,
        Self::Owners,
        Self::Grants,
        Self::Policies,
        Self::Triggers,
        Self::Functions,
        Self::Definitions,
        Self::Sequences,
        Self::Roles,
        Self::Settings,
        Self::Migrations,
        Self::Rows,
    ];

    const fn query(self) -> Option<&'static str> {
        Some(match self {
            Self::Relations => include_str!("sql/relations.sql"),
            Self::Columns => include_str!("sql/columns.sql"),
            Self::Owners => include_str!("sql/owners.sql"),
            Self::Grants => include_str!("sql/grants.sql"),
            Self::Policies => include_str!("sql/policies.sql"),
            Self::Triggers => include_str!("sql/triggers.sql"),
            Self::Functions => include_str!("sql/functions.sql"),
            Self::Definitions => include_str!("sql/definitions.sql"),
            Self::Sequences => include_str!("sql/sequences.sql"),
            Self::Roles => include_str!("sql/roles.sql"),
            Self::Settings => include_str!("sql/settings.sql"),
            Self::Migrations | Self::Rows => return None,
        })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Relations => "relations",
            Self::Columns => "columns",
            Self::Owners => "owners",
            Self::Grants => "grants",
            Self::Policies => "policies",
            Self::Triggers => "triggers",
            Self::Functions => "functions",
            Self::Definitions => "definitions",
            Self::Sequences => "sequences",
            Self::Roles => "roles",
            Self::Settings => "settings",
            Self::Migrations => "migrations",
            Self::Rows => "rows",
        })
    }
}

/// What a drill compares, read from one database at one moment. Made by [`Schema::snapshot`].
///
/// Conditions are as PostgreSQL prints them with the fewest parentheses: it reads `a AND b` at the head of a longer `AND` back as one
/// list, and with all of them the two would differ. It holds no row, only counts and digests, and the identities of tenants. With feature `serde` it can be written beside a
/// backup when the backup is made, and the drill held against it later.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Snapshot {
    pub(super) database: String,
    pub(super) server: String,
    pub(super) taken_at: String,
    /// For each object its description; `None` where it could not be read.
    pub(super) parts: BTreeMap<Part, BTreeMap<String, Option<String>>>,
}

impl Snapshot {
    /// When it was taken, by the server's clock: RFC 3339, in UTC.
    #[must_use]
    pub fn taken_at(&self) -> &str {
        &self.taken_at
    }

    /// The database's name.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    pub(super) fn part(&self, part: Part) -> Option<&BTreeMap<String, Option<String>>> {
        self.parts.get(&part)
    }
}

impl Schema {
    /// Reads what a [`Drill`](crate::Drill) compares: the catalogue of the whole database, and a digest of every row of every
    /// table, by tenant where this declaration says how.
    ///
    /// Takes one transaction on `conn`, `REPEATABLE READ` and read-only, or a savepoint in the caller's. For a source that
    /// is in use: open the transaction yourself, `SELECT pg_export_snapshot()`, make the backup with
    /// `pg_dump --snapshot`, and read from the same transaction. Reads every row once. The connection must be one that
    /// row-level security does not bind, or its tables count as not compared.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Declaration`](crate::ErrorKind::Declaration), or the database's failure.
    pub async fn snapshot(&self, conn: &mut PgConnection) -> Result<Snapshot, Error> {
        let model = Model::resolve(self)?;
        read(&model, conn).await.map_err(|error| Repr::Read(error).into())
    }
}

/// Everything that changes how PostgreSQL writes a value as text, the same on both sides.
const SETTINGS: &str =
    "SET LOCAL search_path = pg_catalog; SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD';
    SET LOCAL IntervalStyle = 'postgres'; SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex';
    SET LOCAL xmloption = 'content'; SET LOCAL lc_monetary = 'C'";

async fn read(model: &Model, conn: &mut PgConnection) -> Result<Snapshot, sqlx::Error> {
    let mut tx = if conn.is_in_transaction() {
        conn.begin().await?
    } else {
        conn.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?
    };
    sqlx::raw_sql(SETTINGS).execute(&mut *tx).await?;
    let (database, server, taken_at) = sqlx::query_as(
        r#"SELECT current_database()::text, current_setting('server_version'),
                  to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"#,
    )
    .fetch_one(&mut *tx)
    .await?;
    let roles: Vec<&str> = model.roles().map(|role| role.as_str()).chain([STOCKADE_OWNER]).collect();
    let mut parts = BTreeMap::new();
    for part in Part::ALL {
        let rows: Vec<(String, Option<String>)> = match (part, part.query()) {
            (Part::Roles, Some(query)) => sqlx::query_as(query).bind(&roles).fetch_all(&mut *tx).await?,
            (_, Some(query)) => sqlx::query_as(query).fetch_all(&mut *tx).await?,
            (Part::Migrations, None) => contents::migrations(&mut tx).await?,
            (_, None) => contents::rows(model, &mut tx).await?,
        };
        parts.insert(*part, rows.into_iter().collect());
    }
    tx.rollback().await?;
    Ok(Snapshot { database, server, taken_at, parts })
}
