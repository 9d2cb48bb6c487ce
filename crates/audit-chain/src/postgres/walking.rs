//! Verification of all tenants: at once, or a little at a time.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    num::{NonZeroU64, NonZeroUsize},
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::Poll,
};

use sqlx::{PgConnection, PgPool};

use super::{VerifyOptions, tenants, verify};
use crate::{Digest, Error, Report, TenantId};

/// Verifies every tenant's whole chain with at most `connections` connections of the pool, which needs `stockade_sealer`, and
/// gives the reports by ascending tenant.
///
/// The options hold for every tenant; what was kept elsewhere is of one, and goes to [`verify`]. The connections wait
/// for each other on the processor: spawn several calls over parts of [`tenants`] to use more than one.
///
/// # Errors
/// As [`verify`]; the first one ends all.
pub async fn verify_all(
    pool: &PgPool,
    options: &VerifyOptions,
    connections: NonZeroUsize,
) -> Result<Vec<Report>, Error> {
    let waiting = Mutex::new(tenants(pool).await?.into_iter());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let worker = async || {
        let mut connection = pool.acquire().await?;
        let mut reports = Vec::new();
        while let Some(tenant) = next() {
            reports.push(verify(&mut *connection, tenant, options).await?);
        }
        Ok::<_, Error>(reports)
    };
    let mut workers: Vec<Pin<Box<_>>> = (0..connections.get()).map(|_| Box::pin(worker())).collect();
    let mut reports = Vec::new();
    poll_fn(|context| {
        let mut failed = None;
        workers.retain_mut(|worker| match worker.as_mut().poll(context) {
            Poll::Pending => true,
            Poll::Ready(Ok(done)) => {
                reports.extend(done);
                false
            }
            Poll::Ready(Err(error)) => {
                failed = Some(error);
                false
            }
        });
        match failed {
            Some(error) => Poll::Ready(Err(error)),
            None if workers.is_empty() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    })
    .await?;
    reports.sort_by_key(Report::tenant);
    Ok(reports)
}

/// Verifies all tenants again and again, a bounded number of links at a time, for a process that runs in the background.
///
/// Where it is, is in the value and nowhere in the database, where whoever alters a row could move it past that row. A new
/// value begins at the first link of every tenant. An altered row is found when the walk comes by, which after a full pass
/// it does again.
#[derive(Clone, Debug)]
pub struct IncrementalVerifier {
    links: NonZeroU64,
    options: VerifyOptions,
    /// Where each tenant's walk is, and in which step it was last looked at.
    places: BTreeMap<TenantId, Place>,
    steps: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    looked: u64,
    reached: Option<(u64, Digest)>,
}

impl IncrementalVerifier {
    /// Looks at `links` links in a step.
    #[must_use]
    pub const fn new(links: NonZeroU64, options: VerifyOptions) -> Self {
        Self { links, options, places: BTreeMap::new(), steps: 0 }
    }

    /// Verifies the next links of the tenant that was not looked at for the longest time; `None` if there is no tenant. Needs
    /// `stockade_sealer`.
    ///
    /// A walk that found something, or came to the end, begins at the first link the next time. The number of links of the
    /// whole pass is read only where it ends.
    ///
    /// # Errors
    /// As [`verify`].
    pub async fn step(&mut self, connection: &mut PgConnection) -> Result<Option<Report>, Error> {
        // A tenant that is gone is not for this walk to miss, but for a checkpoint.
        let all = tenants(&mut *connection).await?;
        let Some(tenant) = all.into_iter().min_by_key(|tenant| self.places.get(tenant).map_or(0, |place| place.looked))
        else {
            return Ok(None);
        };
        let place = self.places.get(&tenant).copied().unwrap_or_default();
        let start = place.reached.map_or(0, |(seq, _)| seq);
        let until = start.saturating_add(self.links.get());
        let mut options = self.options.clone();
        options.part = super::verification::Part { after: place.reached, until: Some(until) };
        let report = verify(&mut *connection, tenant, &options).await?;
        self.steps += 1;
        let more = report.is_intact() && report.head().is_some_and(|head| head.seq > until);
        let reached = if more { link_hash(connection, tenant, until).await?.map(|hash| (until, hash)) } else { None };
        self.places.insert(tenant, Place { looked: self.steps, reached });
        Ok(Some(report))
    }
}

async fn link_hash(connection: &mut PgConnection, tenant: TenantId, seq: u64) -> Result<Option<Digest>, Error> {
    let hash = sqlx::query_scalar("SELECT l.hash FROM stockade.audit_link l WHERE l.tenant_id = $1 AND l.seq = $2");
    let hash = hash.bind(uuid::Uuid::from(tenant)).bind(seq.cast_signed());
    let hash: Option<Vec<u8>> = hash.fetch_optional(connection).await?;
    Ok(hash.and_then(|hash| Digest::try_from(hash.as_slice()).ok()))
}
