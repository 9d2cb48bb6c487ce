//! Entries that are not sealed: how many there are, and which should have been.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{Executor, Postgres, Row as _, postgres::PgRow};
use uuid::Uuid;

use super::VerifyOptions;
use crate::{Error, Finding, TenantId, Verifier};

// From the entries and not from the queue, because an entry can have gone around the queue; and from the queue, because its entry
// can be gone.
const ALL: &str = "
WITH unlinked AS MATERIALIZED (
    SELECT e.entry_id, e.recorded_at FROM stockade.audit_entry e
    WHERE e.tenant_id = $1
        AND NOT EXISTS (SELECT FROM stockade.audit_link l WHERE l.entry_id = e.entry_id AND l.tenant_id = $1)
), overdue AS (
    SELECT u.entry_id, u.recorded_at FROM unlinked u
    WHERE u.recorded_at < coalesce($2, clock_timestamp()) - make_interval(secs => $3)
    UNION ALL
    SELECT q.entry_id, NULL FROM stockade.audit_unsealed q
    WHERE q.tenant_id = $1
        AND NOT EXISTS (SELECT FROM stockade.audit_link l WHERE l.entry_id = q.entry_id AND l.tenant_id = $1)
        AND NOT EXISTS (SELECT FROM stockade.audit_entry e WHERE e.entry_id = q.entry_id AND e.tenant_id = $1)
)
SELECT w.waiting, o.entry_id, o.recorded_at, o.total
FROM (SELECT count(*) AS waiting FROM unlinked) AS w LEFT JOIN (
    SELECT d.entry_id, d.recorded_at, count(*) OVER () AS total FROM overdue d ORDER BY d.recorded_at, d.entry_id LIMIT $4
) AS o ON true
ORDER BY o.recorded_at, o.entry_id";

// Entries in the order of their time, after one that was looked at before. Links are looked up one by one, never read as a whole.
const SOME: &str = "
WITH looked AS MATERIALIZED (
    SELECT e.entry_id, e.recorded_at FROM stockade.audit_entry e
    WHERE e.tenant_id = $1 AND (e.recorded_at, e.entry_id) > ($2, $3)
        AND e.recorded_at < (SELECT coalesce($4, clock_timestamp()) - make_interval(secs => $5))
    ORDER BY e.recorded_at, e.entry_id LIMIT $6
), judged AS (
    SELECT s.entry_id, s.recorded_at, count(*) OVER () = $6 AS more,
        row_number() OVER (ORDER BY s.recorded_at DESC, s.entry_id DESC) = 1 AS last, l.linked IS NULL AS overdue
    FROM looked s LEFT JOIN LATERAL (
        SELECT true AS linked FROM stockade.audit_link l WHERE l.entry_id = s.entry_id AND l.tenant_id = $1 LIMIT 1
    ) AS l ON true
)
SELECT entry_id, recorded_at, more, last, overdue FROM judged WHERE last OR overdue ORDER BY recorded_at, entry_id";

const SOME_QUEUED: &str = "
SELECT q.entry_id, NULL::timestamptz AS recorded_at
FROM (SELECT u.tenant_id, u.entry_id FROM stockade.audit_unsealed u ORDER BY u.position LIMIT $2) AS q
WHERE q.tenant_id = $1
    AND NOT EXISTS (SELECT FROM stockade.audit_link l WHERE l.entry_id = q.entry_id AND l.tenant_id = $1)
    AND NOT EXISTS (SELECT FROM stockade.audit_entry e WHERE e.entry_id = q.entry_id AND e.tenant_id = $1)";

/// An entry by its place in the order of time.
pub(super) type Moment = (DateTime<Utc>, Uuid);

/// Notes what is overdue, and says how many entries wait.
pub(super) async fn note_all<E>(
    executor: &mut E,
    verifier: &mut Verifier,
    tenant: TenantId,
    options: &VerifyOptions,
) -> Result<u64, Error>
where
    E: ?Sized,
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    let all = sqlx::query(ALL)
        .bind(Uuid::from(tenant))
        .bind(options.now)
        .bind(delay(options))
        .bind(i64::try_from(options.limit.get()).unwrap_or(i64::MAX));
    let (mut waiting, mut total, mut noted) = (0, 0, 0);
    for row in all.fetch_all(executor).await? {
        waiting = row.try_get("waiting")?;
        // Where nothing is overdue, there is one row for the number alone.
        if let Some(overdue) = row.try_get::<Option<i64>, _>("total")? {
            (total, noted) = (overdue, noted + 1);
            note(verifier, &row)?;
        }
    }
    verifier.suppress(total.unsigned_abs().saturating_sub(noted));
    Ok(i64::unsigned_abs(waiting))
}

/// Looks at no more than `count` entries after one, and at as many rows of the queue; says how many of them are overdue, and where
/// to go on, unless these were the last.
pub(super) async fn note_some<E>(
    executor: &mut E,
    verifier: &mut Verifier,
    tenant: TenantId,
    options: &VerifyOptions,
    (after, count): (Option<Moment>, u64),
) -> Result<(u64, Option<Moment>), Error>
where
    E: ?Sized,
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    let (time, id) = after.unwrap_or((DateTime::UNIX_EPOCH, Uuid::nil()));
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let looked = sqlx::query(SOME).bind(Uuid::from(tenant)).bind(time).bind(id).bind(options.now).bind(delay(options));
    let (mut overdue, mut next) = (0, None);
    for row in looked.bind(count).fetch_all(&mut *executor).await? {
        if row.try_get("overdue")? {
            overdue += 1;
            note(verifier, &row)?;
        }
        if row.try_get("last")? && row.try_get("more")? {
            next = Some((row.try_get("recorded_at")?, row.try_get("entry_id")?));
        }
    }
    let queued = sqlx::query(SOME_QUEUED).bind(Uuid::from(tenant)).bind(count).fetch_all(executor).await?;
    for row in &queued {
        note(verifier, row)?;
    }
    Ok((overdue, next))
}

fn note(verifier: &mut Verifier, row: &PgRow) -> Result<(), Error> {
    let finding = match row.try_get("recorded_at")? {
        Some(recorded_at) => Finding::UnsealedOverdue { recorded_at },
        None => Finding::EntryMissing,
    };
    verifier.note((None, Some(row.try_get("entry_id")?)), finding);
    Ok(())
}

fn delay(options: &VerifyOptions) -> f64 {
    options.max_merge_delay.min(CENTURY).as_secs_f64()
}

// An interval of PostgreSQL has an end, and nobody waits longer.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);
