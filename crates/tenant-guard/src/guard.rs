//! One tenant's guard: what goes out to the database and what comes back must be that tenant's.

use crate::batch::{Batch, Straddle};
use crate::stream::Guarded;
use crate::tenant::{TenantId, TenantScoped};
use crate::watch::Watch;

/// Compares items and rows with one tenant, counts what it refuses, and tells the observer.
///
/// From [`TenantDb::guard`](crate::TenantDb::guard) or a transaction it counts in that database's counters. Clone it out of a
/// transaction to check rows while they stream.
#[derive(Clone, Debug)]
pub struct Guard {
    watch: Watch,
}

/// A row that was read in one tenant's scope and belongs to another: row-level security is missing or broken on its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a row of tenant `{found}` was read in the scope of tenant `{expected}`")]
pub struct ForeignRow {
    /// The tenant of the scope.
    pub expected: TenantId,
    /// The tenant of the row.
    pub found: TenantId,
}

/// Refuses a slice in which any item belongs to another tenant. Counts nothing; see [`Guard::check_batch`].
///
/// # Errors
///
/// [`Straddle`] with both tenants and the index of the first foreign item.
pub fn guard<T: TenantScoped>(tenant: TenantId, items: &[T]) -> Result<(), Straddle> {
    match items.iter().position(|item| item.tenant_id() != tenant) {
        None => Ok(()),
        Some(index) => {
            Err(Straddle { expected: tenant, found: items.get(index).map_or(tenant, TenantScoped::tenant_id), index })
        }
    }
}

impl ForeignRow {
    /// The foreign row that an error of a statement carries, if that was what stopped it.
    #[must_use]
    pub fn of(error: &sqlx::Error) -> Option<Self> {
        match error {
            sqlx::Error::Decode(source) => source.downcast_ref().copied(),
            _ => None,
        }
    }
}

impl From<ForeignRow> for sqlx::Error {
    fn from(row: ForeignRow) -> Self {
        Self::Decode(Box::new(row))
    }
}

impl Guard {
    pub(crate) const fn new(watch: Watch) -> Self {
        Self { watch }
    }

    /// The tenant that everything is compared with.
    #[must_use]
    pub const fn tenant_id(&self) -> TenantId {
        self.watch.tenant_id()
    }

    /// An empty batch of this tenant, which is counted if it is refused.
    #[must_use]
    pub fn batch<T: TenantScoped>(&self) -> Batch<T> {
        Batch::watched(self.watch.clone())
    }

    /// Refuses a slice in which any item belongs to another tenant.
    ///
    /// # Errors
    ///
    /// [`Straddle`] with both tenants and the index of the first foreign item.
    pub fn check_batch<T: TenantScoped>(&self, items: &[T]) -> Result<(), Straddle> {
        guard(self.tenant_id(), items).inspect_err(|straddle| self.watch.refused_batch(*straddle))
    }

    /// Refuses a row that was read back and belongs to another tenant.
    ///
    /// # Errors
    ///
    /// [`ForeignRow`] with both tenants.
    pub fn check_row<T: TenantScoped>(&self, row: &T) -> Result<(), ForeignRow> {
        self.watch.row_of(row.tenant_id())
    }

    /// Refuses rows of which any belongs to another tenant, and counts each that does.
    ///
    /// # Errors
    ///
    /// [`ForeignRow`] of the first.
    pub fn check_rows<T: TenantScoped>(&self, rows: &[T]) -> Result<(), ForeignRow> {
        rows.iter().map(|row| self.check_row(row)).fold(Ok(()), Result::and)
    }

    /// A stream of rows, in which one that belongs to another tenant is an error and ends the stream.
    pub fn check_stream<S>(&self, rows: S) -> Guarded<S> {
        Guarded::new(rows, self.clone())
    }

    pub(crate) const fn watch(&self) -> &Watch {
        &self.watch
    }
}
