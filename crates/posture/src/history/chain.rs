//! A history in the audit log.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Executor, Postgres};
use stockade_audit_chain::{
    Actor, AuditRow, Entry, TenantId,
    postgres::{Filter, search},
};
use uuid::Uuid;

use super::Snapshot;
use crate::{assessment::Assessment, error::Error};

/// The action of the entries.
pub const ACTION: &str = "posture.assess";

/// The type of entity that the entries are about. Its id is the digest of the JSON export.
const ENTITY: &str = "posture.assessment";

/// How far the time of an assessment may be from that of its entry.
const TOLERANCE: TimeDelta = TimeDelta::minutes(15);

/// What the log says of earlier assessments.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// The snapshots, the oldest first.
    pub snapshots: Vec<Snapshot>,
    /// The entries that say something else than an assessment did. Their days are not vouched for.
    pub refused: Vec<Refused>,
    /// How many entries wait for their place in the chain. They do not count yet.
    pub unsealed: u64,
}

/// An entry that was not taken for an assessment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Refused {
    /// The entry.
    pub entry_id: Uuid,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// What is wrong with it.
    pub why: &'static str,
}

/// The entry that records an assessment: a [`Snapshot`] of about a kilobyte. Append it when the assessment is made, because
/// [`read`] takes it only if both times agree.
///
/// ```
/// use chrono::Utc;
/// use stockade_audit_chain::{Actor, TenantId};
/// use stockade_posture::{Assessment, history};
/// use uuid::Uuid;
///
/// let assessment = Assessment::builder(Utc::now()).build();
/// let entry = history::entry(&assessment, TenantId::from(Uuid::nil()), Actor::system("posture"));
/// // stockade_audit_chain::postgres::record(&mut *tx, &entry).await?;
/// # let _ = entry;
/// ```
#[must_use]
pub fn entry(assessment: &Assessment, tenant: TenantId, actor: Actor) -> Entry {
    let snapshot = assessment.snapshot().to_string();
    let snapshot: serde_json::Value = serde_json::from_str(&snapshot).unwrap_or_default();
    Entry::new(tenant, actor, ACTION).entity(ENTITY, assessment.digest()).after(snapshot)
}

/// Reads the assessments that were recorded from `since` until before `until`.
///
/// An entry counts if it has its place in the chain, says all that a [`Snapshot`] must, is about the digest that it states, and was
/// recorded within 15 minutes of the time at which it says that the assessment was made. The last point is what keeps days from being filled in afterwards:
/// the log refuses entries whose time is not that of the database.
///
/// It verifies no hash. Whether entries were altered, removed or put in is what the verification of the chain finds;
/// and whoever may append to the log can append an assessment that was never made, from then on.
///
/// # Errors
///
/// [`Unavailable`](crate::ErrorKind::Unavailable) if the log could not be read, or an entry is so damaged that it is none.
pub async fn read<E>(
    executor: &mut E,
    tenant: TenantId,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Recorded, Error>
where
    E: ?Sized,
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    let mut recorded = Recorded { snapshots: vec![], refused: vec![], unsealed: 0 };
    let mut filter = Filter::new(tenant).action(ACTION).since(since).until(until).limit(PAGE);
    loop {
        let page = search(executor, &filter).await;
        let page = page.map_err(|cause| Error::unavailable_because("the audit log could not be read", cause))?;
        for row in &page.rows {
            if !row.is_sealed() {
                recorded.unsealed += 1;
                continue;
            }
            match judge(row) {
                Ok(snapshot) => recorded.snapshots.push(snapshot),
                Err(why) => {
                    recorded.refused.push(Refused { entry_id: row.entry_id, recorded_at: row.recorded_at, why });
                }
            }
        }
        match page.next {
            Some(next) => filter = filter.after(next),
            None => break,
        }
    }
    recorded.snapshots.sort();
    Ok(recorded)
}

const PAGE: std::num::NonZeroU32 = match std::num::NonZeroU32::new(Filter::MAX_LIMIT) {
    Some(page) => page,
    None => std::num::NonZeroU32::MIN,
};

fn judge(row: &AuditRow) -> Result<Snapshot, &'static str> {
    let state = row.after.as_ref().ok_or("it states nothing")?;
    let snapshot = Snapshot::from_json(state).map_err(|_| "what it states is no snapshot of an assessment")?;
    if row.entity_type.as_deref() != Some(ENTITY) || row.entity_id != Some(snapshot.digest().to_string()) {
        return Err("it is about another digest than the one it states");
    }
    let apart = row.recorded_at.signed_duration_since(snapshot.at());
    if apart > TOLERANCE || apart < -TOLERANCE {
        return Err("it was not recorded when the assessment was made");
    }
    Ok(snapshot)
}
