//! The words of a declaration: columns, parents, periods, privileges.
//!
//! Nothing here is checked when it is written; [`Schema::plan`](crate::Schema::plan) checks names before it uses them.

mod hardening;
mod row_policy;

pub use hardening::Hardening;
pub use row_policy::RowPolicy;

/// The column that holds a row's tenant, of type `uuid`. Written with [`by`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TenantColumn(pub(crate) String);

/// Names the column that holds a row's tenant: `by("tenant_id")`.
#[must_use]
pub fn by(column: impl Into<String>) -> TenantColumn {
    TenantColumn(column.into())
}

/// The column that holds a posting's date, of type `date`. Written with [`date()`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateColumn(pub(crate) String);

/// Names the column that holds a posting's date: `date("posted_on")`. A `timestamptz` would mean different days in
/// different time zones, so only `date` is accepted.
#[must_use]
pub fn date(column: impl Into<String>) -> DateColumn {
    DateColumn(column.into())
}

/// A parent table, not yet joined to its child. Written with [`parent`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParentTable(String);

/// The way from a child table to its parent: which column of the child names which column of the parent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Parent {
    pub(crate) table: String,
    pub(crate) column: String,
    pub(crate) references: String,
}

/// Names a parent table of the same schema: `parent("loads").on("load_id", "id")`.
#[must_use]
pub fn parent(table: impl Into<String>) -> ParentTable {
    ParentTable(table.into())
}

impl ParentTable {
    /// The child's `column` names the parent's column `references`. The planned foreign key also holds the tenant columns of both.
    #[must_use]
    pub fn on(self, column: impl Into<String>, references: impl Into<String>) -> Parent {
        Parent { table: self.0, column: column.into(), references: references.into() }
    }
}

/// The table of fiscal periods behind a period guard, one row a tenant and period. Written with [`periods`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Periods {
    pub(crate) table: String,
    pub(crate) ends_on: String,
    pub(crate) closed_at: String,
    pub(crate) soft_closed_at: Option<String>,
}

/// Names the table of fiscal periods, of the same schema. Its columns are `ends_on` (`date`, the last day of the period) and
/// `closed_at` (any type; the period is closed when it is not null), unless named otherwise.
#[must_use]
pub fn periods(table: impl Into<String>) -> Periods {
    Periods {
        table: table.into(),
        ends_on: "ends_on".to_owned(),
        closed_at: "closed_at".to_owned(),
        soft_closed_at: None,
    }
}

impl Periods {
    /// Names the column with the last day of the period.
    #[must_use]
    pub fn ending(mut self, column: impl Into<String>) -> Self {
        self.ends_on = column.into();
        self
    }

    /// Names the column that is not null when the period is closed.
    #[must_use]
    pub fn closed_by(mut self, column: impl Into<String>) -> Self {
        self.closed_at = column.into();
        self
    }

    /// Names a column that is not null when the period is softly closed: a posting then needs an adjustment, opened in the same
    /// transaction with `SELECT stockade.rls_adjust_period('schema.periods', 'reason')`.
    #[must_use]
    pub fn soft_closed_by(mut self, column: impl Into<String>) -> Self {
        self.soft_closed_at = Some(column.into());
        self
    }
}

/// What the application's role may do with a table. There is no word for TRUNCATE, REFERENCES and TRIGGER: the first
/// ignores row-level security, the other two reach rows of every tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Privilege {
    /// Read rows.
    Select,
    /// Add rows.
    Insert,
    /// Change rows.
    Update,
    /// Remove rows.
    Delete,
}

impl Privilege {
    pub(crate) const ALL: [Self; 4] = [Self::Select, Self::Insert, Self::Update, Self::Delete];

    pub(crate) const fn keyword(self) -> &'static str {
        match self {
            Self::Select => "SELECT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}
