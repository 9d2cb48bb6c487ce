//! What happened, per tenant and in total.

mod registry;
mod today;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use today::Today;

use crate::tenant::TenantId;
use registry::Registry;

/// The counters of a [`TenantDb`](crate::TenantDb). Clones share them.
///
/// Counting is one atomic addition, without a lock and without an allocation. A tenant's counters are looked up once per scope, and
/// allocated at its first.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    tenants: Arc<Registry>,
}

/// The counts of one tenant, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Statements handed to the database, to run or to prepare.
    pub queries: u64,
    /// Rows that were read.
    pub rows: u64,
    /// Statements that the gate refused.
    pub refused_statements: u64,
    /// Batches refused because an item belongs to another tenant.
    pub refused_batches: u64,
    /// Rows of another tenant that were read back and stopped.
    pub foreign_rows: u64,
    /// Scopes that platform staff opened.
    pub impersonations: u64,
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
        Snapshot { tenants: self.tenants.iter().map(|(tenant, tally)| (tenant, tally.read())).collect() }
    }

    pub(crate) fn of(&self, tenant: TenantId) -> Arc<LiveTally> {
        self.tenants.of(tenant)
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

    /// What was added since an earlier snapshot of the same counters. [`Today`] keeps such a snapshot.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self { tenants: self.tenants().map(|(tenant, tally)| (tenant, tally.since(earlier.tenant(tenant)))).collect() }
    }
}

impl Tally {
    fn since(self, earlier: Self) -> Self {
        self.with(earlier, u64::saturating_sub)
    }

    fn plus(self, other: Self) -> Self {
        self.with(other, u64::saturating_add)
    }

    fn with(self, other: Self, combine: fn(u64, u64) -> u64) -> Self {
        Self {
            queries: combine(self.queries, other.queries),
            rows: combine(self.rows, other.rows),
            refused_statements: combine(self.refused_statements, other.refused_statements),
            refused_batches: combine(self.refused_batches, other.refused_batches),
            foreign_rows: combine(self.foreign_rows, other.foreign_rows),
            impersonations: combine(self.impersonations, other.impersonations),
        }
    }
}

/// The counters of one tenant while they count.
#[derive(Debug, Default)]
pub(crate) struct LiveTally {
    pub(crate) queries: Count,
    pub(crate) rows: Count,
    pub(crate) refused_statements: Count,
    pub(crate) refused_batches: Count,
    pub(crate) foreign_rows: Count,
    pub(crate) impersonations: Count,
}

impl LiveTally {
    fn read(&self) -> Tally {
        Tally {
            queries: self.queries.read(),
            rows: self.rows.read(),
            refused_statements: self.refused_statements.read(),
            refused_batches: self.refused_batches.read(),
            foreign_rows: self.foreign_rows.read(),
            impersonations: self.impersonations.read(),
        }
    }
}

/// One counter. Counters are independent of each other, so no ordering is needed.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
