//! The last signed checkpoint, as a tenant sees it.

use chrono::{DateTime, Utc};
use stockade::{
    audit_chain::{Checkpoint, Digest},
    tenant_guard::Tx,
};

/// The last checkpoint of the log.
#[derive(Clone, Debug)]
pub struct Last {
    /// Its number: how many there are.
    pub size: u64,
    /// The root over everything that it commits to.
    pub root: Digest,
    /// When it was signed and stored.
    pub stored_at: DateTime<Utc>,
    /// When every anchor had it; `None` while one has not.
    pub anchored_at: Option<DateTime<Utc>>,
    /// The last entry of this tenant that it commits to; 0 if none.
    pub through: u64,
    /// How many entries of this tenant were sealed since.
    pub since: u64,
}

const LAST: &str = "
SELECT c.size, c.note, c.stored_at, a.anchored_at,
    coalesce((SELECT h.seq FROM stockade.audit_checkpoint_head h ORDER BY h.size DESC LIMIT 1), 0) AS through,
    coalesce((SELECT h.seq FROM stockade.audit_head h), 0) AS head
FROM stockade.audit_checkpoint c LEFT JOIN stockade.audit_anchored a ON a.size = c.size
ORDER BY c.size DESC LIMIT 1";

/// The last checkpoint, if one was ever made.
///
/// # Errors
/// When the database fails, or what it holds is no checkpoint.
pub async fn last<A>(tx: &mut Tx<A>) -> anyhow::Result<Option<Last>> {
    type Row = (i64, String, DateTime<Utc>, Option<DateTime<Utc>>, i64, i64);
    let row: Option<Row> = sqlx::query_as(LAST).fetch_optional(tx).await?;
    let Some((size, note, stored_at, anchored_at, through, head)) = row else { return Ok(None) };
    let root = Checkpoint::read(&note.parse()?)?.root();
    let since = head.saturating_sub(through).unsigned_abs();
    Ok(Some(Last { size: size.unsigned_abs(), root, stored_at, anchored_at, through: through.unsigned_abs(), since }))
}
