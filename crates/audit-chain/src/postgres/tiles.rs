//! Tiles and the proofs that are read from them.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use sqlx::{Executor, PgExecutor, Postgres};
use uuid::Uuid;

use crate::{ConsistencyProof, Digest, Error, Frontier, InclusionProof, Node, TenantId, Tile, error::Repr};

// So many tiles are 16384 links, which a call reads in well under a second.
const AT_ONCE: i32 = 64;

const TILES: &str = "
SELECT t.level, t.place, t.hashes FROM stockade.audit_tile t
JOIN unnest($2::smallint[], $3::bigint[]) AS n (level, place) ON n.level = t.level AND n.place = t.place
WHERE t.tenant_id = $1";

const ROOTS: &str = "
SELECT t.level, t.place, t.root FROM stockade.audit_tile t
JOIN unnest($2::smallint[], $3::bigint[]) AS n (level, place) ON n.level = t.level AND n.place = t.place
WHERE t.tenant_id = $1";

const ROOTS_BELOW: &str = "
SELECT t.place, t.root FROM stockade.audit_tile t
WHERE t.tenant_id = $1 AND t.level = $2 AND t.place >= $3 AND t.place < $4 ORDER BY t.place";

const LEAVES: &str = "
SELECT l.seq, l.leaf FROM stockade.audit_link l
WHERE l.tenant_id = $1 AND l.seq > $2 AND l.seq <= $3 ORDER BY l.seq LIMIT 4096";

/// Stores the full tiles of a tenant's tree that its links fill by now, and says how many there were to store. Needs
/// `stockade_sealer` or `stockade_checkpointer`.
///
/// Proofs hold without it; with it they read a number of rows that grows with the logarithm of the log. The
/// checkpointer calls it; calling it again, or from many places at once, changes nothing.
///
/// # Errors
/// [`Refused`](crate::ErrorKind::Refused) without the role, and the errors of the connection.
pub async fn complete_tiles<E>(executor: &mut E, tenant: TenantId) -> Result<u64, Error>
where
    E: ?Sized,
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    let mut stored = 0;
    loop {
        let call = sqlx::query_scalar("SELECT stockade.audit_complete_tiles($1, $2)");
        let written: i32 = call.bind(Uuid::from(tenant)).bind(AT_ONCE).fetch_one(&mut *executor).await?;
        stored += u64::from(written.unsigned_abs());
        if written < AT_ONCE {
            return Ok(stored);
        }
    }
}

/// The right edge, and so the [root](Frontier::root), of the tree over a tenant's first `size` entries.
///
/// # Errors
/// [`Malformed`](crate::ErrorKind::Malformed) if the connection sees no such entries, and the errors of the connection.
pub async fn tree<E>(executor: &mut E, tenant: TenantId, size: u64) -> Result<Frontier, Error>
where
    E: ?Sized,
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    let hashes = Hashes::read(executor, tenant, size, Frontier::nodes(size).collect()).await?;
    Frontier::from_nodes(size, |node| hashes.hash(node))
}

/// The proof that entry `seq` is in the tree over a tenant's first `size` entries. The entry's own leaf is not part of it.
///
/// Made from what is stored; whether it holds is for [`InclusionProof::verify`] against a signed root to say.
///
/// # Errors
/// [`Malformed`](crate::ErrorKind::Malformed) if there is no such entry in a tree of this size, or the connection does not
/// see it, and the errors of the connection.
pub async fn prove_inclusion<E>(
    executor: &mut E,
    tenant: TenantId,
    seq: u64,
    size: u64,
) -> Result<InclusionProof, Error>
where
    E: ?Sized,
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    let index = seq.checked_sub(1).ok_or(Repr::Malformed("entries are counted from 1"))?;
    let hashes = Hashes::read(executor, tenant, size, InclusionProof::nodes(index, size)?).await?;
    InclusionProof::new(index, size, |node| hashes.hash(node))
}

/// The proof that the tree over a tenant's first `old` entries is the beginning of the one over its first `new`.
///
/// # Errors
/// As [`prove_inclusion`].
pub async fn prove_consistency<E>(
    executor: &mut E,
    tenant: TenantId,
    old: u64,
    new: u64,
) -> Result<ConsistencyProof, Error>
where
    E: ?Sized,
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    let hashes = Hashes::read(executor, tenant, new, ConsistencyProof::nodes(old, new)?).await?;
    ConsistencyProof::new(old, new, |node| hashes.hash(node))
}

/// What a proof is made of, as far as it was read.
struct Hashes {
    tiles: BTreeMap<Tile, Vec<Digest>>,
    roots: BTreeMap<Tile, Digest>,
}

