//! What happened, per tenant and in total.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::tenant::TenantId;

/// The counters of a [`TenantDb`](crate::TenantDb). Clones share them.
///
/// Counting is one atomic addition. A tenant's counters are looked up once per scope, not once per statement.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    tenants: Arc<RwLock<HashMap<TenantId, Arc<LiveTally>>>>,
}

/// The counts of one tenant, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Statements handed to the database, to run or to prepare.
    pub queries: u64,
    /// Statements that the gate refused.
    pub refused_statements: u64,
    /// Batches refused because an item belongs to another tenant.
    pub refused_batches: u64,
    /// Rows of another tenant that were read back and stopped.
    pub foreign_rows: u64,
}

/// The counters at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    tenants: BTreeMap<TenantId, Tally>,
}

impl Counters {
    /// Reads all counters.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        Snapshot { tenants: tenants.iter().map(|(tenant, tally)| (*tenant, tally.read())).collect() }
    }

    pub(crate) fn of(&self, tenant: TenantId) -> Arc<LiveTally> {
        let known = self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(&tenant).cloned();
        known.unwrap_or_else(|| {
            let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(tenants.entry(tenant).or_default())
        })
    }
}

impl Snapshot {
    /// The sum over all tenants.
    #[must_use]
    pub fn total(&self) -> Tally {
        self.tenants.values().fold(Tally::default(), |total, tally| total.plus(*tally))
    }

    /// The counts of one tenant, zero if it never had a scope.
    #[must_use]
    pub fn tenant(&self, tenant: TenantId) -> Tally {
        self.tenants.get(&tenant).copied().unwrap_or_default()
    }

    /// Every tenant that had a scope, in the order of their ids.
    pub fn tenants(&self) -> impl Iterator<Item = (TenantId, Tally)> + '_ {
        self.tenants.iter().map(|(tenant, tally)| (*tenant, *tally))
    }

    /// What was added since an earlier snapshot of the same counters: kept from midnight, it makes "queries today".
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self { tenants: self.tenants().map(|(tenant, tally)| (tenant, tally.since(earlier.tenant(tenant)))).collect() }
    }
}

impl Tally {
    fn since(self, earlier: Self) -> Self {
        Self {
            queries: self.queries.saturating_sub(earlier.queries),
            refused_statements: self.refused_statements.saturating_sub(earlier.refused_statements),
            refused_batches: self.refused_batches.saturating_sub(earlier.refused_batches),
            foreign_rows: self.foreign_rows.saturating_sub(earlier.foreign_rows),
        }
    }
    fn plus(self, other: Self) -> Self {
        Self {
            queries: self.queries.saturating_add(other.queries),
            refused_statements: self.refused_statements.saturating_add(other.refused_statements),
            refused_batches: self.refused_batches.saturating_add(other.refused_batches),
            foreign_rows: self.foreign_rows.saturating_add(other.foreign_rows),
        }
    }
}

/// The counters of one tenant while they count. They are independent of each other, so no ordering is needed.
#[derive(Debug, Default)]
pub(crate) struct LiveTally {
    queries: AtomicU64,
    refused_statements: AtomicU64,
    refused_batches: AtomicU64,
    foreign_rows: AtomicU64,
}

impl LiveTally {
    pub(crate) fn query(&self) {
        self.queries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused_statement(&self) {
        self.refused_statements.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused_batch(&self) {
        self.refused_batches.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn foreign_row(&self) {
        self.foreign_rows.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> Tally {
        Tally {
            queries: self.queries.load(Ordering::Relaxed),
            refused_statements: self.refused_statements.load(Ordering::Relaxed),
            refused_batches: self.refused_batches.load(Ordering::Relaxed),
            foreign_rows: self.foreign_rows.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests;
