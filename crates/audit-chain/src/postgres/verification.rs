//! Verification, from the rows.

use std::{future::poll_fn, num::NonZeroUsize, pin::pin, task::Poll, time::Duration};

use chrono::{DateTime, Utc};
use sqlx::{Executor, Postgres, Row as _, postgres::PgRow};
use uuid::Uuid;

use super::{
    columns::{self, entry_columns},
    evidence::Evidence,
    waiting,
};
#[cfg(feature = "checkpoint")]
use crate::ProvenHead;
use crate::{ChainId, Digest, Error, Finding, Head, Link, Report, TenantId, Verifier, error::Repr};

/// How to verify.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    pub(super) max_merge_delay: Duration,
    pub(super) now: Option<DateTime<Utc>>,
    kept: Option<Head>,
    #[cfg(feature = "checkpoint")]
    proven: Option<ProvenHead>,
    #[cfg(feature = "checkpoint")]
    restored: Restored,
    pub(super) limit: NonZeroUsize,
    pub(super) part: Part,
}

/// A part of a chain: the links after one whose hash is known, up to a number.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part {
    pub(super) after: Option<(u64, Digest)>,
    pub(super) until: Option<u64>,
}

impl VerifyOptions {
    /// Ten seconds to be sealed in, the database's clock, at most 1000 verdicts, no kept head.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            max_merge_delay: Duration::from_secs(10),
            now: None,
            kept: None,
            #[cfg(feature = "checkpoint")]
            proven: None,
            #[cfg(feature = "checkpoint")]
            restored: Restored::Found,
            limit: const { NonZeroUsize::new(1_000).unwrap() },
            part: Part { after: None, until: None },
        }
    }

    /// How long an entry may wait for its seal before it is reported as overdue.
    #[must_use]
    pub const fn max_merge_delay(mut self, delay: Duration) -> Self {
        self.max_merge_delay = delay;
        self
    }

    /// Judges what is overdue at this time instead of the database's.
    #[must_use]
    pub const fn now(mut self, now: DateTime<Utc>) -> Self {
        self.now = Some(now);
        self
    }

    /// Demands that a head which was kept outside the database, such as that of an earlier report,
    /// is part of the chain. Finds what hashes alone cannot: a history that was cut off or written
    /// anew.
    #[must_use]
    pub const fn kept_head(mut self, head: Head) -> Self {
        self.kept = Some(head);
        self
    }

    /// Demands that the head which a signed checkpoint commits to is part of the chain, instead of a kept one.
    #[cfg(feature = "checkpoint")]
    #[must_use]
    pub const fn kept_checkpoint(mut self, head: ProvenHead) -> Self {
        self.proven = Some(head);
        self
    }

    /// Accepts that the kept head was lost by the restore of a backup, if
    /// [`declare_restored`](super::declare_restored) has stated exactly that.
    #[cfg(feature = "checkpoint")]
    #[must_use]
    pub const fn accept_restored(mut self) -> Self {
        self.restored = Restored::Accepted;
        self
    }

    /// Verifies the links after one that an earlier walk has reached, whose hash is taken for granted, such as that of a signed
    /// head, up to and including number `until`, or to the end. A link at the beginning that does not follow from the
    /// hash is found. A kept head outside the part is not judged, unless the stored head ends before it; of a kept
    /// checkpoint the head is compared, and not the tree.
    #[must_use]
    pub const fn part(mut self, after: Head, until: Option<u64>) -> Self {
        self.part = Part { after: Some((after.seq, after.hash)), until };
        self
    }

    /// How many verdicts to keep; more are only counted.
    #[must_use]
    pub const fn limit(mut self, verdicts: NonZeroUsize) -> Self {
        self.limit = verdicts;
        self
    }
}

/// What a loss by a restored backup is that was declared.
#[cfg(feature = "checkpoint")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Restored {
    Found,
    Accepted,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self::new()
    }
}

// Head and last number come from one snapshot, so that a sealer at work in between cannot look like
// a forger.
const STATE: &str = "
SELECT h.chain_id, h.seq, h.hash,
    (SELECT max(l.seq) FROM stockade.audit_link l WHERE l.tenant_id = $1) AS last,
    NOT row_security_active('stockade.audit_link') OR pg_has_role('stockade_sealer', 'USAGE')
        OR coalesce((SELECT c.tenant_id FROM stockade.current_tenant c) = $1, false) AS visible
FROM (SELECT) AS one LEFT JOIN stockade.audit_head h ON h.tenant_id = $1";

const PAGE: i64 = 256;

// By number and entry, because a chain that somebody tampered with can have a number twice. OFFSET keeps the planner from
// reading all entries to join them with one page of links.
const LINKS: &str = concat!(
    "SELECT l.seq AS link_seq, l.entry_id AS link_entry, l.prev, l.leaf AS link_leaf, l.hash, p.field_values, p.salts, e.*
    FROM stockade.audit_link l
    LEFT JOIN LATERAL (SELECT ",
    entry_columns!(),
    " FROM stockade.audit_entry e WHERE e.entry_id = l.entry_id OFFSET 0) AS e ON true
    LEFT JOIN LATERAL (SELECT p.field_values, p.salts FROM stockade.audit_payload p
        WHERE p.entry_id = l.entry_id AND p.tenant_id = l.tenant_id OFFSET 0) AS p ON true
    WHERE l.tenant_id = $1 AND (l.seq, l.entry_id) > ($2, $3) AND l.seq <= $4
    ORDER BY l.seq, l.entry_id LIMIT $5"
);

/// Verifies a tenant's whole chain: every link, every entry, every personal value, and what is not
/// sealed yet.
///
/// Reads pages of 256 entries, two at a time, so memory stays bounded. Runs beside recording and sealing without
/// false alarms. The application can verify the tenant whose context its transaction carries; a
/// connection in `stockade_sealer` can verify any of [`tenants`](super::tenants).
///
/// # Errors
/// [`Refused`](crate::ErrorKind::Refused) if the connection may not see the tenant, because an
/// empty log would look intact; and the errors of the connection. What is wrong with the log is not
/// an error but a verdict.
pub async fn verify<E>(executor: &mut E, tenant: TenantId, options: &VerifyOptions) -> Result<Report, Error>
where
    E: ?Sized,
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    let mut verifier = walk(&mut *executor, tenant, options).await?;
    let unsealed = waiting::note_all(executor, &mut verifier, tenant, options).await?;
    Ok(Report { unsealed, ..verifier.finish() })
}

