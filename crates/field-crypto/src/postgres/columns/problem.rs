//! What can be wrong with a registered column.

use std::fmt;

/// One thing that is wrong with a registered column.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ColumnProblem {
    /// The table, as it was registered.
    pub table: &'static str,
    /// The column that is meant; `None` for the table itself.
    pub column: Option<String>,
    /// What is wrong with it.
    pub kind: ProblemKind,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ProblemKind {
    /// The table was registered without its schema.
    NoSchema,
    /// There is no such table.
    NoTable,
    /// The table has no such column.
    NoColumn,
    /// The key column is not of the type that the values are bound to.
    KeyType,
    /// The key column may be null.
    KeyNullable,
    /// No unique index over the key column, alone or with the tenant column, says that it names one row.
    KeyNotUnique,
    /// The tenant column is not `uuid`.
    TenantType,
    /// The sealed column or the column of a blind index is not `bytea`.
    NotBytea,
    /// The column of plain text is neither of a text type nor `bytea`.
    PlainType,
    /// No valid constraint keeps plain text out of the sealed column.
    NotChecked,
    /// Something that this release does not know of.
    Unknown,
}

impl ColumnProblem {
    pub(crate) fn new(table: &'static str, column: Option<&str>, kind: ProblemKind) -> Self {
        Self { table, column: column.map(str::to_owned), kind }
    }
}

impl ProblemKind {
    /// Of the name that `stockade.field_site_problems` gives it.
    pub(crate) fn parse(name: &str) -> Self {
        match name {
            "no_table" => Self::NoTable,
            "no_column" => Self::NoColumn,
            "key_type" => Self::KeyType,
            "key_nullable" => Self::KeyNullable,
            "key_not_unique" => Self::KeyNotUnique,
            "tenant_type" => Self::TenantType,
            "not_bytea" => Self::NotBytea,
            "plain_type" => Self::PlainType,
            "not_checked" => Self::NotChecked,
            _ => Self::Unknown,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::NoSchema => "is named without its schema",
            Self::NoTable => "does not exist",
            Self::NoColumn => "is missing",
            Self::KeyType => "is not of the type that the values are bound to",
            Self::KeyNullable => "may be null",
            Self::KeyNotUnique => "is not unique",
            Self::TenantType => "is not `uuid`",
            Self::NotBytea => "is not `bytea`",
            Self::PlainType => "is neither text nor `bytea`",
            Self::NotChecked => "has no constraint that keeps plain text out",
            Self::Unknown => "has an unknown problem",
        }
    }
}

impl fmt::Display for ColumnProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.table)?;
        if let Some(column) = &self.column {
            write!(f, ", column `{column}`,")?;
        }
        write!(f, " {}", self.kind.as_str())
    }
}
