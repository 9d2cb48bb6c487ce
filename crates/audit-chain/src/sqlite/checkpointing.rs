//! Checkpointing: the heads of all tenants, compared with what was signed before, signed and published.

use sqlx::{Connection as _, Row as _, SqliteConnection};
use uuid::Uuid;

use crate::{
    Anchor, Digest, Error, Head, Publication, Signer, Snapshot, TenantHead,
    error::Repr,
    store::checkpointing::{Checkpointing, Following, Refusal, RefusalReason, compare, conclude, continues},
};

/// Signs where every tenant's chain ends, after comparing it with what was signed before. Several processes may run one.
///
/// The comparison rests on the [`Anchor`]'s copy, which has to lie where whoever can write the file cannot write: every chain
/// must go on from exactly what the last publication says. There is no acceptance of a restored file: an older copy in
/// the file's place is what a checkpoint is there to find. Begin anew, under another name of the key and with another anchor.
#[derive(Debug)]
pub struct Checkpointer<S> {
    signer: S,
}

const LATEST: &str = "SELECT c.publication FROM main.stockade_audit_checkpoint c ORDER BY c.size DESC LIMIT 1";

// Unless somebody else has stored one since.
const STORE: &str = "
INSERT INTO main.stockade_audit_checkpoint (size, publication)
SELECT ?1, ?2 WHERE (SELECT coalesce(max(c.size), 0) FROM main.stockade_audit_checkpoint c) = ?3";

const HEADS: &str = "
SELECT h.tenant_id, h.chain_id, h.seq, h.hash FROM main.stockade_audit_head h ORDER BY h.tenant_id";

const LINKS: &str = "
SELECT l.seq, l.entry_id, l.prev, l.leaf, l.hash FROM main.stockade_audit_link l
WHERE l.tenant_id = ?1 AND l.seq > ?2 AND l.seq <= ?3 ORDER BY l.seq LIMIT 1024";

impl<S: Signer + Sync> Checkpointer<S> {
    /// A checkpointer of the log that is named like the signer's key.
    #[must_use]
    pub const fn new(signer: S) -> Self {
        Self { signer }
    }

    /// Compares all chains with the anchor's last publication, signs where they end now, stores the checkpoint and publishes
    /// it. Needs a connection that is in no transaction, and holds no lock while it signs and publishes.
    ///
    /// Reads every link of each tenant that has new ones, because a file has no tiles. A checkpoint is stored before it is published: if
    /// publishing fails, or the process ends before it, the next call publishes the same bytes. Use `PRAGMA synchronous = FULL`, or a loss of
    /// power can take back entries that are signed, which the next call refuses.
    ///
    /// # Errors
    /// [`Anchor`](crate::ErrorKind::Anchor) if the anchor cannot be read or written, [`Signing`](crate::ErrorKind::Signing) if
    /// the signer fails, [`Refused`](crate::ErrorKind::Refused) inside a transaction, and the errors of the connection.
    pub async fn checkpoint(
        &self,
        connection: &mut SqliteConnection,
        anchor: &(impl Anchor + Sync),
    ) -> Result<Checkpointing, Error> {
        if connection.is_in_transaction() {
            return Err(Repr::Savepoint.into());
        }
        let anchored = anchor.fetch_latest().await.map_err(Repr::Anchor)?;
        let stored = stored_checkpoint(&mut *connection).await?;
        let previous = match continues(self.signer.key(), anchored.as_ref(), stored.as_ref()) {
            Ok(previous) => previous,
            Err(reason) => return Ok(Checkpointing::Refused(vec![Refusal { tenant: None, reason }])),
        };
        if let Some(pending) = previous.filter(|previous| Some(*previous) != anchored.as_ref()) {
            anchor.publish(pending).await.map_err(Repr::Anchor)?;
        }
        let before = previous.map_or_else(Snapshot::default, |previous| previous.snapshot().clone());
        let snapshot = match advance_all(connection, &before).await? {
            Ok(snapshot) => snapshot,
            Err(refusals) => return Ok(Checkpointing::Refused(refusals)),
        };
        if let Some(previous) = previous.filter(|_| snapshot == before) {
            return Ok(Checkpointing::Unchanged(previous.clone()));
        }
        let publication = Publication::sign(previous, snapshot, &self.signer).await?;
        let number = |publication: &Publication| i64::try_from(publication.size()).unwrap_or(i64::MAX);
        let store = sqlx::query(STORE).bind(number(&publication)).bind(publication.to_string());
        let store = store.bind(stored.as_ref().map_or(0, number)).execute(connection).await?;
        if store.rows_affected() == 0 {
            return Ok(Checkpointing::Standby);
        }
        anchor.publish(&publication).await.map_err(Repr::Anchor)?;
        Ok(Checkpointing::Published(publication))
    }
}

