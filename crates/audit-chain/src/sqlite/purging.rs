//! Purging entries whose time is over.

use std::num::NonZeroU32;

use chrono::{DateTime, Utc};
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    appending,
    columns::{self, entry_columns},
};
use crate::{
    Digest, Error, Head, PurgeEvidence, PurgeRequest, PurgedRange, Record, TenantId,
    store::{PurgeRefusal, PurgedTenant},
};

/// What became of a purge.
#[expect(clippy::large_enum_variant, reason = "made once for a purge, and taken apart at once")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purge {
    /// The entries are gone; `None` if there were none to purge.
    Done(Option<PurgedTenant>),
    /// Nothing was purged.
    Refused(PurgeRefusal),
}

const FLOOR: &str = "
SELECT unixepoch('now', '-' || max(r.months) || ' months') * 1000 FROM main.stockade_audit_retention r";

// Runs of numbers, between entries that stay.
const RANGES: &str = "
WITH due AS (
    SELECT l.seq, l.seq - row_number() OVER (ORDER BY l.seq) AS run FROM main.stockade_audit_link l
    JOIN main.stockade_audit_entry e ON e.entry_id = l.entry_id AND e.tenant_id = l.tenant_id
    WHERE l.tenant_id = ?1 AND e.recorded_at < ?2 AND substr(e.action, 1, 6) <> 'audit.'
        AND NOT EXISTS (SELECT 1 FROM main.stockade_audit_held h WHERE h.tenant_id = e.tenant_id
            AND (h.since IS NULL OR e.recorded_at >= h.since) AND (h.until IS NULL OR e.recorded_at < h.until))
)
SELECT r.first, r.last, f.prev, l.hash FROM (SELECT min(seq) AS first, max(seq) AS last FROM due GROUP BY run) AS r
JOIN main.stockade_audit_link f ON f.tenant_id = ?1 AND f.seq = r.first
JOIN main.stockade_audit_link l ON l.tenant_id = ?1 AND l.seq = r.last
ORDER BY r.first";

const UNSEALED: &str = "
SELECT EXISTS (SELECT 1 FROM main.stockade_audit_entry e WHERE e.tenant_id = ?1 AND e.recorded_at < ?2
    AND NOT EXISTS (SELECT 1 FROM main.stockade_audit_link l WHERE l.entry_id = e.entry_id AND l.tenant_id = ?1))";

const INCOMPLETE: &str = "
SELECT EXISTS (SELECT 1 FROM main.stockade_audit_link l WHERE l.tenant_id = ?1 AND l.seq <= ?2
    AND NOT EXISTS (SELECT 1 FROM main.stockade_audit_entry e WHERE e.entry_id = l.entry_id)
    AND NOT EXISTS (SELECT 1 FROM main.stockade_audit_purged p
        WHERE p.tenant_id = ?1 AND l.seq BETWEEN p.first_seq AND p.last_seq))";

const COVERED: &str = "
SELECT EXISTS (SELECT 1 FROM main.stockade_audit_link l
    JOIN main.stockade_audit_head h ON h.tenant_id = l.tenant_id AND h.chain_id = ?4
    WHERE l.tenant_id = ?1 AND l.seq = ?2 AND l.hash = ?3)";

const INSERT: &str = "
INSERT INTO main.stockade_audit_purged (tenant_id, first_seq, last_seq, before, after, purged_by)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

const EVIDENCE: &str = concat!(
    "SELECT x.first_seq, x.last_seq, x.before AS range_before, x.after AS range_after, x.purged_by, ",
    entry_columns!(),
    " FROM main.stockade_audit_purged x
    LEFT JOIN main.stockade_audit_entry e ON e.entry_id = x.purged_by
    WHERE x.tenant_id = ?1 ORDER BY x.purged_by, x.first_seq"
);