/// Gives a verifier every link of the part, with what is stored for it.
pub(super) async fn walk<E>(executor: &mut E, tenant: TenantId, options: &VerifyOptions) -> Result<Verifier, Error>
where
    E: ?Sized,
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    let id = Uuid::from(tenant);
    let state = sqlx::query(STATE).bind(id).fetch_one(&mut *executor).await?;
    if !state.try_get::<bool, _>("visible")? {
        return Err(Repr::NotVisible.into());
    }
    let mut verifier = Verifier::new(tenant, read_head(tenant, &state)).limit(options.limit);
    let Part { after: start, until } = options.part;
    if let Some((seq, hash)) = start.filter(|(seq, _)| *seq > 0) {
        verifier = verifier.after(seq, hash);
    }
    if let Some(until) = until {
        verifier = verifier.until(until);
    }
    if let Some(kept) = options.kept {
        verifier = verifier.kept_head(kept);
    }
    #[cfg(feature = "checkpoint")]
    if let Some(proven) = &options.proven {
        verifier = verifier.kept_checkpoint(proven);
    }
    #[cfg(feature = "checkpoint")]
    if options.restored == Restored::Accepted {
        for loss in super::restoring::losses(&mut *executor, tenant).await? {
            verifier = verifier.accept_restored(loss);
        }
    }
    let mut evidence = Evidence::new(tenant);
    let last = state.try_get::<Option<i64>, _>("last")?;
    let end = until.map_or(i64::MAX, u64::cast_signed).min(last.unwrap_or(0));
    if last.is_some() {
        // Nothing has the largest id, so what follows are the links with a larger number.
        let start = start.filter(|(seq, _)| *seq > 0).map(|(seq, _)| (seq.cast_signed(), Uuid::max()));
        let page = |after: (i64, Uuid)| sqlx::query(LINKS).bind(id).bind(after.0).bind(after.1).bind(end).bind(PAGE);
        let mut rows = page(start.unwrap_or((i64::MIN, Uuid::nil()))).fetch_all(&mut *executor).await?;
        while let Some(last) = rows.last() {
            let after = (last.try_get("link_seq")?, last.try_get("link_entry")?);
            let mut links = Vec::with_capacity(rows.len());
            let mut read = |verifier: &mut Verifier| {
                for row in &rows {
                    links.extend(read_link(verifier, tenant, row)?.map(|link| (link, columns::stored(row))));
                }
                Ok::<_, Error>(())
            };
            let more = i64::try_from(rows.len()).is_ok_and(|read| read == PAGE);
            let next = if more {
                // Polled once, it is sent: the database works at the next page while this one is read.
                let mut next = pin!(page(after).fetch_all(&mut *executor));
                let early = poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await;
                read(&mut verifier)?;
                match early {
                    Poll::Ready(rows) => rows?,
                    Poll::Pending => next.await?,
                }
            } else {
                read(&mut verifier)?;
                Vec::new()
            };
            evidence.supply(&mut *executor, &mut verifier, &links).await?;
            for (link, stored) in &links {
                verifier.check(link, stored.content());
            }
            rows = next;
        }
    }
    evidence.await_seals(&mut *executor, &mut verifier, end, options.now).await?;
    Ok(verifier)
}

fn read_link(verifier: &mut Verifier, tenant: TenantId, row: &PgRow) -> Result<Option<Link>, Error> {
    let entry_id = row.try_get("link_entry")?;
    let Ok(seq) = u64::try_from(row.try_get::<i64, _>("link_seq")?) else {
        verifier.note((None, Some(entry_id)), Finding::LinkBroken);
        return Ok(None);
    };
    let (prev, leaf, hash) = (digest(row, "prev"), digest(row, "link_leaf"), digest(row, "hash"));
    Ok(Some(Link { tenant, seq, entry_id, prev, leaf, hash }))
}

/// The stored head. Parts that are no head at all are read as ones that no chain ends in.
pub(super) fn read_head(tenant: TenantId, state: &PgRow) -> Option<Head> {
    let chain = ChainId::from(state.try_get::<Option<Uuid>, _>("chain_id").ok()??);
    let seq = state.try_get::<i64, _>("seq").ok().and_then(|seq| u64::try_from(seq).ok()).unwrap_or(0);
    Some(Head { tenant, chain, seq, hash: digest(state, "hash") })
}

/// A digest of the row; zeros, which nothing hashes to, if it is none.
pub(super) fn digest(row: &PgRow, column: &str) -> Digest {
    digest_of(&row.try_get::<Vec<u8>, _>(column).unwrap_or_default())
}

/// A digest; zeros, which nothing hashes to, if it is none.
pub(super) fn digest_of(bytes: &[u8]) -> Digest {
    Digest::try_from(bytes).unwrap_or(Digest::from([0; 32]))
}
