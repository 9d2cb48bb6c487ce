//! Evidence of forgetting, read when a walk meets what it should cover.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::{Executor, Postgres};
use uuid::Uuid;

use super::verification::digest_of;
use crate::{
    Envelope, ErasedValue, ErasureEvidence, Error, Link, PurgeEvidence, PurgedRange, Record, TenantId, Verifier,
    store::Stored,
};

const FIND: &str = "
SELECT v.list_id, v.action, v.envelope FROM stockade.audit_evidence v
WHERE v.tenant_id = $1 AND v.list_id <> ALL ($4) AND (
    v.list_id IN (SELECT x.list_id FROM stockade.audit_erased x WHERE x.tenant_id = $1 AND x.entry_id = ANY ($2))
    OR v.list_id IN (SELECT r.list_id FROM stockade.audit_purged r JOIN unnest($3::bigint[]) AS s (seq)
        ON s.seq BETWEEN r.first_seq AND r.last_seq WHERE r.tenant_id = $1))
ORDER BY v.list_id";

const ERASED: &str = "
SELECT x.entry_id, x.path, x.commitment FROM stockade.audit_erased x
WHERE x.tenant_id = $1 AND x.list_id = $2 ORDER BY x.entry_id, x.path";

const PURGED: &str = "
SELECT r.first_seq, r.last_seq, r.before, r.after FROM stockade.audit_purged r
WHERE r.tenant_id = $1 AND r.list_id = $2 ORDER BY r.first_seq";

// An entry that was sealed after the walk began, or waits for its seal: then it is overdue sooner or later, which verification says,
// unless its time is yet to come.
const WAITING: &str = "
SELECT e.entry_id, e.leaf FROM stockade.audit_entry e LEFT JOIN stockade.audit_link l ON l.entry_id = e.entry_id
WHERE e.tenant_id = $1 AND e.entry_id = ANY ($2) AND CASE WHEN l.entry_id IS NULL
    THEN e.recorded_at <= coalesce($4, clock_timestamp()) + interval '5 minutes'
    ELSE l.seq > $3 AND l.tenant_id = $1 AND l.leaf = e.leaf END";

/// A piece of evidence.
pub(super) enum Found {
    Erasure(ErasureEvidence),
    Purge(PurgeEvidence),
}

/// Reads what covers the gaps of a walk, each piece of evidence once.
pub(super) struct Evidence {
    tenant: TenantId,
    known: HashSet<Uuid>,
}

impl Evidence {
    pub(super) fn new(tenant: TenantId) -> Self {
        Self { tenant, known: HashSet::new() }
    }

    /// Gives the verifier what it needs for these links. Read after them, so what blanked them is visible too.
    pub(super) async fn supply<E>(
        &mut self,
        executor: &mut E,
        verifier: &mut Verifier,
        links: &[(Link, Stored)],
    ) -> Result<(), Error>
    where
        E: ?Sized,
        for<'c> &'c mut E: Executor<'c, Database = Postgres>,
    {
        let uncovered = |seq| !verifier.coverage().covers_entry(seq);
        for found in self.find(executor, links, uncovered).await? {
            match found {
                Found::Erasure(evidence) => verifier.coverage().erasure(self.tenant, &evidence),
                Found::Purge(evidence) => verifier.coverage().purge(self.tenant, &evidence),
            }
        }
        Ok(())
    }

    /// Reads what speaks of the values that are gone from these links, and of the entries that are and that `asks` names.
    pub(super) async fn find<E>(
        &mut self,
        executor: &mut E,
        links: &[(Link, Stored)],
        mut asks: impl FnMut(u64) -> bool,
    ) -> Result<Vec<Found>, Error>
    where
        E: ?Sized,
        for<'c> &'c mut E: Executor<'c, Database = Postgres>,
    {
        let (mut blanked, mut missing) = (Vec::new(), Vec::new());
        for (link, stored) in links {
            match stored {
                Stored::Record(record) if record.is_blanked() => blanked.push(link.entry_id),
                Stored::Missing if asks(link.seq) => missing.push(link.seq.cast_signed()),
                _ => {}
            }
        }
        if blanked.is_empty() && missing.is_empty() {
            return Ok(Vec::new());
        }
        let mut evidence = Vec::new();
        let tenant = Uuid::from(self.tenant);
        let known: Vec<Uuid> = self.known.iter().copied().collect();
        let found = sqlx::query_as(FIND).bind(tenant).bind(blanked).bind(missing).bind(known);
        let found: Vec<(Uuid, String, Vec<u8>)> = found.fetch_all(&mut *executor).await?;
        for (id, action, envelope) in found {
            self.known.insert(id);
            // What is no entry covers nothing, and what it should have covered is found missing.
            let Ok(record) = Envelope::decode(&envelope).and_then(|envelope| Record::new(envelope, Vec::new())) else {
                continue;
            };
            if action == PurgeEvidence::ACTION {
                let ranges: Vec<(i64, i64, Vec<u8>, Vec<u8>)> =
                    sqlx::query_as(PURGED).bind(tenant).bind(id).fetch_all(&mut *executor).await?;
                let ranges = ranges.into_iter().map(range).collect();
                evidence.push(Found::Purge(PurgeEvidence::new(record, ranges)));
            } else {
                let values: Vec<(Uuid, String, Vec<u8>)> =
                    sqlx::query_as(ERASED).bind(tenant).bind(id).fetch_all(&mut *executor).await?;
                let values = values.into_iter().map(value).collect();
                evidence.push(Found::Erasure(ErasureEvidence::new(record, values)));
            }
        }
        Ok(evidence)
    }

    /// Accepts evidence whose entry the walk to `last` cannot have met.
    pub(super) async fn await_seals<E>(
        &self,
        executor: &mut E,
        verifier: &mut Verifier,
        last: i64,
        now: Option<DateTime<Utc>>,
    ) -> Result<(), Error>
    where
        E: ?Sized,
        for<'c> &'c mut E: Executor<'c, Database = Postgres>,
    {
        let unmet: Vec<Uuid> = verifier.coverage().unmet().collect();
        if unmet.is_empty() {
            return Ok(());
        }
        let waiting = sqlx::query_as(WAITING).bind(Uuid::from(self.tenant)).bind(unmet).bind(last).bind(now);
        let waiting: Vec<(Uuid, Vec<u8>)> = waiting.fetch_all(executor).await?;
        for (entry_id, leaf) in waiting {
            verifier.coverage().await_seal(entry_id, digest_of(&leaf));
        }
        Ok(())
    }
}

fn value((entry_id, path, commitment): (Uuid, String, Vec<u8>)) -> ErasedValue {
    ErasedValue { entry_id, path, commitment: digest_of(&commitment) }
}

fn range((first, last, before, after): (i64, i64, Vec<u8>, Vec<u8>)) -> PurgedRange {
    let number = |seq: i64| u64::try_from(seq).unwrap_or(0);
    PurgedRange { first: number(first), last: number(last), before: digest_of(&before), after: digest_of(&after) }
}
