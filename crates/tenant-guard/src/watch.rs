//! The one place where something is both counted and told.

use std::sync::Arc;

use crate::batch::Straddle;
use crate::counters::LiveTally;
use crate::event::{Event, Impersonation, Observers};
use crate::gate::Refusal;
use crate::guard::ForeignRow;
use crate::tenant::TenantId;

/// One tenant's counters and the observers.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    tenant: TenantId,
    tally: Arc<LiveTally>,
    observers: Observers,
}

impl Watch {
    pub(crate) const fn new(tenant: TenantId, tally: Arc<LiveTally>, observers: Observers) -> Self {
        Self { tenant, tally, observers }
    }

    pub(crate) const fn tenant_id(&self) -> TenantId {
        self.tenant
    }

    pub(crate) fn query(&self) {
        self.tally.queries.add(1);
    }

    pub(crate) fn rows(&self, rows: u64) {
        self.tally.rows.add(rows);
    }

    pub(crate) fn refused_statement(&self, refusal: Refusal) {
        self.tally.refused_statements.add(1);
        self.observers.tell(Event::StatementRefused { tenant: self.tenant, refusal });
    }

    /// As [`refused_statement`](Self::refused_statement), where the statement guard refused; its own refusal says why.
    #[cfg(feature = "sqlite")]
    pub(crate) fn refused_text(&self) {
        self.tally.refused_statements.add(1);
    }

    pub(crate) fn refused_batch(&self, straddle: Straddle) {
        self.tally.refused_batches.add(1);
        self.observers.tell(Event::BatchRefused(straddle));
    }

    pub(crate) fn impersonation(&self, impersonation: Impersonation<'_>) {
        self.tally.impersonations.add(1);
        self.observers.tell(Event::ImpersonationBegun(impersonation));
    }

    /// Refuses a row that belongs to `found`, unless that is the watched tenant.
    pub(crate) fn row_of(&self, found: TenantId) -> Result<(), ForeignRow> {
        if found == self.tenant {
            return Ok(());
        }
        let row = ForeignRow { expected: self.tenant, found };
        self.tally.foreign_rows.add(1);
        self.observers.tell(Event::ForeignRow(row));
        Err(row)
    }
}

#[cfg(test)]
mod tests;
