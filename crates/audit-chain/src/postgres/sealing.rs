//! Sealing: what has been committed gets its number and its link.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    num::NonZeroU32,
};

use sqlx::{Connection as _, PgConnection, Postgres, Row as _, Transaction, postgres::PgRow};
use uuid::Uuid;

use super::columns::{self, entry_columns};
use crate::{ChainId, Digest, Error, Finding, Head, Link, TenantId, Verdict, error::Repr, format};

/// Gives committed entries their place in the chain. Any number of replicas may run one, in a loop.
///
/// What keeps the chain whole is not who runs it: the heads are moved by compare-and-swap, and a
/// second link with the same number or the same predecessor violates a unique constraint.
/// [`Leadership`] only keeps sealers from getting in each other's way.
#[derive(Clone, Debug)]
pub struct Sealer {
    batch: NonZeroU32,
    leadership: Leadership,
}

/// Whether sealers take turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Leadership {
    /// One sealer works at a time, held by an advisory lock of the database for the length of a
    /// batch. The others return at once. An entry that was committed before another was recorded
    /// gets the lower number. The default.
    #[default]
    AdvisoryLock,
    /// Sealers work side by side on different parts of the queue. The numbers of entries that were
    /// recorded at about the same time may then be swapped.
    None,
}

/// What a call of [`Sealer::seal_pending`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sealed {
    /// How many entries got their link.
    pub entries: u64,
    /// Entries that were not what had been recorded, or could not be read. They are sealed as
    /// recorded, so that every verification finds them; somebody should look now.
    pub verdicts: Vec<Verdict>,
    /// Whether the call stopped because another sealer was at work.
    pub standby: bool,
}

// An arbitrary constant: the first eight bytes of SHA-256("stockade.audit_chain.sealer").
const LOCK: i64 = i64::from_be_bytes([0x46, 0x3c, 0x65, 0x0c, 0x8e, 0xf7, 0x37, 0xc8]);

// A queue row without an entry stays where it is: it is what remains of an entry that was removed
// before it was sealed.
const TAKE: &str = concat!(
    "SELECT q.position, q.entry_id AS queued_id, q.tenant_id AS queued_tenant,
        EXISTS (SELECT FROM stockade.audit_link l WHERE l.entry_id = q.entry_id) AS linked, ",
    entry_columns!(),
    " FROM stockade.audit_unsealed q
    JOIN stockade.audit_entry e ON e.entry_id = q.entry_id AND e.tenant_id = q.tenant_id
    ORDER BY q.position LIMIT $1
    FOR UPDATE OF q SKIP LOCKED"
);

const LOCK_HEADS: &str = "
SELECT h.tenant_id, h.chain_id, h.seq, h.hash FROM stockade.audit_head h
WHERE h.tenant_id = ANY ($1) ORDER BY h.tenant_id FOR UPDATE";

const BEGIN_CHAINS: &str = "
INSERT INTO stockade.audit_head (tenant_id, chain_id, seq, hash)
SELECT n.tenant_id, n.chain_id, 0, n.hash
FROM unnest($1::uuid[], $2::uuid[], $3::bytea[]) AS n (tenant_id, chain_id, hash)
ORDER BY n.tenant_id ON CONFLICT DO NOTHING";

const LINK: &str = "
INSERT INTO stockade.audit_link (tenant_id, seq, entry_id, prev, leaf, hash)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bytea[], $5::bytea[], $6::bytea[])";

const MOVE_HEADS: &str = "
UPDATE stockade.audit_head h SET seq = n.seq, hash = n.hash
FROM unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::bytea[]) AS n (tenant_id, seq, hash, old_hash)
WHERE h.tenant_id = n.tenant_id AND h.hash = n.old_hash";

const FORGET: &str = "DELETE FROM stockade.audit_unsealed WHERE position = ANY ($1)";

impl Sealer {
    /// A sealer that takes 500 entries at a time and waits for no other.
    #[must_use]
    pub fn new() -> Self {
        Self { batch: const { NonZeroU32::new(500).unwrap() }, leadership: Leadership::default() }
    }

    /// How many entries to seal in one transaction.
    #[must_use]
    pub const fn batch(mut self, entries: NonZeroU32) -> Self {
        self.batch = entries;
        self
    }

    /// Whether sealers take turns.
    #[must_use]
    pub const fn leadership(mut self, leadership: Leadership) -> Self {
        self.leadership = leadership;
        self
    }

    /// Seals what is waiting, in batches of one short transaction each, and returns when a batch
    /// was not full.
    ///
    /// Needs a connection in the role group `stockade_sealer` that is in no transaction. May be
    /// dropped at any point: a batch is sealed whole or not at all.
    ///
    /// # Errors
    /// [`Contended`](crate::ErrorKind::Contended) if another sealer moved a head first,
    /// [`Refused`](crate::ErrorKind::Refused) without the role, and the errors of the connection.
    /// Batches before the failed one stay sealed.
    pub async fn seal_pending(&self, connection: &mut PgConnection) -> Result<Sealed, Error> {
        let mut sealed = Sealed::default();
        loop {
            // Under a stricter level, which a role or database can set as default, a sealer that
            // waited for another would always fail.
            let tx = connection.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
            if !self.seal_batch(tx, &mut sealed).await? {
                return Ok(sealed);
            }
        }
    }