/// Deletes a tenant's entries recorded before `before`, in the caller's transaction, and records an
/// entry that says which numbers, between hashes of the links, which stay.
///
/// `kept` is a head of the tenant that was kept outside the file, such as that of an earlier
/// report, behind the last entry to purge. Entries that a hold covers stay, and so do the log's own
/// (`audit.*`).
///
/// # Errors
/// As [`record`](super::record). A refusal by the rules is not an error.
pub async fn purge(
    connection: &mut SqliteConnection,
    tenant: TenantId,
    before: DateTime<Utc>,
    request: &PurgeRequest,
    kept: &Head,
) -> Result<Purge, Error> {
    let mut tx = appending::begin(connection).await?;
    appending::lock(&mut tx, tenant).await?;
    let (id, moment) = (Uuid::from(tenant), before.timestamp_millis());
    let floor: i64 = sqlx::query_scalar(FLOOR).fetch_one(&mut *tx).await?;
    if moment > floor {
        return Ok(Purge::Refused(PurgeRefusal::BelowFloor));
    }
    if sqlx::query_scalar(UNSEALED).bind(id).bind(moment).fetch_one(&mut *tx).await? {
        return Ok(Purge::Refused(PurgeRefusal::Unsealed));
    }
    let rows = sqlx::query(RANGES).bind(id).bind(moment).fetch_all(&mut *tx).await?;
    let ranges = rows.iter().map(|row| range(row, ["first", "last", "prev", "hash"]));
    let ranges = ranges.collect::<Option<Vec<_>>>().unwrap_or_default();
    let Some(last) = ranges.last().map(|range| range.last) else { return Ok(Purge::Done(None)) };
    if sqlx::query_scalar(INCOMPLETE).bind(id).bind(last.cast_signed()).fetch_one(&mut *tx).await? {
        return Ok(Purge::Refused(PurgeRefusal::Incomplete));
    }
    let covered = sqlx::query_scalar(COVERED).bind(id).bind(kept.seq.cast_signed());
    let covered: bool =
        covered.bind(kept.hash.as_bytes().to_vec()).bind(kept.chain.as_uuid()).fetch_one(&mut *tx).await?;
    if !covered || kept.tenant != tenant || kept.seq < last {
        return Ok(Purge::Refused(PurgeRefusal::Uncovered));
    }
    let receipt = appending::record(&mut tx, &request.entry(tenant, before, &ranges)).await?;
    for range in &ranges {
        let row = sqlx::query(INSERT)
            .bind(id)
            .bind(range.first.cast_signed())
            .bind(range.last.cast_signed())
            .bind(range.before.as_bytes().to_vec())
            .bind(range.after.as_bytes().to_vec())
            .bind(receipt.entry_id);
        appending::expect_one(row.execute(&mut *tx).await?.rows_affected())?;
    }
    tx.commit().await?;
    Ok(Purge::Done(Some(PurgedTenant { tenant, receipt, ranges })))
}

/// Keeps every entry for at least so many months from now on: 84 by default, and never fewer than
/// before.
///
/// # Errors
/// [`Refused`](crate::ErrorKind::Refused) if that is not longer than before, and the errors of the
/// connection.
pub async fn lengthen_retention(connection: &mut SqliteConnection, months: NonZeroU32) -> Result<(), Error> {
    let longer = sqlx::query("INSERT INTO main.stockade_audit_retention (months) VALUES (?1)").bind(months.get());
    appending::expect_one(longer.execute(connection).await?.rows_affected())
}

/// The evidence of every purge of a tenant.
pub(super) async fn evidence(connection: &mut SqliteConnection, tenant: TenantId) -> Result<Vec<PurgeEvidence>, Error> {
    let rows = sqlx::query(EVIDENCE).bind(Uuid::from(tenant)).fetch_all(connection).await?;
    let read = |rows: &[SqliteRow]| {
        let envelope = columns::fields(rows.first()?)?.encode().ok()?;
        let names = ["first_seq", "last_seq", "range_before", "range_after"];
        let ranges = rows.iter().filter_map(|row| range(row, names)).collect();
        Some(PurgeEvidence::new(Record::new(envelope, Vec::new()).ok()?, ranges))
    };
    // Evidence that cannot be read covers nothing, and what it should have covered is found.
    Ok(columns::by(&rows, "purged_by").filter_map(read).collect())
}

fn range(row: &SqliteRow, [first, last, before, after]: [&str; 4]) -> Option<PurgedRange> {
    let number = |name| u64::try_from(row.try_get::<i64, _>(name).ok()?).ok();
    let digest = |name| Digest::try_from(row.try_get::<&[u8], _>(name).ok()?).ok();
    Some(PurgedRange { first: number(first)?, last: number(last)?, before: digest(before)?, after: digest(after)? })
}
