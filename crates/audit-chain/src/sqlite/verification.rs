//! Verification, from the rows.

use std::num::NonZeroUsize;

use chrono::DateTime;
use sqlx::{Connection as _, Row as _, SqliteConnection, SqliteExecutor, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    columns::{self, entry_columns},
    erasing, purging,
};
#[cfg(feature = "checkpoint")]
use crate::ProvenHead;
use crate::{ChainId, Digest, Error, Finding, Head, Link, Report, TenantId, Verifier, store::Stored};

/// How to verify.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    kept: Option<Head>,
    #[cfg(feature = "checkpoint")]
    proven: Option<ProvenHead>,
    limit: NonZeroUsize,
}

impl VerifyOptions {
    /// At most 1000 verdicts, no kept head.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            kept: None,
            #[cfg(feature = "checkpoint")]
            proven: None,
            limit: const { NonZeroUsize::new(1_000).unwrap() },
        }
    }

    /// Demands that a head which was kept outside the file, such as that of an earlier report or
    /// the link of a [`Receipt`](super::Receipt), is part of the chain. Finds what hashes alone
    /// cannot: a history that was cut off or written anew.
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

    /// How many verdicts to keep; more are only counted.
    #[must_use]
    pub const fn limit(mut self, verdicts: NonZeroUsize) -> Self {
        self.limit = verdicts;
        self
    }
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self::new()
    }
}

const HEAD: &str = "
SELECT h.chain_id, h.seq, h.hash FROM main.stockade_audit_head h WHERE h.tenant_id = ?1";

const PAGE: usize = 256;

// By number and entry, because a chain that somebody tampered with can have a number twice.
const LINKS: &str = concat!(
    "SELECT l.seq AS link_seq, l.entry_id AS link_entry, l.prev, l.leaf AS link_leaf, l.hash, ",
    entry_columns!(),
    " FROM main.stockade_audit_link l
    LEFT JOIN main.stockade_audit_entry e ON e.entry_id = l.entry_id
    WHERE l.tenant_id = ?1 AND (l.seq, l.entry_id) > (?2, ?3)
    ORDER BY l.seq, l.entry_id LIMIT ?4"
);

// Recording commits entry and link together, so an entry without a link did not come from it, or
// its link is gone.
const WAITING: &str = "
SELECT e.entry_id, e.recorded_at, count(*) OVER () AS total FROM main.stockade_audit_entry e
WHERE e.tenant_id = ?1
    AND NOT EXISTS (SELECT 1 FROM main.stockade_audit_link l WHERE l.entry_id = e.entry_id AND l.tenant_id = ?1)
ORDER BY e.recorded_at, e.entry_id LIMIT ?2";

// Steps from tenant to tenant along the indexes instead of reading every row.
const TENANTS: &str = "
WITH RECURSIVE entries (tenant_id) AS (
    SELECT min(e.tenant_id) FROM main.stockade_audit_entry e
    UNION ALL
    SELECT (SELECT min(e.tenant_id) FROM main.stockade_audit_entry e WHERE e.tenant_id > s.tenant_id)
    FROM entries s WHERE s.tenant_id IS NOT NULL
), links (tenant_id) AS (
    SELECT min(l.tenant_id) FROM main.stockade_audit_link l
    UNION ALL
    SELECT (SELECT min(l.tenant_id) FROM main.stockade_audit_link l WHERE l.tenant_id > s.tenant_id)
    FROM links s WHERE s.tenant_id IS NOT NULL
)
SELECT t.tenant_id FROM (
    SELECT tenant_id FROM entries UNION SELECT tenant_id FROM links UNION SELECT tenant_id FROM main.stockade_audit_head
) AS t WHERE t.tenant_id IS NOT NULL ORDER BY t.tenant_id";

/// Verifies a tenant's whole chain: every link, every entry, every personal value, and that no
/// entry is without a link.
///
/// Values and entries that an erasure or a purge covers are counted as such ([`Report::erased`],
/// [`Report::purged`]). Reads pages of 256
/// entries in one snapshot, so memory stays bounded apart from the list of what was erased, and
/// writers make no false alarm. They are not held up if the file is in WAL mode; otherwise they
/// wait.
///
/// # Errors
/// The errors of the connection. What is wrong with the log is not an error but a verdict.
pub async fn verify(
    connection: &mut SqliteConnection,
    tenant: TenantId,
    options: &VerifyOptions,
) -> Result<Report, Error> {
    let mut snapshot = connection.begin().await?;
    let id = Uuid::from(tenant);
    let head = head(&mut snapshot, tenant).await?;
    let mut verifier = Verifier::new(tenant, head).limit(options.limit);
    if let Some(kept) = options.kept {
        verifier = verifier.kept_head(kept);
    }
    #[cfg(feature = "checkpoint")]
    if let Some(proven) = &options.proven {
        verifier = verifier.kept_checkpoint(proven);
    }
    for evidence in erasing::evidence(&mut snapshot, tenant).await? {
        verifier = verifier.erasure(&evidence);
    }
    for evidence in purging::evidence(&mut snapshot, tenant).await? {
        verifier = verifier.purge(&evidence);
    }
    let mut after = (i64::MIN, Vec::new());
    loop {
        let (links, next) = page(&mut snapshot, tenant, after).await?;
        for (link, stored) in &links {
            match link {
                Ok(link) => verifier.check(link, stored.content()),
                Err(entry_id) => verifier.note((None, Some(*entry_id)), Finding::LinkBroken),
            }
        }
        match next {
            Some(next) => after = next,
            None => break,
        }
    }
    let limit = i64::try_from(options.limit.get()).unwrap_or(i64::MAX);
    let waiting = sqlx::query(WAITING).bind(id).bind(limit).fetch_all(&mut *snapshot).await?;
    let unsealed = note_waiting(&mut verifier, &waiting)?;
    snapshot.commit().await?;
    let mut report = verifier.finish();
    report.unsealed = unsealed;
    Ok(report)
}

