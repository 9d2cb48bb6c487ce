//! What waits for its link, in the order in which it was recorded.

use std::num::NonZeroU32;

use sqlx::{PgConnection, Row as _, postgres::PgRow};
use uuid::Uuid;

use crate::{
    Digest, Error, Finding, TenantId, format,
    postgres::columns::{self, entry_columns},
};

// Entries and links are looked for one by one, by nothing but their key, and only for the rows that were taken, whatever the planner
// believes of tables that were empty when it made its plan: what a batch costs must depend neither on how much waits behind it nor
// on how much there is.
const TAKE: &str = concat!(
    "SELECT q.position, q.entry_id AS queued_id, q.tenant_id AS queued_tenant, l.entry_id IS NOT NULL AS linked, ",
    entry_columns!(),
    " FROM (
        SELECT position, entry_id, tenant_id FROM stockade.audit_unsealed
        WHERE position > $4 AND tenant_id <> ALL ($2) AND ($3::uuid IS NULL OR tenant_id = $3)
        ORDER BY position LIMIT $1 FOR UPDATE SKIP LOCKED
    ) AS q
    LEFT JOIN LATERAL (SELECT * FROM stockade.audit_entry e WHERE e.entry_id = q.entry_id OFFSET 0) AS e ON e.tenant_id = q.tenant_id
    LEFT JOIN LATERAL (SELECT l.entry_id FROM stockade.audit_link l WHERE l.entry_id = q.entry_id OFFSET 0) AS l ON true
    ORDER BY q.position"
);

/// A row of the queue with the entry it names.
pub(super) struct Queued {
    pub(super) position: i64,
    pub(super) tenant: TenantId,
    pub(super) entry_id: Uuid,
    pub(super) leaf: Digest,
    pub(super) linked: bool,
    pub(super) finding: Option<Finding>,
}

/// What is first in the queue of the tenants that are not `except`, or of `only` one; and whether there may be more.
///
/// A row without an entry stays where it is: it is what remains of an entry that was removed before it was sealed, which verification
/// reports. It takes the place of no other.
pub(super) async fn take(
    tx: &mut PgConnection,
    batch: NonZeroU32,
    except: &[Uuid],
    only: Option<Uuid>,
) -> Result<(Vec<Queued>, bool), Error> {
    let (mut taken, mut after) = (Vec::new(), i64::MIN);
    loop {
        let free = batch.get() as usize - taken.len();
        let query = sqlx::query(TAKE).bind(free as i64).bind(except).bind(only).bind(after);
        let rows = query.fetch_all(&mut *tx).await?;
        for row in &rows {
            after = row.try_get("position")?;
            taken.extend(Queued::read(row)?);
        }
        let full = rows.len() == free;
        if !full || taken.len() == batch.get() as usize {
            return Ok((taken, full));
        }
    }
}

impl Queued {
    /// Nothing if there is no such entry.
    fn read(row: &PgRow) -> Result<Option<Self>, sqlx::Error> {
        if row.try_get::<Option<Uuid>, _>("entry_id")?.is_none() {
            return Ok(None);
        }
        // The leaf as it was recorded, which the caller's receipt names: if the row says something
        // else by now, the chain will say so. Zeros, if it is no leaf at all, are the leaf of
        // nothing and say so too.
        let leaf = columns::leaf(row).unwrap_or(Digest::from([0; 32]));
        let finding = match columns::format(row) {
            Some(format::FORMAT) => {
                let envelope = columns::fields(row).and_then(|fields| fields.encode().ok());
                (envelope.map(|envelope| envelope.leaf()) != Some(leaf)).then_some(Finding::ContentAltered)
            }
            Some(format) => Some(Finding::UnknownFormat { format }),
            None => Some(Finding::ContentAltered),
        };
        Ok(Some(Self {
            position: row.try_get("position")?,
            tenant: row.try_get::<Uuid, _>("queued_tenant")?.into(),
            entry_id: row.try_get("queued_id")?,
            leaf,
            linked: row.try_get("linked")?,
            finding,
        }))
    }
}
