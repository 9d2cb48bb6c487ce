//! Each row on its way to the application: counted, and compared with the scope's tenant.

use sqlx::postgres::{PgColumn, PgRow};
use sqlx::{Column, Postgres, Row, Type};

use super::scope::Running;
use crate::guard::Guard;
use crate::tenant::TenantId;

/// Looks at one statement's rows. They are counted once, when it ends.
pub(super) struct Egress<'e> {
    guard: &'e Guard,
    tenant_column: &'static str,
    rows: u64,
}

impl<'e> Egress<'e> {
    pub(super) fn new(running: &Running<'e>) -> Self {
        Self { guard: running.guard, tenant_column: running.tenant_column, rows: 0 }
    }

    /// Counts a row, and refuses it if a column of it names another tenant. NULL names none.
    pub(super) fn check(&mut self, row: &PgRow) -> Result<(), sqlx::Error> {
        self.rows = self.rows.saturating_add(1);
        for column in row.columns().iter().filter(|column| self.is_tenant(column)) {
            if let Some(found) = row.try_get::<Option<TenantId>, _>(column.ordinal())? {
                self.guard.watch().row_of(found)?;
            }
        }
        Ok(())
    }

    fn is_tenant(&self, column: &PgColumn) -> bool {
        column.name() == self.tenant_column && <TenantId as Type<Postgres>>::compatible(column.type_info())
    }
}

impl Drop for Egress<'_> {
    fn drop(&mut self) {
        self.guard.watch().rows(self.rows);
    }
}
