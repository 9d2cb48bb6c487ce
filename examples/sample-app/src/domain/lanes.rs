//! The lanes of the isolation page: what is in reach of a tenant, and what every tenant's scopes did today.

use std::{collections::BTreeMap, sync::PoisonError};

use anyhow::Result;
use chrono::Utc;
use stockade::{
    bridge,
    tenant_guard::{Snapshot, Tally, TenantId},
};
use uuid::Uuid;

use crate::{
    app::{self, App},
    authority,
    desk::Look,
};

/// One tenant, as the page shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Whose it is.
    pub tenant: TenantId,
    /// What of it the person who looks can read.
    pub reach: Reach,
    /// What was counted in it today.
    pub today: Tally,
}

/// What somebody can read of a tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Rows of the business's tables.
    pub rows: u64,
    /// Documents among them.
    pub documents: u64,
}

/// What somebody can read of each tenant of which they can read anything.
pub type Reaches = BTreeMap<TenantId, Reach>;

/// Counts past no condition but the database's own: it names no tenant, so whatever lies open is counted.
const REACH: &str = "
SELECT tenant_id, sum(rows)::bigint, sum(documents)::bigint FROM (
    SELECT tenant_id, count(*) AS rows, 0 AS documents FROM freight.loads GROUP BY 1
    UNION ALL SELECT tenant_id, count(*), 0 FROM freight.accounts GROUP BY 1
    UNION ALL SELECT tenant_id, count(*), 0 FROM freight.drivers GROUP BY 1
    UNION ALL SELECT tenant_id, count(*), 0 FROM freight.gl_posting GROUP BY 1
    UNION ALL SELECT tenant_id, count(*), 0 FROM freight.users GROUP BY 1
    UNION ALL SELECT tenant_id, count(*), count(*) FROM freight.documents GROUP BY 1
) AS counted GROUP BY tenant_id";

/// What whoever looks can read, of whichever tenant.
///
/// # Errors
/// When the database fails.
pub async fn reaches(look: &mut Look) -> Result<Reaches> {
    let found: Vec<(Uuid, i64, i64)> = sqlx::query_as(REACH).fetch_all(&mut look.tx).await?;
    let reach = |rows: i64, documents: i64| Reach { rows: rows.unsigned_abs(), documents: documents.unsigned_abs() };
    Ok(found.into_iter().map(|(tenant, rows, documents)| (tenant.into(), reach(rows, documents))).collect())
}

/// Scopes of the application itself, which are nobody's lane: its staff's, its keys', and its events'.
const OF_THE_PLATFORM: [Uuid; 3] = [authority::HOME, app::PLATFORM, bridge::PLATFORM];

/// Every lane, the person's own first.
#[must_use]
pub fn lanes(own: TenantId, reaches: &Reaches, today: &Snapshot) -> Vec<Lane> {
    let lane =
        |tenant| Lane { tenant, reach: reaches.get(&tenant).copied().unwrap_or_default(), today: today.tenant(tenant) };
    let others = today.tenants().map(|(tenant, _)| tenant).chain(reaches.keys().copied());
    let others: std::collections::BTreeSet<TenantId> =
        others.filter(|tenant| *tenant != own && !OF_THE_PLATFORM.contains(&Uuid::from(*tenant))).collect();
    std::iter::once(own).chain(others).map(lane).collect()
}

/// Attempts to leave a lane that the guard stopped, whatever they were.
#[must_use]
pub const fn stopped(tally: &Tally) -> u64 {
    tally.refused_statements.saturating_add(tally.refused_batches).saturating_add(tally.foreign_rows)
}

impl App {
    /// What this process counted in each tenant's scopes since midnight, UTC. The sealing loop asks too, so that a day begins when it
    /// begins and not with the first visit to the page.
    #[must_use]
    pub fn counted_today(&self) -> Snapshot {
        let day = Utc::now().date_naive();
        self.today.lock().unwrap_or_else(PoisonError::into_inner).snapshot(day, self.tenants.counters())
    }
}

#[cfg(test)]
mod tests {
    use stockade::tenant_guard::{Snapshot, TenantId};
    use uuid::Uuid;

    use super::{Reach, Reaches, lanes};

    #[test]
    fn rows_of_another_tenant_that_lie_open_are_a_lane_too() {
        let [own, other] = [1, 2].map(|id| TenantId::new(Uuid::from_u128(id)));
        let open = Reach { rows: 5, documents: 1 };
        let found = lanes(own, &Reaches::from([(other, open)]), &Snapshot::default());
        assert_eq!(
            found.iter().map(|lane| (lane.tenant, lane.reach)).collect::<Vec<_>>(),
            [(own, Reach::default()), (other, open)]
        );
    }
}
