//! The declaration of one PostgreSQL schema.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use crate::catalogue::Catalogue;
use crate::context::Context;
use crate::declaration::{DateColumn, Hardening, Parent, Periods, Privilege, RowPolicy, TenantColumn};
use crate::drift::Drift;
use crate::error::Error;
use crate::finding::Finding;
use crate::health::Health;
use crate::model::Model;
use crate::plan::Plan;
use crate::roles::Roles;

/// Which tables of one PostgreSQL schema belong to tenants, and how they are guarded.
///
/// Every table of the schema is declared: as a tenant's ([`tenant_table`](Self::tenant_table)), as shared
/// ([`shared_reference`](Self::shared_reference)) or as exempt with a reason ([`exempt`](Self::exempt)). A declaration is
/// checked when it is used, not while it is written. Partitions, and children by inheritance, go with their parents and are not
/// declared: they get the parent's policies and guards, and nobody a privilege on them. Only a child by inheritance that is used by
/// its own name is declared, by the same column as its parent.
///
/// The methods that take a connection open a transaction on it through sqlx, or a savepoint in one that sqlx has opened. A
/// transaction that was opened by a `BEGIN` of the caller's own, which sqlx does not see, would end with theirs.
///
/// ```
/// use stockade_rls_migrations::{Roles, Schema, by, parent};
///
/// let schema = Schema::new("freight", Roles::for_app("freight"))
///     .tenant_table("tenants", by("id"))
///     .tenant_table("loads", by("tenant_id"))
///     .tenant_table_via("stops", by("tenant_id"), parent("loads").on("load_id", "id"))
///     .shared_reference("countries");
/// ```
///
/// Two declarations are equal when they have the same lines, in whatever order.
#[derive(Debug, Clone)]
pub struct Schema {
    pub(crate) name: String,
    pub(crate) roles: Roles,
    pub(crate) statements: Vec<Declared>,
    pub(crate) hardening: BTreeSet<Hardening>,
    pub(crate) context: Context,
}

/// One line of a declaration, as it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Declared {
    Tenant { table: String, column: TenantColumn, parent: Option<Parent> },
    Shared { table: String },
    Exempt { table: String, reason: String },
    AppendOnly { table: String },
    PeriodGuard { table: String, date: DateColumn, periods: Periods },
    SoftDelete { table: String, column: String },
    AppMay { table: String, privileges: BTreeSet<Privilege> },
    UniquePerTenant { table: String, columns: Vec<String> },
    RowPolicy { table: String, policy: RowPolicy },
}

impl Schema {
    /// Starts the declaration of the schema `name`, with every [`Hardening`].
    #[must_use]
    pub fn new(name: impl Into<String>, roles: Roles) -> Self {
        Self {
            name: name.into(),
            roles,
            statements: Vec::new(),
            hardening: BTreeSet::from(Hardening::ALL),
            context: Context::default(),
        }
    }

    /// The rows of `table` belong to the tenant named in `column`.
    #[must_use]
    pub fn tenant_table(self, table: impl Into<String>, column: TenantColumn) -> Self {
        self.and(Declared::Tenant { table: table.into(), column, parent: None })
    }

    /// As [`tenant_table`](Self::tenant_table), and each row hangs from a row of `parent`. The planned foreign key holds the tenant
    /// columns of both tables, so a child cannot name another tenant's parent: PostgreSQL checks foreign keys
    /// past row-level security.
    #[must_use]
    pub fn tenant_table_via(self, table: impl Into<String>, column: TenantColumn, parent: Parent) -> Self {
        self.and(Declared::Tenant { table: table.into(), column, parent: Some(parent) })
    }

    /// `table` is the same for all tenants; the application and the reader may read it.
    #[must_use]
    pub fn shared_reference(self, table: impl Into<String>) -> Self {
        self.and(Declared::Shared { table: table.into() })
    }

    /// The plan leaves `table` alone. The reason is for the reader of the declaration and of
    /// [`Health`], and must not be empty. The table need not exist.
    #[must_use]
    pub fn exempt(self, table: impl Into<String>, reason: impl Into<String>) -> Self {
        self.and(Declared::Exempt { table: table.into(), reason: reason.into() })
    }