impl Hashes {
    /// Reads what these nodes of a tree of `size` leaves are computed from.
    async fn read<E>(executor: &mut E, tenant: TenantId, size: u64, nodes: Vec<Node>) -> Result<Self, Error>
    where
        E: ?Sized,
        for<'c> &'c mut E: Executor<'c, Database = Postgres>,
    {
        let roots: BTreeSet<Tile> = nodes.iter().filter_map(|node| rooted(*node)).collect();
        let tiles: BTreeSet<Tile> =
            nodes.iter().filter(|node| rooted(**node).is_none()).map(|node| Tile::of(*node)).collect();
        let mut read = Self { tiles: BTreeMap::new(), roots: BTreeMap::new() };
        for (tile, hash) in rows(&mut *executor, ROOTS, tenant, &roots).await? {
            read.roots.insert(tile, Digest::try_from(hash.as_slice())?);
        }
        for (tile, hashes) in rows(&mut *executor, TILES, tenant, &tiles).await? {
            let hashes = hashes.as_chunks::<32>().0.iter().map(|hash| Digest::from(*hash)).collect();
            read.tiles.insert(tile, hashes);
        }
        // The right edge, and whatever has no tile yet.
        for tile in roots {
            if let Entry::Vacant(root) = read.roots.entry(tile) {
                root.insert(subtree(&mut *executor, tenant, tile.root()).await?);
            }
        }
        for tile in tiles {
            if let Entry::Vacant(hashes) = read.tiles.entry(tile) {
                hashes.insert(edge(&mut *executor, tenant, tile, size).await?);
            }
        }
        Ok(read)
    }

    fn hash(&self, node: Node) -> Result<Digest, Error> {
        let missing = || Error::from(Repr::Malformed("the log has no such entries"));
        match rooted(node) {
            Some(tile) => self.roots.get(&tile).copied().ok_or_else(missing),
            None => {
                let tile = Tile::of(node);
                tile.hash(self.tiles.get(&tile).ok_or_else(missing)?, node)
            }
        }
    }
}

/// The tile that this node is the root of, whose row has the hash by itself.
const fn rooted(node: Node) -> Option<Tile> {
    if node.level == 0 || !node.level.is_multiple_of(8) {
        return None;
    }
    Some(Tile { level: node.level / 8 - 1, index: node.index })
}

async fn rows<'e>(
    executor: impl PgExecutor<'e>,
    sql: &'static str,
    tenant: TenantId,
    tiles: &BTreeSet<Tile>,
) -> Result<Vec<(Tile, Vec<u8>)>, Error> {
    if tiles.is_empty() {
        return Ok(Vec::new());
    }
    let levels: Vec<i16> = tiles.iter().map(|tile| tile.level.into()).collect();
    let places: Vec<i64> = tiles.iter().map(|tile| tile.index.cast_signed()).collect();
    let found = sqlx::query_as::<_, (i16, i64, Vec<u8>)>(sql).bind(Uuid::from(tenant)).bind(levels).bind(places);
    let tile = |level: i16, place: i64| Tile { level: level.to_le_bytes()[0], index: place.cast_unsigned() };
    Ok(found.fetch_all(executor).await?.into_iter().map(|(level, place, hash)| (tile(level, place), hash)).collect())
}

/// The hashes that a tile at the right edge of a tree of `size` leaves has so far.
async fn edge<E>(executor: &mut E, tenant: TenantId, tile: Tile, size: u64) -> Result<Vec<Digest>, Error>
where
    E: ?Sized,
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    let Node { level, index: first } = tile.first();
    let end = (size >> level).min(first.saturating_add(Tile::WIDTH as u64));
    if level == 0 {
        let mut hashes = Vec::new();
        for_leaves(executor, tenant, first, end, |leaf| hashes.push(leaf)).await?;
        return Ok(hashes);
    }
    let below =
        sqlx::query_as::<_, (i64, Vec<u8>)>(ROOTS_BELOW).bind(Uuid::from(tenant)).bind(i16::from(tile.level) - 1);
    let below = below.bind(first.cast_signed()).bind(end.cast_signed()).fetch_all(&mut *executor).await?;
    let below: BTreeMap<i64, Vec<u8>> = below.into_iter().collect();
    let mut hashes = Vec::new();
    for index in first..end {
        hashes.push(match below.get(&index.cast_signed()) {
            Some(root) => Digest::try_from(root.as_slice())?,
            None => subtree(&mut *executor, tenant, Node { level, index }).await?,
        });
    }
    Ok(hashes)
}

/// The hash of a node, from the leaves below it.
async fn subtree<E>(executor: &mut E, tenant: TenantId, node: Node) -> Result<Digest, Error>
where
    E: ?Sized,
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    let mut tree = Frontier::new();
    let mut full = Ok(());
    let (start, end) = (node.index << node.level, (node.index + 1) << node.level);
    for_leaves(executor, tenant, start, end, |leaf| full = std::mem::replace(&mut full, Ok(())).and(tree.push(leaf)))
        .await?;
    full.map(|()| tree.root())
}

/// Hands over the leaves from `start` up to, but not including, `end`, every one of which must be there.
async fn for_leaves<E>(
    executor: &mut E,
    tenant: TenantId,
    mut start: u64,
    end: u64,
    mut leaf: impl FnMut(Digest),
) -> Result<(), Error>
where
    E: ?Sized,
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    while start < end {
        let page = sqlx::query_as::<_, (i64, Vec<u8>)>(LEAVES).bind(Uuid::from(tenant));
        let page = page.bind(start.cast_signed()).bind(end.cast_signed()).fetch_all(&mut *executor).await?;
        if page.is_empty() {
            return Err(Repr::Malformed("the log has no such entries").into());
        }
        for (seq, hash) in page {
            start += 1;
            if seq.cast_unsigned() != start {
                return Err(Repr::Malformed("the log has no such entries").into());
            }
            leaf(Digest::try_from(hash.as_slice())?);
        }
    }
    Ok(())
}
