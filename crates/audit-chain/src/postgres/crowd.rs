//! All tenants: who they are, and verifying every one of them.

use std::{
    collections::{BTreeMap, VecDeque, btree_map::Entry},
    num::NonZeroUsize,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use sqlx::{PgExecutor, PgPool};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use uuid::Uuid;

use super::{VerifyOptions, verify};
use crate::{Error, Report, TenantId};

// Steps from tenant to tenant along the indexes instead of reading every row.
const TENANTS: &str = "
WITH RECURSIVE entries AS (
    (SELECT e.tenant_id FROM stockade.audit_entry e ORDER BY e.tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT e.tenant_id FROM stockade.audit_entry e
        WHERE e.tenant_id > s.tenant_id ORDER BY e.tenant_id LIMIT 1)
    FROM entries s WHERE s.tenant_id IS NOT NULL
), links AS (
    (SELECT l.tenant_id FROM stockade.audit_link l ORDER BY l.tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT l.tenant_id FROM stockade.audit_link l
        WHERE l.tenant_id > s.tenant_id ORDER BY l.tenant_id LIMIT 1)
    FROM links s WHERE s.tenant_id IS NOT NULL
)
SELECT t.tenant_id FROM (
    SELECT tenant_id FROM entries UNION SELECT tenant_id FROM links UNION SELECT tenant_id FROM stockade.audit_head
) AS t WHERE t.tenant_id IS NOT NULL ORDER BY t.tenant_id";

const NEXT: &str = "
SELECT least(
    (SELECT e.tenant_id FROM stockade.audit_entry e WHERE e.tenant_id >= $1 ORDER BY e.tenant_id LIMIT 1),
    (SELECT l.tenant_id FROM stockade.audit_link l WHERE l.tenant_id >= $1 ORDER BY l.tenant_id LIMIT 1),
    (SELECT h.tenant_id FROM stockade.audit_head h WHERE h.tenant_id >= $1 ORDER BY h.tenant_id LIMIT 1))";

/// Every tenant that has a head, a link or an entry, in ascending order: what to verify, for a
/// connection in `stockade_sealer`.
///
/// # Errors
/// The errors of the connection.
pub async fn tenants<'e>(executor: impl PgExecutor<'e>) -> Result<Vec<TenantId>, Error> {
    let tenants: Vec<Uuid> = sqlx::query_scalar(TENANTS).fetch_all(executor).await?;
    Ok(tenants.into_iter().map(TenantId::from).collect())
}

/// The first tenant behind this one; the first of all behind the last.
pub(super) async fn tenant_after(
    connection: &mut sqlx::PgConnection,
    last: Option<TenantId>,
) -> Result<Option<TenantId>, Error> {
    let from = last.and_then(|last| Uuid::from(last).as_u128().checked_add(1)).unwrap_or(0);
    let found: Option<Uuid> = sqlx::query_scalar(NEXT).bind(Uuid::from_u128(from)).fetch_one(&mut *connection).await?;
    if found.is_some() || from == 0 {
        return Ok(found.map(TenantId::from));
    }
    let first: Option<Uuid> = sqlx::query_scalar(NEXT).bind(Uuid::nil()).fetch_one(connection).await?;
    Ok(first.map(TenantId::from))
}

/// A share of the work of [`verify_all`], for the application's runtime.
pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Verifies every tenant's whole chain, several at a time, and gives the reports by ascending tenant. The pool needs
/// `stockade_sealer`.
///
/// The caller does a share of the work itself. The others, one for each further connection, go to `spawn`, which runs
/// each on a task of its own, so that verification uses more than one processor: `|work| drop(tokio::spawn(work))`. No more
/// connections are used than `connections`, the pool's most and the number of tenants, and nobody waits for one while holding one; with
/// one there is nothing to spawn. A share whose task is dropped or finds no connection is done by the others.
///
/// The options hold for every tenant; what was kept elsewhere is of one, and goes to [`verify`].
///
/// # Errors
/// As [`verify`]; after the first one no further tenant is begun.
pub async fn verify_all(
    pool: &PgPool,
    options: &VerifyOptions,
    connections: NonZeroUsize,
    mut spawn: impl FnMut(Work),
) -> Result<Vec<Report>, Error> {
    let all = tenants(pool).await?;
    let most = usize::try_from(pool.options().get_max_connections()).unwrap_or(usize::MAX);
    let crowd = Arc::new(Crowd {
        pool: pool.clone(),
        options: options.clone(),
        waiting: Mutex::new(all.iter().copied().collect()),
    });
    let (sender, mut results) = unbounded_channel();
    for _ in 1..connections.get().min(most).min(all.len()) {
        let (crowd, sender) = (crowd.clone(), sender.clone());
        // Without a connection it is one share less, and the work is still the others'.
        spawn(Box::pin(async move { drop(crowd.work(&sender).await) }));
    }
    let own = crowd.work(&sender).await;
    drop(sender);
    let mut reports = BTreeMap::new();
    while let Some(result) = results.recv().await {
        let report = result?;
        reports.insert(report.tenant(), report);
    }
    if reports.len() < all.len() {
        own?;
        // Somebody dropped a share, with the tenant that it was at.
        let mut connection = pool.acquire().await?;
        for tenant in all {
            if let Entry::Vacant(place) = reports.entry(tenant) {
                place.insert(verify(&mut *connection, tenant, options).await?);
            }
        }
    }
    Ok(reports.into_values().collect())
}

/// What the shares have in common.
struct Crowd {
    pool: PgPool,
    options: VerifyOptions,
    waiting: Mutex<VecDeque<TenantId>>,
}

impl Crowd {
    /// Verifies one tenant after the other, while there are any and somebody wants to know.
    async fn work(&self, results: &UnboundedSender<Result<Report, Error>>) -> Result<(), Error> {
        let mut connection = self.pool.acquire().await?;
        while let Some(tenant) = self.next() {
            let result = verify(&mut *connection, tenant, &self.options).await;
            if result.is_err() {
                while self.next().is_some() {}
            }
            if results.send(result).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn next(&self) -> Option<TenantId> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}
