//! The control `audit.anchored`: what is kept outside, held against what is inside.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use stockade_audit_chain::{Anchor, Snapshot, VerifierKey, postgres::Checkpointing};
use uuid::Uuid;

use crate::{
    collector::{Collector, from_fn},
    control::ControlId,
    error::Error,
    observation::{Observation, Subject},
    postgres::read_only::{close, open, unreadable},
};

const NAME: &str = "audit_chain.anchored";

const CONTROLS: [ControlId; 1] = [ControlId::AUDIT_ANCHORED];

/// For every chain, signed or stored: whether it still has the signed head, and when the first entry after it was recorded.
const CHAINS: &str = "
    SELECT coalesce(h.tenant_id, k.tenant_id) AS tenant, h.tenant_id IS NULL AS gone,
           k.tenant_id IS NULL OR (h.chain_id = k.chain_id AND (k.seq = 0 OR EXISTS (
               SELECT FROM stockade.audit_link l WHERE l.tenant_id = k.tenant_id AND l.seq = k.seq AND l.hash = k.hash))) AS continues,
           next.entry_id IS NOT NULL AS uncovered, next.recorded_at AS uncovered_since
      FROM stockade.audit_head h
      FULL JOIN unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bytea[]) AS k (tenant_id, chain_id, seq, hash)
        ON k.tenant_id = h.tenant_id
      LEFT JOIN LATERAL (
           SELECT l.entry_id, e.recorded_at FROM stockade.audit_link l LEFT JOIN stockade.audit_entry e ON e.entry_id = l.entry_id
            WHERE l.tenant_id = h.tenant_id AND l.seq > coalesce(k.seq, 0) ORDER BY l.seq LIMIT 1) AS next ON true
     ORDER BY 1";

#[derive(Debug, sqlx::FromRow)]
struct Chain {
    tenant: Uuid,
    gone: bool,
    continues: Option<bool>,
    uncovered: bool,
    uncovered_since: Option<DateTime<Utc>>,
}

/// Measures `audit.anchored`: that the newest checkpoint of the anchor was signed by `key`, that every chain continues from exactly
/// what it says, and that no sealed entry without a checkpoint is older than `limit` (a day, for this control).
///
/// What is compared is the anchor's own copy, which the administrators of the database do not reach; the checkpoints that the
/// database stores are not believed. Each chain that does not continue, and each that was left without a checkpoint, is a
/// failure of its own. It does not recompute the links in between: that is [`chains`](super::chains()).
pub fn anchored<'a, A: Anchor + Sync>(
    connection: &'a mut PgConnection,
    anchor: &'a A,
    key: &'a VerifierKey,
    limit: TimeDelta,
) -> impl Collector + 'a {
    from_fn(NAME, &CONTROLS, async move |at| {
        let held = anchor.fetch_latest().await;
        let held = held.map_err(|cause| Error::unavailable_because("the anchor could not be read", cause))?;
        let fail = |reason: &str| Observation::fail(CONTROL, subject(), at, reason).by(NAME);
        let (size, snapshot) = match &held {
            None => return Ok(vec![fail("the anchor holds no checkpoint")]),
            Some(held) if held.open(key).is_none() => {
                return Ok(vec![fail("what the anchor holds was not signed by the key of the log")]);
            }
            Some(held) => (held.size(), held.snapshot()),
        };
        let mut reading = open(connection).await?;
        let chains = read(&mut reading, snapshot).await;
        let chains = close(reading, chains).await?;
        let broken: Vec<_> = chains.iter().filter_map(|chain| chain.shortfall(limit, at)).collect();
        if !broken.is_empty() {
            return Ok(broken);
        }
        let pass = Observation::pass(CONTROL, subject(), at).fact("checkpoint", size);
        Ok(vec![pass.fact("chains", chains.len()).by(NAME)])
    })
}

const CONTROL: ControlId = ControlId::AUDIT_ANCHORED;

fn subject() -> Subject {
    Subject::new("checkpoints of the audit log")
}

async fn read(reading: &mut PgConnection, snapshot: &Snapshot) -> Result<Vec<Chain>, Error> {
    let heads = || snapshot.heads().iter().map(|kept| kept.head);
    sqlx::query_as(CHAINS)
        .bind(heads().map(|head| Uuid::from(head.tenant)).collect::<Vec<_>>())
        .bind(heads().map(|head| *head.chain.as_uuid()).collect::<Vec<_>>())
        .bind(heads().map(|head| head.seq.cast_signed()).collect::<Vec<_>>())
        .bind(heads().map(|head| head.hash.as_bytes().to_vec()).collect::<Vec<_>>())
        .fetch_all(reading)
        .await
        .map_err(unreadable)
}

impl Chain {
    fn shortfall(&self, limit: TimeDelta, at: DateTime<Utc>) -> Option<Observation> {
        let since = self.uncovered_since;
        // Of an entry that is gone already, nobody knows how long it waited.
        let overdue = self.uncovered && since.is_none_or(|since| at.signed_duration_since(since) > limit);
        let reason = match (self.gone, self.continues, overdue) {
            (true, ..) => "the chain that was signed is gone",
            (false, Some(true), false) => return None,
            (false, Some(true), true) => "its entries have waited too long for a checkpoint",
            (false, ..) => "the chain does not continue from what was signed",
        };
        let subject = Subject::new(format!("audit log of tenant {}", self.tenant));
        let fail = Observation::fail(CONTROL, subject, at, reason).by(NAME);
        Some(match since {
            Some(since) => fail.fact("waiting_hours", at.signed_duration_since(since).num_hours()),
            None => fail,
        })
    }
}

/// What a call of a checkpointer that ended at `collected_at` says of [`ControlId::AUDIT_ANCHORED`]: it holds if the anchor
/// has a checkpoint that the log continues. `None` for a call that left the work to another process.
///
/// For an application that keeps the answer of its checkpointer. [`anchored`] asks the anchor itself.
#[must_use]
pub fn checkpointed(outcome: &Checkpointing, collected_at: DateTime<Utc>) -> Option<Observation> {
    let seen = match outcome {
        Checkpointing::Published(last) | Checkpointing::Unchanged(last) => {
            Observation::pass(CONTROL, subject(), collected_at).fact("checkpoint", last.size())
        }
        Checkpointing::Refused(refusals) => {
            let reason = "the log contradicts its last checkpoint";
            Observation::fail(CONTROL, subject(), collected_at, reason).fact("contradictions", refusals.len())
        }
        Checkpointing::Standby => return None,
    };
    Some(seen.by(NAME))
}