    /// Rows of `table` can be added and read, not changed or removed, by any role.
    ///
    /// A table that is not declared in another line is a tenant table by its column `tenant_id`.
    #[must_use]
    pub fn append_only(self, table: impl Into<String>) -> Self {
        self.and(Declared::AppendOnly { table: table.into() })
    }

    /// Rows of the tenant table `table` whose `date` is on or before the end of a closed period of their tenant can be
    /// neither added, changed nor removed, and no row can be moved to such a date.
    ///
    /// A periods table that is not declared in another line is a tenant table by its column `tenant_id`.
    #[must_use]
    pub fn period_guard(self, table: impl Into<String>, date: DateColumn, periods: Periods) -> Self {
        self.and(Declared::PeriodGuard { table: table.into(), date, periods })
    }

    /// No two rows of a tenant have the same `columns`. A unique key over the same columns that holds across tenants tells each of
    /// them what the others have, so it is replaced, unless it is the primary key, partial, deferrable or `NULLS NOT DISTINCT`, or a
    /// foreign key refers to it; then it stays and `lint` names it. A partitioned table needs its partition key among them; a child by
    /// inheritance has keys of its own, and the way back gives the indexes of partitions the names that PostgreSQL chooses.
    ///
    /// A table that is not declared in another line is a tenant table by its column `tenant_id`.
    #[must_use]
    pub fn unique_per_tenant(
        self,
        table: impl Into<String>,
        columns: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let columns = columns.into_iter().map(Into::into).collect();
        self.and(Declared::UniquePerTenant { table: table.into(), columns })
    }

    /// Rows of the tenant table `table` are deleted by setting `column`, of type `timestamptz`:
    /// `UPDATE loads SET deleted_at = now() WHERE id = $1`. From then on the application and the reader do not see them, and the
    /// application, which may not DELETE, cannot bring them back.
    ///
    /// The view `<table>_deleted` shows them to the members of [`Roles::investigator`], within their tenant. The function
    /// `stockade.rls_undelete_..('{"id": 7}')`, which the plan makes and nobody may execute until it is granted, brings rows back.
    #[must_use]
    pub fn soft_delete(self, table: impl Into<String>, column: impl Into<String>) -> Self {
        self.and(Declared::SoftDelete { table: table.into(), column: column.into() })
    }

    /// What the application's role may do with `table`, where that is not the usual: all four privileges on a tenant table,
    /// `Select` and `Insert` on an append-only one, all but `Delete` on one with soft deletion, `Select` on a shared one.
    #[must_use]
    pub fn app_may(self, table: impl Into<String>, privileges: impl IntoIterator<Item = Privilege>) -> Self {
        let privileges = privileges.into_iter().collect();
        self.and(Declared::AppMay { table: table.into(), privileges })
    }

    /// Which rows of its tenant a statement may reach in the tenant table `table`: restrictive policies, whose conditions are the
    /// application's own text. Their names do not begin with `stockade_`. Once declared they are planned, compared and reported as
    /// the tenant's policy is; one that is declared no longer is drift, and the plan leaves it where it is.
    ///
    /// PostgreSQL keeps a condition in words of its own, so the plan leaves the declared words and a digest of PostgreSQL's in the
    /// policy's comment, and compares with both.
    #[must_use]
    pub fn row_policies(self, table: impl Into<String>, policies: impl IntoIterator<Item = RowPolicy>) -> Self {
        let table = table.into();
        policies
            .into_iter()
            .fold(self, |schema, policy| schema.and(Declared::RowPolicy { table: table.clone(), policy }))
    }

    /// How strong the tenant's context is, instead of [`Context::Setting`].
    ///
    /// The level is the database's: all its schemas declare the same. A plan raises it and says so; a declaration of
    /// `Setting` in a database at the level of `Lease` is refused, because it would weaken the other schemas. Only the way
    /// back of the plans that raised it lowers it, when no schema is left that declares it.
    #[must_use]
    pub fn context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// Which privileges of `PUBLIC` the plan takes away, instead of all of [`Hardening::ALL`].
    #[must_use]
    pub fn harden(mut self, hardening: impl IntoIterator<Item = Hardening>) -> Self {
        self.hardening = hardening.into_iter().collect();
        self
    }

