//! The ends of the chains: locked, moved forward, and what is linked to them.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{ChainId, Error, Head, Link, TenantId, error::Repr};

// A strict transaction holds its tenant's head for as long as the application likes, which is the other tenants' business in
// no way.
const LOCK_FREE_HEADS: &str = "
SELECT h.tenant_id, h.chain_id, h.seq, h.hash FROM stockade.audit_head h
WHERE h.tenant_id = ANY ($1) ORDER BY h.tenant_id FOR UPDATE SKIP LOCKED";

const LOCK_HEADS: &str = "
SELECT h.tenant_id, h.chain_id, h.seq, h.hash FROM stockade.audit_head h
WHERE h.tenant_id = ANY ($1) ORDER BY h.tenant_id FOR UPDATE";

// The lock is the one under which a strict transaction begins a chain: an insert would wait for it.
const BEGIN_CHAINS: &str = "
INSERT INTO stockade.audit_head (tenant_id, chain_id, seq, hash)
SELECT n.tenant_id, n.chain_id, 0, n.hash
FROM unnest($1::uuid[], $2::uuid[], $3::bytea[]) AS n (tenant_id, chain_id, hash)
WHERE pg_try_advisory_xact_lock(hashtextextended(n.tenant_id::text, 5061031185870174152))
ORDER BY n.tenant_id ON CONFLICT DO NOTHING";

// One statement, because each round trip of the sealer is a wait of every entry behind it.
const SEAL: &str = "
WITH linked AS (
    INSERT INTO stockade.audit_link (tenant_id, seq, entry_id, prev, leaf, hash)
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bytea[], $5::bytea[], $6::bytea[])
), forgotten AS (
    DELETE FROM stockade.audit_unsealed WHERE position = ANY ($7)
), moved AS (
    UPDATE stockade.audit_head h SET seq = n.seq, hash = n.hash
    FROM unnest($8::uuid[], $9::bigint[], $10::bytea[], $11::bytea[]) AS n (tenant_id, seq, hash, old_hash)
    WHERE h.tenant_id = n.tenant_id AND h.hash = n.old_hash
    RETURNING h.tenant_id
)
SELECT count(*) FROM moved";

pub(super) type Heads = BTreeMap<TenantId, Head>;

/// The heads of these tenants that nobody else has locked. Begins the chains that do not exist.
pub(super) async fn lock_heads(tx: &mut PgConnection, tenants: impl Iterator<Item = TenantId>) -> Result<Heads, Error> {
    let mut wanted: BTreeSet<TenantId> = tenants.collect();
    let mut heads = read_heads(tx, LOCK_FREE_HEADS, &wanted).await?;
    wanted.retain(|tenant| !heads.contains_key(tenant));
    if !wanted.is_empty() {
        let begun = wanted.iter().map(|tenant| ChainId::random().map(|chain| Head::genesis(*tenant, chain)));
        let begun = begun.collect::<Result<Vec<_>, _>>()?;
        sqlx::query(BEGIN_CHAINS)
            .bind(column(&begun, |head| Uuid::from(head.tenant)))
            .bind(column(&begun, |head| *head.chain.as_uuid()))
            .bind(column(&begun, |head| head.hash.as_bytes().to_vec()))
            .execute(&mut *tx)
            .await?;
        heads.extend(read_heads(tx, LOCK_FREE_HEADS, &wanted).await?);
    }
    Ok(heads)
}

async fn read_heads(tx: &mut PgConnection, lock: &'static str, tenants: &BTreeSet<TenantId>) -> Result<Heads, Error> {
    let ids: Vec<Uuid> = tenants.iter().copied().map(Uuid::from).collect();
    let rows: Vec<(Uuid, Uuid, i64, Vec<u8>)> = sqlx::query_as(lock).bind(ids).fetch_all(tx).await?;
    rows.into_iter().map(|row| head(row).map(|head| (head.tenant, head))).collect()
}

pub(in crate::postgres) fn head((tenant, chain, seq, hash): (Uuid, Uuid, i64, Vec<u8>)) -> Result<Head, Error> {
    Head::stored(tenant, chain, seq, &hash)
}

/// Writes the links, empties the queue of these positions, and moves every head from exactly where it was. A head that is
/// elsewhere by now makes the whole batch fail.
pub(super) async fn seal(
    tx: &mut PgConnection,
    links: &[Link],
    positions: &[i64],
    (old, new): (&Heads, &Heads),
) -> Result<(), Error> {
    let moves = new.values().filter_map(|new| Some((new, old.get(&new.tenant)?)));
    let moves: Vec<_> = moves.filter(|(new, old)| new.seq > old.seq).collect();
    let moved: i64 = sqlx::query_scalar(SEAL)
        .bind(column(links, |link| Uuid::from(link.tenant)))
        .bind(column(links, |link| link.seq.cast_signed()))
        .bind(column(links, |link| link.entry_id))
        .bind(column(links, |link| link.prev.as_bytes().to_vec()))
        .bind(column(links, |link| link.leaf.as_bytes().to_vec()))
        .bind(column(links, |link| link.hash.as_bytes().to_vec()))
        .bind(positions)
        .bind(column(&moves, |(new, _)| Uuid::from(new.tenant)))
        .bind(column(&moves, |(new, _)| new.seq.cast_signed()))
        .bind(column(&moves, |(new, _)| new.hash.as_bytes().to_vec()))
        .bind(column(&moves, |(_, old)| old.hash.as_bytes().to_vec()))
        .fetch_one(tx)
        .await?;
    if moved.unsigned_abs() == moves.len() as u64 { Ok(()) } else { Err(Repr::Contended.into()) }
}

fn column<T, U>(rows: &[T], value: impl Fn(&T) -> U) -> Vec<U> {
    rows.iter().map(value).collect()
}

/// The head of one tenant, for which it waits as long as the transaction's `lock_timeout` says. Begins no chain.
pub(super) async fn wait_for_head(tx: &mut PgConnection, tenant: TenantId) -> Result<Heads, Error> {
    read_heads(tx, LOCK_HEADS, &BTreeSet::from([tenant])).await
}
