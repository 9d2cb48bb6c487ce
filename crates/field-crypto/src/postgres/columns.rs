//! The registry of sealed columns.

mod problem;

use std::fmt;
use std::sync::Arc;

use sqlx::PgPool;

pub use self::problem::{ColumnProblem, ProblemKind};
use crate::column::Column;
use crate::error::Error;
use crate::postgres::failure::store_error;
use crate::postgres::site::{Layout, SealedSite, Site};
use crate::row::RowId as _;

/// Every sealed column of the application and where it is: what rotation, backfill and coverage work on. A column that
/// is missing here is not rotated, and does not stop its keys from being retired.
///
/// ```
/// use stockade_field_crypto::postgres::{SealedColumns, Site};
/// use stockade_field_crypto::{DigitsOnly, columns};
///
/// columns! {
///     pub DriverSsn = "drivers"."ssn": String, row = uuid::Uuid,
///         index DriverSsnIndex = "ssn_index": DigitsOnly;
///     pub LedgerMemo = "ledger"."memo": String, row = i64;
/// }
///
/// let columns = SealedColumns::new()
///     .column::<DriverSsn>(Site::table("public.drivers").index::<DriverSsnIndex>())
///     .column::<LedgerMemo>(Site::table("public.ledger").key("entry_id").tenant("company_id"));
/// ```
#[derive(Clone, Default)]
pub struct SealedColumns {
    sites: Vec<Arc<dyn SealedSite>>,
    /// Of columns whose values are under subjects' keys: nothing to rotate, but indexes to empty.
    of_subjects: Vec<Layout>,
}

const PROBLEMS: &str =
    "SELECT problem, subject FROM stockade.field_site_problems(to_regclass($1), $2, $3, $4, $5, $6, $7)";

impl SealedColumns {
    /// No columns.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same and one more.
    ///
    /// A column whose values belong to subjects is known to shredding alone: its keys are not rotated, but destroyed.
    #[must_use]
    pub fn column<C: Column>(mut self, site: Site<C>) -> Self {
        if C::Row::OF_SUBJECT {
            self.of_subjects.push(site.layout().clone());
        } else {
            self.sites.push(Arc::new(site));
        }
        self
    }

    /// Compares with the database's catalogue, for the start of the application: all that is wrong is in one error.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidColumns`](crate::ErrorKind::InvalidColumns) with all [`problems`](Self::problems);
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) if the database fails.
    pub async fn verify(&self, pool: &PgPool) -> Result<(), Error> {
        let problems = self.problems(pool).await?;
        if problems.is_empty() { Ok(()) } else { Err(Error::invalid_columns(&problems)) }
    }

    /// What is wrong with the registered columns in this database: a table or column that is missing or of another type,
    /// a key that is not unique, no constraint that keeps plain text out ([`sealed_check`](crate::sealed_check)).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) if the database fails.
    pub async fn problems(&self, pool: &PgPool) -> Result<Vec<ColumnProblem>, Error> {
        let mut problems = Vec::new();
        for layout in self.layouts() {
            if !layout.table.contains('.') {
                problems.push(ColumnProblem::new(layout.table, None, ProblemKind::NoSchema));
                continue;
            }
            let found: Vec<(String, Option<String>)> = sqlx::query_as(PROBLEMS)
                .bind(layout.table)
                .bind(layout.key)
                .bind(layout.row.required())
                .bind(layout.tenant)
                .bind(layout.sealed)
                .bind(layout.plain)
                .bind(&layout.indexes)
                .fetch_all(pool)
                .await
                .map_err(store_error)?;
            problems.extend(found.into_iter().map(|(problem, subject)| {
                ColumnProblem::new(layout.table, subject.as_deref(), ProblemKind::parse(&problem))
            }));
        }
        Ok(problems)
    }

    pub(crate) fn of_site(site: &Arc<dyn SealedSite>) -> Self {
        Self { sites: vec![Arc::clone(site)], of_subjects: Vec::new() }
    }

    /// All columns, those of subjects too.
    pub(crate) fn layouts(&self) -> impl Iterator<Item = &Layout> {
        self.sites.iter().map(|site| site.layout()).chain(&self.of_subjects)
    }

    /// Those under tenants' keys.
    pub(crate) fn sites(&self) -> impl Iterator<Item = &Arc<dyn SealedSite>> {
        self.sites.iter()
    }
}

impl fmt::Debug for SealedColumns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.layouts()).finish()
    }
}