/// The last checkpoint as it is stored; `None` if there is none. Whether anybody signed it, and it says what was signed, is for
/// [`Publication::open`] to say.
///
/// # Errors
/// [`Malformed`](crate::ErrorKind::Malformed) if what is stored is no checkpoint, and the errors of the connection.
pub async fn stored_checkpoint(connection: &mut SqliteConnection) -> Result<Option<Publication>, Error> {
    let latest: Option<String> = sqlx::query_scalar(LATEST).fetch_optional(connection).await?;
    latest.map(|text| text.parse()).transpose()
}

/// The heads of all tenants, each of which continues what `before` says, or everything that does not.
async fn advance_all(
    connection: &mut SqliteConnection,
    before: &Snapshot,
) -> Result<Result<Snapshot, Vec<Refusal>>, Error> {
    let mut moment = connection.begin().await?;
    let heads = follow_all(&mut moment, before).await;
    // Nothing was written; dropped, it would be in the way of the connection's next use.
    moment.rollback().await?;
    let (heads, refusals) = heads?;
    conclude(before, heads, refusals)
}

async fn follow_all(
    moment: &mut SqliteConnection,
    before: &Snapshot,
) -> Result<(Vec<TenantHead>, Vec<Refusal>), Error> {
    let (mut heads, mut refusals) = (Vec::new(), Vec::new());
    let rows: Vec<(Uuid, Uuid, i64, Vec<u8>)> = sqlx::query_as(HEADS).fetch_all(&mut *moment).await?;
    for (tenant, chain, seq, hash) in rows {
        let now = Head::stored(tenant, chain, seq, &hash)?;
        let old = before.head(now.tenant);
        let advanced = match old.and_then(|old| compare(old, now)) {
            Some(said) => said,
            None => follow(&mut *moment, old, now).await?,
        };
        match advanced {
            Ok(head) => heads.push(head),
            Err(reason) => refusals.push(Refusal { tenant: Some(now.tenant), reason }),
        }
    }
    Ok((heads, refusals))
}

/// Follows a chain from its beginning, past its signed head, to its stored head.
async fn follow(
    connection: &mut SqliteConnection,
    old: Option<&TenantHead>,
    now: Head,
) -> Result<Result<TenantHead, RefusalReason>, Error> {
    let (mut way, kept) = (Following::from_genesis(now), old.map_or(0, |old| old.head.seq));
    let broken = |seq| if seq > kept { RefusalReason::Broken { seq } } else { RefusalReason::TreeAltered { kept } };
    while way.at.seq < now.seq {
        let page = sqlx::query(LINKS).bind(Uuid::from(now.tenant));
        let page = page.bind(way.at.seq.cast_signed()).bind(now.seq.cast_signed()).fetch_all(&mut *connection).await?;
        if page.is_empty() {
            return Ok(Err(broken(way.at.seq.saturating_add(1))));
        }
        for row in page {
            let digest = |column| Digest::try_from(row.try_get::<&[u8], _>(column).ok()?).ok();
            let (seq, entry_id) = (row.try_get("seq").unwrap_or(0), row.try_get("entry_id").unwrap_or(Uuid::nil()));
            if let Err(seq) = way.take(seq, entry_id, ["prev", "leaf", "hash"].map(digest))? {
                return Ok(Err(broken(seq)));
            }
            // The hash stands over every leaf before it, and so over the tree.
            if old.is_some_and(|old| old.head.seq == way.at.seq && old.head.hash != way.at.hash) {
                return Ok(Err(RefusalReason::Replaced { kept }));
            }
        }
    }
    if way.at.hash != now.hash {
        return Ok(Err(RefusalReason::Broken { seq: now.seq }));
    }
    Ok(Ok(TenantHead { head: now, root: way.tree.root() }))
}
