//! Verification of all tenants a little at a time.

mod progress;

use std::num::NonZeroU64;

use sqlx::PgConnection;
use uuid::Uuid;

use self::progress::Place;
pub use self::progress::Progress;
use super::{
    VerifyOptions,
    crowd::tenant_after,
    verification::{Part, digest_of, walk},
    waiting,
};
use crate::{Digest, Error, Report, TenantId, Verifier};

/// Verifies all tenants again and again, a bounded number of links at a time, for a process that runs in the background.
///
/// A step takes the next tenant in the order of their ids, looks at its next links and at as many of its entries, for those
/// that were not sealed in time; what it reads does not grow with the log. An altered row is found when the walk comes by, which after a
/// full pass it does again.
///
/// Where it is, is in the value and nowhere in the database, where whoever alters a row could move it past that row. A new
/// value begins at the first link of every tenant; [`progress`](Self::progress) can be kept, by the caller and elsewhere, to go on
/// from in another process.
#[derive(Clone, Debug)]
pub struct IncrementalVerifier {
    links: NonZeroU64,
    options: VerifyOptions,
    progress: Progress,
}

// The link behind a gap, with the hash that it names as the one before.
const BEHIND: &str = "
SELECT l.seq, l.prev FROM stockade.audit_link l WHERE l.tenant_id = $1 AND l.seq > $2 ORDER BY l.seq LIMIT 1";

impl IncrementalVerifier {
    /// Looks at `links` links in a step, from the first link of every tenant.
    #[must_use]
    pub fn new(links: NonZeroU64, options: VerifyOptions) -> Self {
        Self { links, options, progress: Progress::default() }
    }

    /// Goes on where another walk was. The progress is believed: see [`Progress`] for what a forged one can hide.
    #[must_use]
    pub fn resume(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// Where the walk is.
    #[must_use]
    pub const fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Verifies the next part of the next tenant; `None` if there is no tenant. Needs `stockade_sealer`.
    ///
    /// A walk that came to the end of a chain begins at its first link the next time; one that found something goes on from what is
    /// stored. [`Report::unsealed`] counts the overdue entries among those that were looked at.
    ///
    /// # Errors
    /// As [`verify`](super::verify).
    pub async fn step(&mut self, connection: &mut PgConnection) -> Result<Option<Report>, Error> {
        // A tenant that is gone is not for this walk to miss, but for a checkpoint.
        let Some(tenant) = tenant_after(&mut *connection, self.progress.last()).await? else { return Ok(None) };
        let Place { links, entries } = self.progress.place(tenant);
        let until = links.map_or(0, |(seq, _)| seq).saturating_add(self.links.get());
        let mut options = self.options.clone();
        options.part = Part { after: links, until: Some(until) };
        let mut verifier = walk(&mut *connection, tenant, &options).await?;
        let look = (entries, self.links.get());
        let (unsealed, entries) = waiting::note_some(&mut *connection, &mut verifier, tenant, &options, look).await?;
        let links = reached(connection, tenant, &verifier, until).await?;
        let report = Report { unsealed, ..verifier.finish() };
        let links = links.filter(|_| report.head().is_some_and(|head| head.seq > until));
        self.progress.note(tenant, Place { links, entries });
        Ok(Some(report))
    }
}

/// Where a part of a walk ended, with the hash that is stored there; behind a gap that goes on, if there is one.
async fn reached(
    connection: &mut PgConnection,
    tenant: TenantId,
    verifier: &Verifier,
    until: u64,
) -> Result<Option<(u64, Digest)>, Error> {
    if let Some(end) = verifier.end().filter(|(seq, _)| *seq == until) {
        return Ok(Some(end));
    }
    let behind = sqlx::query_as(BEHIND).bind(Uuid::from(tenant)).bind(until.cast_signed());
    let behind: Option<(i64, Vec<u8>)> = behind.fetch_optional(connection).await?;
    Ok(behind.map(|(seq, prev)| (seq.unsigned_abs().saturating_sub(1), digest_of(&prev))))
}
