//! How much is sealed, and under which keys.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::id::{KeyId, TenantId};
use crate::postgres::columns::SealedColumns;
use crate::postgres::failure::store_error;

/// How the rows of a registered column are kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ColumnCoverage {
    /// The table, as it was registered.
    pub table: &'static str,
    /// The column in the database.
    pub column: &'static str,
    /// The tenants that have rows, in the order of their identifiers.
    pub tenants: Vec<TenantCoverage>,
}

/// How one tenant's rows are kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TenantCoverage {
    /// The tenant.
    pub tenant: TenantId,
    /// Rows under the key that seals now: that of the tenant, or for a column of subjects that of a subject.
    pub current: u64,
    /// Rows under other keys that open, by key.
    pub older: BTreeMap<KeyId, u64>,
    /// Rows under keys that were destroyed: what a shred leaves behind.
    pub destroyed: u64,
    /// Rows under keys that nobody knows, by key: they do not open, and should be looked into.
    pub lost: BTreeMap<KeyId, u64>,
    /// Rows with a plain text and no sealed value, if the column has one for plain text.
    pub plain: u64,
    /// Rows with neither.
    pub null: u64,
    /// Rows with something in the sealed column that has not the form of a sealed value.
    pub malformed: u64,
}

/// Rows of all tenants together.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct CoverageTotals {
    /// Under the key of their tenant or subject that seals now.
    pub current: u64,
    /// Under other keys that open.
    pub older: u64,
    /// Under keys that were destroyed.
    pub destroyed: u64,
    /// Under keys that nobody knows.
    pub lost: u64,
    /// With a plain text and no sealed value.
    pub plain: u64,
    /// With neither.
    pub null: u64,
    /// With something else in the sealed column.
    pub malformed: u64,
}

/// `tenant_id, kept, key_id, key_state, rows_kept`.
type CoverageRow = (Uuid, String, Option<i64>, Option<String>, i64);

const COVERAGE: &str = "SELECT tenant_id, kept, key_id, key_state, rows_kept \
    FROM stockade.field_coverage($1::text::regclass, $2, $3, $4)";

impl SealedColumns {
    /// Counts the rows of each registered column, those of subjects last, by one query a column, as far as the connection sees them: those of a
    /// tenant in its context, those of all tenants as a role that row-level security does not bind. The state of keys comes from
    /// `stockade.field_keys`; a key that the role does not see counts as unknown.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) if the database fails.
    pub async fn coverage(&self, connection: &mut PgConnection) -> Result<Vec<ColumnCoverage>, Error> {
        let mut columns = Vec::new();
        for layout in self.layouts() {
            let rows: Vec<CoverageRow> = sqlx::query_as(COVERAGE)
                .bind(layout.table)
                .bind(layout.tenant)
                .bind(layout.sealed)
                .bind(layout.plain)
                .fetch_all(&mut *connection)
                .await
                .map_err(store_error)?;
            let mut column = ColumnCoverage { table: layout.table, column: layout.sealed, tenants: Vec::new() };
            rows.into_iter().for_each(|row| column.add(row));
            columns.push(column);
        }
        Ok(columns)
    }
}

impl ColumnCoverage {
    /// The sums over all tenants.
    #[must_use]
    pub fn totals(&self) -> CoverageTotals {
        let mut totals = CoverageTotals::default();
        for tenant in &self.tenants {
            totals.current += tenant.current;
            totals.older += tenant.older.values().sum::<u64>();
            totals.destroyed += tenant.destroyed;
            totals.lost += tenant.lost.values().sum::<u64>();
            totals.plain += tenant.plain;
            totals.null += tenant.null;
            totals.malformed += tenant.malformed;
        }
        totals
    }

    /// Takes the next row, which is in the order of tenants.
    fn add(&mut self, (tenant, kept, key, state, rows): CoverageRow) {
        let (tenant, rows) = (TenantId::from(tenant), u64::try_from(rows).unwrap_or(0));
        if self.tenants.last().is_none_or(|last| last.tenant != tenant) {
            self.tenants.push(TenantCoverage::empty(tenant));
        }
        let Some(last) = self.tenants.last_mut() else { return };
        let key = key.and_then(|key| u32::try_from(key).ok()).and_then(KeyId::new);
        match (&*kept, key, state.as_deref()) {
            ("sealed", Some(_), Some("active")) => last.current += rows,
            ("sealed", Some(key), Some("decrypt_only" | "retired")) => *last.older.entry(key).or_default() += rows,
            ("sealed", _, Some("destroyed")) => last.destroyed += rows,
            ("sealed", Some(key), _) => *last.lost.entry(key).or_default() += rows,
            ("plain", ..) => last.plain += rows,
            ("null", ..) => last.null += rows,
            _ => last.malformed += rows,
        }
    }
}

impl TenantCoverage {
    const fn empty(tenant: TenantId) -> Self {
        Self {
            tenant,
            current: 0,
            older: BTreeMap::new(),
            destroyed: 0,
            lost: BTreeMap::new(),
            plain: 0,
            null: 0,
            malformed: 0,
        }
    }
}
