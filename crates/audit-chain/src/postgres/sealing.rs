//! Sealing: what has been committed gets its number and its link.

use std::{
    collections::{BTreeSet, HashSet},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::Utc;
use sqlx::{Connection as _, PgConnection, Postgres, Transaction};
use uuid::Uuid;

#[cfg(feature = "checkpoint")]
pub(super) use self::heads::head;
use self::{
    heads::{Heads, lock_heads, wait_for_head},
    queue::Queued,
};
use crate::{Error, TenantId, Verdict, error::Repr};

mod heads;
mod queue;
mod running;

pub use running::{SealEvent, SealLag, lag};

/// Gives committed entries their place in the chain. Any number of replicas may run one, in a loop.
///
/// What keeps the chain whole is not who runs it: the heads are moved by compare-and-swap, and a
/// second link with the same number or the same predecessor violates a unique constraint.
/// [`Leadership`] only keeps sealers from getting in each other's way.
#[derive(Clone, Debug)]
pub struct Sealer {
    batch: NonZeroU32,
    leadership: Leadership,
    /// The hour, since 1970, in which partitions were last looked after.
    tended: Arc<AtomicI64>,
    poll: Duration,
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
    /// Tenants whose entries wait because a strict transaction of the application holds the head.
    pub busy: Vec<TenantId>,
}

// An arbitrary constant: the first eight bytes of SHA-256("stockade.audit_chain.sealer").
const LOCK: i64 = i64::from_be_bytes([0x46, 0x3c, 0x65, 0x0c, 0x8e, 0xf7, 0x37, 0xc8]);

// Under a stricter level, which a role or database can set as default, a sealer that waited for another would always fail. Compiling a
// statement that may look into each month takes longer than a batch.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL jit = off";

// How long the sealer waits for one tenant's head. Not by `set_config`, which a hardened database gives to nobody.
const PATIENCE: &str = "SET LOCAL lock_timeout = '100ms'";

const MAKE_PARTITIONS: &str = "SELECT stockade.audit_make_partitions()";

impl Sealer {
    /// A sealer that takes 500 entries at a time and waits for no other.
    #[must_use]
    pub fn new() -> Self {
        Self {
            batch: const { NonZeroU32::new(500).unwrap() },
            leadership: Leadership::default(),
            tended: Arc::default(),
            poll: Duration::from_millis(20),
        }
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

    /// How long [`run`](Self::run) waits between two looks at an empty queue: 20 ms, unless told otherwise. An entry
    /// waits for about this long at most while the sealer keeps up.
    #[must_use]
    pub const fn poll(mut self, interval: Duration) -> Self {
        self.poll = interval;
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
        self.tend_partitions(connection).await?;
        while self.seal_batch(connection, &mut sealed).await? {}
        for tenant in std::mem::take(&mut sealed.busy) {
            self.seal_busy(connection, tenant, &mut sealed).await?;
        }
        Ok(sealed)
    }

    /// Seals one batch and says whether there may be more. Tenants whose head is held are added to
    /// `sealed.busy` and left alone.
    pub(super) async fn seal_batch(&self, connection: &mut PgConnection, sealed: &mut Sealed) -> Result<bool, Error> {
        let Some(mut tx) = self.begin(connection).await? else {
            sealed.standby = true;
            return Ok(false);
        };
        let busy: Vec<Uuid> = sealed.busy.iter().copied().map(Uuid::from).collect();
        let (queue, full) = queue::take(&mut tx, self.batch, &busy, None).await?;
        if queue.is_empty() {
            tx.rollback().await?;
            return Ok(false);
        }
        let heads = lock_heads(&mut tx, queue.iter().map(|queued| queued.tenant)).await?;
        let held: BTreeSet<_> =
            queue.iter().map(|queued| queued.tenant).filter(|tenant| !heads.contains_key(tenant)).collect();
        let more = full || !held.is_empty();
        write(tx, heads, queue, sealed).await?;
        sealed.busy.extend(held);
        Ok(more)
    }

    /// Seals one batch of a tenant whose head was held, and waits for it a little: whoever records
    /// strictly all the time would otherwise always be first.
    pub(super) async fn seal_busy(
        &self,
        connection: &mut PgConnection,
        tenant: TenantId,
        sealed: &mut Sealed,
    ) -> Result<(), Error> {
        let Some(mut tx) = self.begin(connection).await? else {
            sealed.standby = true;
            return Ok(());
        };
        sqlx::raw_sql(PATIENCE).execute(&mut *tx).await?;
        let (queue, _) = queue::take(&mut tx, self.batch, &[], Some(tenant.into())).await?;
        match wait_for_head(&mut tx, tenant).await {
            Ok(heads) if heads.contains_key(&tenant) => write(tx, heads, queue, sealed).await,
            Err(error) if !error.is_lock_timeout() => Err(error),
            _ => {
                tx.rollback().await?;
                sealed.busy.push(tenant);
                Ok(())
            }
        }
    }

    /// Makes the partitions of the coming months, once an hour. If a long transaction is in the way, that can wait.
    pub(super) async fn tend_partitions(&self, connection: &mut PgConnection) -> Result<(), Error> {
        let hour = Utc::now().timestamp() / 3_600;
        if self.tended.swap(hour, Ordering::Relaxed) == hour {
            return Ok(());
        }
        match sqlx::query(MAKE_PARTITIONS).execute(connection).await.map_err(Error::from) {
            Err(error) if !error.is_retryable() => Err(error),
            _ => Ok(()),
        }
    }

    /// Begins a transaction, unless another sealer is at work.
    async fn begin<'c>(&self, connection: &'c mut PgConnection) -> Result<Option<Transaction<'c, Postgres>>, Error> {
        let mut tx = connection.begin_with(BEGIN).await?;
        if self.leadership == Leadership::AdvisoryLock {
            let lock = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)");
            if !lock.bind(LOCK).fetch_one(&mut *tx).await? {
                tx.rollback().await?;
                return Ok(None);
            }
        }
        Ok(Some(tx))
    }
}

/// Links what was taken to the locked heads, and empties the queue of it. What has no head here stays.
async fn write(
    mut tx: Transaction<'_, Postgres>,
    mut heads: Heads,
    queue: Vec<Queued>,
    sealed: &mut Sealed,
) -> Result<(), Error> {
    let queue: Vec<_> = queue.into_iter().filter(|queued| heads.contains_key(&queued.tenant)).collect();
    let positions: Vec<i64> = queue.iter().map(|queued| queued.position).collect();
    let old = heads.clone();
    let (mut links, mut verdicts, mut seen) = (Vec::with_capacity(queue.len()), Vec::new(), HashSet::new());
    for queued in queue {
        // An id can be queued again by anyone who may record; it is linked once.
        if queued.linked || !seen.insert(queued.entry_id) {
            continue;
        }
        let head = heads.get_mut(&queued.tenant).ok_or(Repr::Contended)?;
        let link = head.append(queued.entry_id, queued.leaf)?;
        let verdict =
            |finding| Verdict { tenant: link.tenant, seq: Some(link.seq), entry_id: Some(link.entry_id), finding };
        verdicts.extend(queued.finding.map(verdict));
        links.push(link);
    }
    heads::seal(&mut tx, &links, &positions, (&old, &heads)).await?;
    tx.commit().await?;
    sealed.entries += links.len() as u64;
    sealed.verdicts.extend(verdicts);
    Ok(())
}

impl Default for Sealer {
    fn default() -> Self {
        Self::new()
    }
}
