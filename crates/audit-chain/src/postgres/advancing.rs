//! From the heads that were signed to the heads of now, link by link.

use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::{complete_tiles, sealing::head, tiles::tree};
use crate::{
    Digest, Error, Head, Snapshot, TenantHead, TenantId,
    store::checkpointing::{Following, Refusal, RefusalReason, compare, conclude},
};

const ALL_HEADS: &str = "
SELECT h.tenant_id, h.chain_id, h.seq, h.hash FROM stockade.audit_head h ORDER BY h.tenant_id";

const LINKS: &str = "
SELECT l.seq, l.entry_id, l.prev, l.leaf, l.hash FROM stockade.audit_link l
WHERE l.tenant_id = $1 AND l.seq > $2 AND l.seq <= $3 ORDER BY l.seq LIMIT 1024";

/// The heads of all tenants, each of which continues what `before` says, or everything that does not.
pub(super) async fn all(tx: &mut PgConnection, before: &Snapshot) -> Result<Result<Snapshot, Vec<Refusal>>, Error> {
    snapshot(tx, before, &[]).await
}

/// The same, where a declared loss is a new beginning.
pub(super) async fn with_restores(
    tx: &mut PgConnection,
    before: &Snapshot,
) -> Result<Result<Snapshot, Vec<Refusal>>, Error> {
    let declared = "SELECT r.tenant_id, r.kept_seq, r.kept_hash FROM stockade.audit_restored r
        JOIN stockade.audit_link l ON l.entry_id = r.entry_id AND l.tenant_id = r.tenant_id";
    let declared: Vec<(Uuid, i64, Vec<u8>)> = sqlx::query_as(declared).fetch_all(&mut *tx).await?;
    snapshot(tx, before, &declared).await
}

async fn snapshot(
    tx: &mut PgConnection,
    before: &Snapshot,
    declared: &[(Uuid, i64, Vec<u8>)],
) -> Result<Result<Snapshot, Vec<Refusal>>, Error> {
    let (mut heads, mut refusals) = (Vec::new(), Vec::new());
    let rows: Vec<(Uuid, Uuid, i64, Vec<u8>)> = sqlx::query_as(ALL_HEADS).fetch_all(&mut *tx).await?;
    for row in rows {
        let now = head(row)?;
        let old = before.head(now.tenant);
        let mut advanced = advance(&mut *tx, old, now).await?;
        if let (Err(_), Some(old)) = (&advanced, old) {
            let loss = (Uuid::from(now.tenant), old.head.seq.cast_signed(), old.head.hash.as_bytes().to_vec());
            if declared.contains(&loss) {
                advanced = advance(&mut *tx, None, now).await?;
            }
        }
        match advanced {
            Ok(head) => heads.push(head),
            Err(reason) => refusals.push(Refusal { tenant: Some(now.tenant), reason }),
        }
    }
    conclude(before, heads, refusals)
}

/// Follows a chain from its signed head, or from its beginning, to its stored head.
async fn advance(
    tx: &mut PgConnection,
    old: Option<&TenantHead>,
    now: Head,
) -> Result<Result<TenantHead, RefusalReason>, Error> {
    let Some(old) = old else { return follow(tx, Following::from_genesis(now), now).await };
    if let Some(said) = compare(old, now) {
        return Ok(said);
    }
    let kept = old.head.seq;
    if kept > 0 && link_hash(tx, now.tenant, kept).await? != Some(old.head.hash) {
        return Ok(Err(RefusalReason::Replaced { kept }));
    }
    // A link below that is gone leaves no tree to compute, which is an altered one too.
    match tree(&mut *tx, now.tenant, kept).await {
        Ok(tree) if tree.root() == old.root => follow(tx, Following { at: old.head, tree }, now).await,
        Err(error) if error.kind() != crate::ErrorKind::Malformed => Err(error),
        _ => Ok(Err(RefusalReason::TreeAltered { kept })),
    }
}

async fn follow(
    tx: &mut PgConnection,
    mut way: Following,
    now: Head,
) -> Result<Result<TenantHead, RefusalReason>, Error> {
    while way.at.seq < now.seq {
        let page =
            sqlx::query(LINKS).bind(Uuid::from(now.tenant)).bind(way.at.seq.cast_signed()).bind(now.seq.cast_signed());
        let page = page.fetch_all(&mut *tx).await?;
        if page.is_empty() {
            return Ok(Err(RefusalReason::Broken { seq: way.at.seq.saturating_add(1) }));
        }
        for row in page {
            let digest = |column| Digest::try_from(row.try_get::<Vec<u8>, _>(column).ok()?.as_slice()).ok();
            let hashes = ["prev", "leaf", "hash"].map(digest);
            if let Err(seq) = way.take(row.try_get("seq")?, row.try_get("entry_id")?, hashes)? {
                return Ok(Err(RefusalReason::Broken { seq }));
            }
        }
    }
    if way.at.hash != now.hash {
        return Ok(Err(RefusalReason::Broken { seq: now.seq }));
    }
    complete_tiles(tx, now.tenant).await?;
    Ok(Ok(TenantHead { head: now, root: way.tree.root() }))
}

async fn link_hash(tx: &mut PgConnection, tenant: TenantId, seq: u64) -> Result<Option<Digest>, Error> {
    let hash = sqlx::query_scalar("SELECT l.hash FROM stockade.audit_link l WHERE l.tenant_id = $1 AND l.seq = $2");
    let hash: Option<Vec<u8>> = hash.bind(Uuid::from(tenant)).bind(seq.cast_signed()).fetch_optional(tx).await?;
    Ok(hash.and_then(|hash| Digest::try_from(hash.as_slice()).ok()))
}
