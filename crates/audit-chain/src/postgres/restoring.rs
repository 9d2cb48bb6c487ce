//! After the restore of a backup: what is gone is said in the log itself.

use chrono::Utc;
use sqlx::{Connection as _, Executor, PgConnection, Postgres};
use uuid::Uuid;

use super::{Receipt, record_at, sealing::head};
use crate::{
    Actor, Digest, Entry, Error, Head, Loss, Publication, Severity, SignedCheckpoint, TenantHead, TenantId, error::Repr,
};

const DECLARE: &str = "
INSERT INTO stockade.audit_restored (tenant_id, entry_id, after_seq, kept_seq, kept_hash) VALUES ($1, $2, $3, $4, $5)";

const DECLARED: &str = "
SELECT r.entry_id, r.after_seq, r.kept_seq, r.kept_hash FROM stockade.audit_restored r WHERE r.tenant_id = $1";

/// States, in each chain that ends before what `publication` says of it, which entries the restore of a backup has lost.
///
/// `publication` is the anchor's last one, and `signed` what its [`open`](Publication::open) gave. `declared_by` is the id of
/// the person who restored, `reason` the words of the record. Needs `stockade_checkpointer`, whose members alone can make
/// a declaration that verification and [`Checkpointer`](super::Checkpointer) accept, and does so before anything else
/// is recorded: a chain that has grown beyond the signed head again is not truncated but replaced, and no restore.
///
/// The entries are sealed like all others. Nothing is declared for a tenant twice.
///
/// # Errors
/// [`Malformed`](crate::ErrorKind::Malformed) if `signed` is not of this publication, [`Refused`](crate::ErrorKind::Refused)
/// without the role, and the errors of the connection.
pub async fn declare_restored(
    connection: &mut PgConnection,
    publication: &Publication,
    signed: &SignedCheckpoint,
    declared_by: &str,
    reason: &str,
) -> Result<Vec<Receipt>, Error> {
    if SignedCheckpoint::text_hash(publication.note()) != *signed.hash() {
        return Err(Repr::Malformed("the checkpoint is not that of the publication").into());
    }
    let mut tx = connection.begin().await?;
    let mut receipts = Vec::new();
    for kept in publication.snapshot().heads() {
        let Some(after) = lost_after(&mut tx, kept).await? else { continue };
        let Head { tenant, seq, hash, .. } = kept.head;
        let entry = Entry::new(tenant, Actor::user(declared_by), Loss::ACTION)
            .entity("checkpoint", publication.size())
            .before(reason)
            .after(Loss::statement(after, seq, &hash))
            .severity(Severity::Critical);
        let receipt = record_at(&mut *tx, &entry, Utc::now()).await?;
        sqlx::query(DECLARE)
            .bind(Uuid::from(tenant))
            .bind(receipt.entry_id)
            .bind(after.cast_signed())
            .bind(seq.cast_signed())
            .bind(hash.as_bytes().as_slice())
            .execute(&mut *tx)
            .await?;
        receipts.push(receipt);
    }
    tx.commit().await?;
    Ok(receipts)
}

/// Where the chain ends now, if that is before the kept head and nobody has said so yet.
async fn lost_after(tx: &mut PgConnection, kept: &TenantHead) -> Result<Option<u64>, Error> {
    let tenant = kept.head.tenant;
    let stored = "SELECT h.tenant_id, h.chain_id, h.seq, h.hash FROM stockade.audit_head h WHERE h.tenant_id = $1";
    let stored = sqlx::query_as(stored).bind(Uuid::from(tenant)).fetch_optional(&mut *tx).await?;
    let stored = stored.map(head).transpose()?;
    let after = match stored {
        Some(stored) if stored.chain == kept.head.chain => stored.seq,
        _ => 0,
    };
    let declared = losses(tx, tenant).await?;
    let known = declared.iter().any(|loss| (loss.through, loss.hash) == (kept.head.seq, kept.head.hash));
    Ok((after < kept.head.seq && !known).then_some(after))
}

/// What was declared for a tenant by a role that may.
pub(super) async fn losses<E>(executor: &mut E, tenant: TenantId) -> Result<Vec<Loss>, Error>
where
    E: ?Sized,
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    let rows: Vec<(Uuid, i64, i64, Vec<u8>)> =
        sqlx::query_as(DECLARED).bind(Uuid::from(tenant)).fetch_all(executor).await?;
    let loss = |(entry_id, after, through, hash): (Uuid, i64, i64, Vec<u8>)| {
        let hash = Digest::try_from(hash.as_slice())?;
        Ok(Loss { entry_id, after: after.cast_unsigned(), through: through.cast_unsigned(), hash })
    };
    rows.into_iter().map(loss).collect()
}