/// Every tenant that has a head, a link or an entry, in ascending order: what to verify.
///
/// # Errors
/// The errors of the connection.
pub async fn tenants<'e>(executor: impl SqliteExecutor<'e>) -> Result<Vec<TenantId>, Error> {
    let tenants: Vec<Uuid> = sqlx::query_scalar(TENANTS).fetch_all(executor).await?;
    Ok(tenants.into_iter().map(TenantId::from).collect())
}

/// Where a page ended: a number, and the bytes of an entry's id.
pub(super) type Place = (i64, Vec<u8>);

/// The stored head, if there is one.
pub(super) async fn head(snapshot: &mut SqliteConnection, tenant: TenantId) -> Result<Option<Head>, Error> {
    let head = sqlx::query(HEAD).bind(Uuid::from(tenant)).fetch_optional(snapshot).await?;
    Ok(head.and_then(|row| read_head(tenant, &row)))
}

/// A page of links with what is stored for them, and where the next begins. A number that is none gives no link, but the entry's id.
pub(super) async fn page(
    snapshot: &mut SqliteConnection,
    tenant: TenantId,
    after: Place,
) -> Result<(Vec<(Result<Link, Uuid>, Stored)>, Option<Place>), Error> {
    let page = sqlx::query(LINKS).bind(Uuid::from(tenant)).bind(after.0).bind(after.1).bind(PAGE as i64);
    let page = page.fetch_all(&mut *snapshot).await?;
    let payloads = columns::payloads(snapshot, &page).await?;
    let links = page.iter().map(|row| Ok((read_link(tenant, row)?, columns::stored(row, &payloads))));
    let links = links.collect::<Result<_, Error>>()?;
    let next = match page.last().filter(|_| page.len() == PAGE) {
        Some(last) => Some((last.try_get("link_seq")?, last.try_get("link_entry")?)),
        None => None,
    };
    Ok((links, next))
}

fn read_link(tenant: TenantId, row: &SqliteRow) -> Result<Result<Link, Uuid>, Error> {
    let entry_id = row.try_get("link_entry").unwrap_or(Uuid::nil());
    let Ok(seq) = u64::try_from(row.try_get::<i64, _>("link_seq")?) else { return Ok(Err(entry_id)) };
    let [prev, leaf, hash] = ["prev", "link_leaf", "hash"].map(|column| digest(row, column));
    Ok(Ok(Link { tenant, seq, entry_id, prev, leaf, hash }))
}

fn note_waiting(verifier: &mut Verifier, rows: &[SqliteRow]) -> Result<u64, Error> {
    for row in rows {
        let recorded_at = DateTime::from_timestamp_millis(row.try_get("recorded_at").unwrap_or(0)).unwrap_or_default();
        verifier.note((None, row.try_get("entry_id").ok()), Finding::UnsealedOverdue { recorded_at });
    }
    let total = rows.first().map_or(Ok(0), |row| row.try_get::<i64, _>("total"))?.unsigned_abs();
    verifier.suppress(total.saturating_sub(rows.len() as u64));
    Ok(total)
}

/// The stored head. Parts that are no head at all are read as ones that no chain ends in.
fn read_head(tenant: TenantId, state: &SqliteRow) -> Option<Head> {
    let chain = ChainId::from(state.try_get::<Option<Uuid>, _>("chain_id").ok()??);
    let seq = state.try_get::<i64, _>("seq").ok().and_then(|seq| u64::try_from(seq).ok()).unwrap_or(0);
    Some(Head { tenant, chain, seq, hash: digest(state, "hash") })
}

/// A digest of the row; zeros, which nothing hashes to, if it is none.
fn digest(row: &SqliteRow, column: &str) -> Digest {
    row.try_get::<&[u8], _>(column).ok().and_then(|bytes| Digest::try_from(bytes).ok()).unwrap_or(Digest::from([0; 32]))
}
