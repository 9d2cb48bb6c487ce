//! One tenant's guard: what goes out to the database and what comes back must be that tenant's.

use std::sync::Arc;

use crate::batch::{Batch, Straddle};
use crate::counters::LiveTally;
use crate::tenant::{TenantId, TenantScoped};

/// Compares items and rows with one tenant, and counts what it refuses.
///
/// From [`TenantDb::guard`](crate::TenantDb::guard) or a transaction it counts in that database's counters. Clone it out of a
/// transaction to check rows while they stream.
#[derive(Clone, Debug)]
pub struct Guard {
    tenant: TenantId,
    tally: Arc<LiveTally>,
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

impl Guard {
    pub(crate) const fn counted(tenant: TenantId, tally: Arc<LiveTally>) -> Self {
        Self { tenant, tally }
    }

    /// The tenant that everything is compared with.
    #[must_use]
    pub const fn tenant_id(&self) -> TenantId {
        self.tenant
    }

    /// An empty batch of this tenant, which is counted if it is refused.
    #[must_use]
    pub fn batch<T: TenantScoped>(&self) -> Batch<T> {
        Batch::counted(self.tenant, Arc::clone(&self.tally))
    }

    /// Refuses a slice in which any item belongs to another tenant.
    ///
    /// # Errors
    ///
    /// [`Straddle`] with both tenants and the index of the first foreign item.
    pub fn check_batch<T: TenantScoped>(&self, items: &[T]) -> Result<(), Straddle> {
        guard(self.tenant, items).inspect_err(|_| self.tally.refused_batch())
    }

    /// Refuses a row that was read back and belongs to another tenant.
    ///
    /// # Errors
    ///
    /// [`ForeignRow`] with both tenants.
    pub fn check_row<T: TenantScoped>(&self, row: &T) -> Result<(), ForeignRow> {
        let found = row.tenant_id();
        if found == self.tenant {
            return Ok(());
        }
        self.tally.foreign_row();
        Err(ForeignRow { expected: self.tenant, found })
    }

    /// Refuses rows of which any belongs to another tenant, and counts each that does.
    ///
    /// # Errors
    ///
    /// [`ForeignRow`] of the first.
    pub fn check_rows<T: TenantScoped>(&self, rows: &[T]) -> Result<(), ForeignRow> {
        rows.iter().map(|row| self.check_row(row)).fold(Ok(()), Result::and)
    }

    pub(crate) fn tally(&self) -> &LiveTally {
        &self.tally
    }
}