    /// Seals one batch and says whether there may be more.
    async fn seal_batch(&self, mut tx: Transaction<'_, Postgres>, sealed: &mut Sealed) -> Result<bool, Error> {
        if self.leadership == Leadership::AdvisoryLock {
            let lock = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)");
            if !lock.bind(LOCK).fetch_one(&mut *tx).await? {
                sealed.standby = true;
                return Ok(false);
            }
        }
        let rows = sqlx::query(TAKE).bind(i64::from(self.batch.get())).fetch_all(&mut *tx).await?;
        let queue = rows.iter().map(Queued::read).collect::<Result<Vec<_>, sqlx::Error>>()?;
        let positions: Vec<i64> = queue.iter().map(|queued| queued.position).collect();
        let mut seen = HashSet::new();
        // An id can be queued again by anyone who may record; it is linked once.
        let fresh: Vec<_> = queue.into_iter().filter(|queued| !queued.linked && seen.insert(queued.entry_id)).collect();

        let mut heads = lock_heads(&mut tx, fresh.iter().map(|queued| queued.tenant)).await?;
        let old = heads.clone();
        let mut links = Vec::with_capacity(fresh.len());
        let mut verdicts = Vec::new();
        for queued in fresh {
            let head = heads.get_mut(&queued.tenant).ok_or(Repr::Contended)?;
            let link = head.append(queued.entry_id, queued.leaf)?;
            let verdict =
                |finding| Verdict { tenant: link.tenant, seq: Some(link.seq), entry_id: Some(link.entry_id), finding };
            verdicts.extend(queued.finding.map(verdict));
            links.push(link);
        }
        if !links.is_empty() {
            write_links(&mut tx, &links).await?;
            move_heads(&mut tx, &old, &heads).await?;
        }
        if !positions.is_empty() {
            sqlx::query(FORGET).bind(&positions).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        sealed.entries += links.len() as u64;
        sealed.verdicts.extend(verdicts);
        Ok(u32::try_from(positions.len()).is_ok_and(|taken| taken == self.batch.get()))
    }
}

impl Default for Sealer {
    fn default() -> Self {
        Self::new()
    }
}

/// A row of the queue with the entry it names.
struct Queued {
    position: i64,
    tenant: TenantId,
    entry_id: Uuid,
    leaf: Digest,
    linked: bool,
    finding: Option<Finding>,
}

impl Queued {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
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
        Ok(Self {
            position: row.try_get("position")?,
            tenant: row.try_get::<Uuid, _>("queued_tenant")?.into(),
            entry_id: row.try_get("queued_id")?,
            leaf,
            linked: row.try_get("linked")?,
            finding,
        })
    }
}

type Heads = BTreeMap<TenantId, Head>;

/// The heads of these tenants, locked in the order of the tenants so that two sealers cannot wait
/// for each other. Begins the chains that do not exist.
async fn lock_heads(tx: &mut PgConnection, tenants: impl Iterator<Item = TenantId>) -> Result<Heads, Error> {
    let mut wanted: BTreeSet<TenantId> = tenants.collect();
    let mut heads = read_heads(tx, &wanted).await?;
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
        heads.extend(read_heads(tx, &wanted).await?);
    }
    Ok(heads)
}

async fn read_heads(tx: &mut PgConnection, tenants: &BTreeSet<TenantId>) -> Result<Heads, Error> {
    let ids: Vec<Uuid> = tenants.iter().copied().map(Uuid::from).collect();
    let rows: Vec<(Uuid, Uuid, i64, Vec<u8>)> = sqlx::query_as(LOCK_HEADS).bind(ids).fetch_all(tx).await?;
    rows.into_iter().map(|row| head(row).map(|head| (head.tenant, head))).collect()
}

pub(super) fn head((tenant, chain, seq, hash): (Uuid, Uuid, i64, Vec<u8>)) -> Result<Head, Error> {
    let seq = u64::try_from(seq).map_err(|_| Repr::Malformed("a stored head has a negative number"))?;
    let hash = Digest::try_from(hash.as_slice())?;
    Ok(Head { tenant: tenant.into(), chain: ChainId::from(chain), seq, hash })
}

async fn write_links(tx: &mut PgConnection, links: &[Link]) -> Result<(), Error> {
    sqlx::query(LINK)
        .bind(column(links, |link| Uuid::from(link.tenant)))
        .bind(column(links, |link| link.seq.cast_signed()))
        .bind(column(links, |link| link.entry_id))
        .bind(column(links, |link| link.prev.as_bytes().to_vec()))
        .bind(column(links, |link| link.leaf.as_bytes().to_vec()))
        .bind(column(links, |link| link.hash.as_bytes().to_vec()))
        .execute(tx)
        .await?;
    Ok(())
}

/// Moves every head from exactly where it was. A head that is elsewhere by now makes the whole
/// batch fail.
async fn move_heads(tx: &mut PgConnection, old: &Heads, new: &Heads) -> Result<(), Error> {
    let moves: Vec<_> = new.values().zip(old.values()).collect();
    let moved = sqlx::query(MOVE_HEADS)
        .bind(column(&moves, |(new, _)| Uuid::from(new.tenant)))
        .bind(column(&moves, |(new, _)| new.seq.cast_signed()))
        .bind(column(&moves, |(new, _)| new.hash.as_bytes().to_vec()))
        .bind(column(&moves, |(_, old)| old.hash.as_bytes().to_vec()))
        .execute(tx)
        .await?;
    if moved.rows_affected() == moves.len() as u64 { Ok(()) } else { Err(Repr::Contended.into()) }
}

fn column<T, U>(rows: &[T], value: impl Fn(&T) -> U) -> Vec<U> {
    rows.iter().map(value).collect()
}
