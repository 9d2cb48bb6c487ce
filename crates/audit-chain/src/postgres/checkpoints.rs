//! The checkpoints that the database keeps.

use sqlx::PgConnection;
use uuid::Uuid;

use super::sealing::head;
use crate::{Digest, Error, Frontier, Publication, Snapshot, TenantHead, error::Repr};

type HeadRow = (Uuid, Uuid, i64, Vec<u8>, Vec<u8>);

const CHECKPOINT: &str = "
SELECT c.size, c.note, c.peaks FROM stockade.audit_checkpoint c
WHERE c.size <= $1 ORDER BY c.size DESC LIMIT 1";

const HEADS: &str = "
SELECT DISTINCT ON (h.tenant_id) h.tenant_id, h.chain_id, h.seq, h.hash, h.root
FROM stockade.audit_checkpoint_head h WHERE h.size <= $1 ORDER BY h.tenant_id, h.size DESC";

const STORE: &str = "
INSERT INTO stockade.audit_checkpoint (size, note, snapshot, peaks) VALUES ($1, $2, $3, $4)";

const STORE_HEADS: &str = "
INSERT INTO stockade.audit_checkpoint_head (tenant_id, size, chain_id, seq, hash, root)
SELECT n.tenant_id, $1, n.chain_id, n.seq, n.hash, n.root
FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::bytea[], $6::bytea[]) AS n (tenant_id, chain_id, seq, hash, root)";

/// The last checkpoint up to and including this size, as it is stored: `None` if there is none. For `stockade_sealer` and
/// `stockade_checkpointer`, which see the heads of all tenants.
///
/// Whether anybody signed it, and it says what was signed, is for [`Publication::open`] to say.
///
/// # Errors
/// [`Malformed`](crate::ErrorKind::Malformed) if the stored rows are no checkpoint, and the errors of the connection.
pub async fn stored_checkpoint(connection: &mut PgConnection, size: u64) -> Result<Option<Publication>, Error> {
    let limit = i64::try_from(size).unwrap_or(i64::MAX);
    let row: Option<(i64, String, Vec<Vec<u8>>)> =
        sqlx::query_as(CHECKPOINT).bind(limit).fetch_optional(&mut *connection).await?;
    let Some((size, note, peaks)) = row else { return Ok(None) };
    let peaks = peaks.iter().map(|peak| Digest::try_from(peak.as_slice())).collect::<Result<_, _>>()?;
    let before = Frontier::from_parts(size.cast_unsigned().saturating_sub(1), peaks)?;
    let rows: Vec<HeadRow> = sqlx::query_as(HEADS).bind(size).fetch_all(connection).await?;
    let heads = rows.into_iter().map(|(tenant, chain, seq, hash, root)| {
        Ok(TenantHead { head: head((tenant, chain, seq, hash))?, root: Digest::try_from(root.as_slice())? })
    });
    let heads = heads.collect::<Result<Vec<_>, Error>>()?;
    Ok(Some(Publication::from_parts(note.parse()?, before, Snapshot::new(heads)?)))
}

/// Stores a checkpoint, with those of its heads that the rows of the one before do not have.
pub(super) async fn store(
    connection: &mut PgConnection,
    publication: &Publication,
    stored: Option<&Publication>,
) -> Result<(), Error> {
    let size = i64::try_from(publication.size()).map_err(|_| Repr::Malformed("the log of checkpoints is full"))?;
    let peaks: Vec<_> = publication.before().peaks().iter().map(|peak| peak.as_bytes().to_vec()).collect();
    sqlx::query(STORE)
        .bind(size)
        .bind(publication.note().to_string())
        .bind(publication.snapshot().leaf().as_bytes().as_slice())
        .bind(peaks)
        .execute(&mut *connection)
        .await?;
    let known = |head: &TenantHead| stored.and_then(|stored| stored.snapshot().head(head.head.tenant)) == Some(head);
    let new: Vec<_> = publication.snapshot().heads().iter().filter(|head| !known(head)).collect();
    sqlx::query(STORE_HEADS)
        .bind(size)
        .bind(new.iter().map(|head| Uuid::from(head.head.tenant)).collect::<Vec<_>>())
        .bind(new.iter().map(|head| *head.head.chain.as_uuid()).collect::<Vec<_>>())
        .bind(new.iter().map(|head| head.head.seq.cast_signed()).collect::<Vec<_>>())
        .bind(new.iter().map(|head| head.head.hash.as_bytes().to_vec()).collect::<Vec<_>>())
        .bind(new.iter().map(|head| head.root.as_bytes().to_vec()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}