    /// The name of the PostgreSQL schema.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tables with a declared [`period_guard`](Self::period_guard), each with the table of its periods, as they were written.
    ///
    /// ```
    /// use stockade_rls_migrations::{Roles, Schema, by, date, periods};
    ///
    /// let schema = Schema::new("freight", Roles::for_app("freight"))
    ///     .tenant_table("postings", by("tenant_id"))
    ///     .period_guard("postings", date("posted_on"), periods("fiscal_periods"));
    /// assert_eq!(schema.name(), "freight");
    /// assert_eq!(schema.period_guards().collect::<Vec<_>>(), [("postings", "fiscal_periods")]);
    /// ```
    pub fn period_guards(&self) -> impl Iterator<Item = (&str, &str)> {
        self.statements.iter().filter_map(|statement| match statement {
            Declared::PeriodGuard { table, periods, .. } => Some((table.as_str(), periods.table.as_str())),
            _ => None,
        })
    }

    /// Compares the declaration with the catalogue. Changes nothing; the plan is empty when there is nothing to do.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Declaration`](crate::ErrorKind::Declaration), [`Undeclared`](crate::ErrorKind::Undeclared),
    /// [`Missing`](crate::ErrorKind::Missing) or [`Unsupported`](crate::ErrorKind::Unsupported), naming the object; or the database's failure.
    pub async fn plan(&self, conn: &mut PgConnection) -> Result<Plan, Error> {
        let (model, catalogue) = Catalogue::read(Model::resolve(self)?, conn).await?;
        Plan::draw(&model, &catalogue)
    }

    /// The function that brings deleted rows of `table` back, as SQL names it: `stockade."rls_undelete_.."`, for a `GRANT EXECUTE`
    /// and for calls. Its argument is a JSON object of columns and values; its result, how many rows had them all and are back.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Declaration`](crate::ErrorKind::Declaration): `table` has no [`soft_delete`](Self::soft_delete).
    pub fn undelete_function(&self, table: &str) -> Result<String, Error> {
        let model = Model::resolve(self)?;
        crate::guard::undelete_call(&model, table)
    }

    /// The facts about isolation on the live database, and what is wrong with them. Reads the catalogue only.
    ///
    /// # Errors
    ///
    /// As for [`plan`](Self::plan), except that undeclared and missing tables are findings.
    pub async fn health(&self, conn: &mut PgConnection) -> Result<Health, Error> {
        let (model, catalogue) = Catalogue::read(Model::resolve(self)?, conn).await?;
        Ok(Health::of(&model, &catalogue))
    }

    /// Everything [`health`](Self::health) finds, and the weaknesses of the schema's design: oracles, definer's rights, slow policies.
    /// In the order of severity, the worst first.
    ///
    /// # Errors
    ///
    /// As for [`health`](Self::health).
    pub async fn lint(&self, conn: &mut PgConnection) -> Result<Vec<Finding>, Error> {
        let (model, catalogue) = Catalogue::read(Model::resolve(self)?, conn).await?;
        crate::lint::findings(&model, &catalogue, conn).await
    }

    /// Where the live database is not what is declared: what is missing, reaches further, reaches less far, or was put there by
    /// somebody else. Reads the catalogue only.
    ///
    /// # Errors
    ///
    /// As for [`health`](Self::health).
    pub async fn drift(&self, conn: &mut PgConnection) -> Result<Drift, Error> {
        let (model, catalogue) = Catalogue::read(Model::resolve(self)?, conn).await?;
        Ok(Drift::of(&model, &catalogue))
    }

    fn and(mut self, statement: Declared) -> Self {
        self.statements.push(statement);
        self
    }

    fn lines(&self) -> BTreeSet<&Declared> {
        self.statements.iter().collect()
    }
}

impl Declared {
    /// The table that the line is about.
    #[cfg(feature = "toml")]
    pub(crate) fn table(&self) -> &str {
        match self {
            Self::Tenant { table, .. }
            | Self::Shared { table }
            | Self::Exempt { table, .. }
            | Self::AppendOnly { table }
            | Self::PeriodGuard { table, .. }
            | Self::SoftDelete { table, .. }
            | Self::AppMay { table, .. }
            | Self::UniquePerTenant { table, .. }
            | Self::RowPolicy { table, .. } => table,
        }
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.roles == other.roles
            && self.hardening == other.hardening
            && self.lines() == other.lines()
    }
}

impl Eq for Schema {}
