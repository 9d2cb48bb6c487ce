//! Checkpointing: the heads of all tenants, compared with what was signed before, signed and published.

use sqlx::{Connection as _, PgConnection};

use super::{advancing, checkpoints::store, make_durable, stored_checkpoint};
use crate::{
    Anchor, Error, Publication, Signer, Snapshot,
    error::Repr,
    store::checkpointing::{Checkpointing, Refusal, continues},
};

/// Signs where every tenant's chain ends, after comparing it with what was signed before. Any number of replicas may run one.
///
/// The comparison rests on the [`Anchor`]'s copy, which the database's administrators cannot reach: every chain must begin
/// with exactly what the last publication says, and every link since must follow. Signing names the checkpoint
/// before, and its log holds all earlier snapshots, so that each signature repeats what was said.
#[derive(Debug)]
pub struct Checkpointer<S> {
    signer: S,
    restored: Restored,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Restored {
    Refused,
    Accepted,
}

// An arbitrary constant: the first eight bytes of SHA-256("stockade.audit_chain.checkpointer").
const LOCK: i64 = i64::from_be_bytes([0x99, 0xc1, 0x72, 0x4c, 0x4c, 0x5a, 0x2d, 0x56]);

impl<S: Signer + Sync> Checkpointer<S> {
    /// A checkpointer of the log that is named like the signer's key.
    #[must_use]
    pub const fn new(signer: S) -> Self {
        Self { signer, restored: Restored::Refused }
    }

    /// Goes on after the restore of a backup, for the tenants for which [`declare_restored`](super::declare_restored) has
    /// named exactly this loss. Meant for one call, by a person.
    #[must_use]
    pub const fn accept_restored(mut self) -> Self {
        self.restored = Restored::Accepted;
        self
    }

    /// Compares all chains with the anchor's last publication, signs where they end now, stores the checkpoint and publishes
    /// it. Needs a connection in the role group `stockade_checkpointer` that is in no transaction.
    ///
    /// Reads every link since the last checkpoint, and of the first checkpoint all of them.
    ///
    /// A checkpoint is stored before it is published, so that no two of one size are ever published: if publishing fails, or
    /// the process ends before it, the next call publishes the same bytes.
    ///
    /// # Errors
    /// [`Anchor`](crate::ErrorKind::Anchor) if the anchor cannot be read or written, [`Signing`](crate::ErrorKind::Signing) if
    /// the signer fails, [`Refused`](crate::ErrorKind::Refused) without the role, and the errors of the connection.
    pub async fn checkpoint(
        &self,
        connection: &mut PgConnection,
        anchor: &(impl Anchor + Sync),
    ) -> Result<Checkpointing, Error> {
        let mut anchored = anchor.fetch_latest().await.map_err(Repr::Anchor)?;
        let mut tx = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
        let mut prepared = self.prepare(&mut tx, anchored.as_ref()).await;
        if let Ok(Prepared::Pending(publication)) = prepared {
            tx.rollback().await?;
            publish(connection, anchor, &publication).await?;
            anchored = Some(publication);
            tx = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
            prepared = self.prepare(&mut tx, anchored.as_ref()).await;
        }
        match prepared {
            Ok(Prepared::New(publication)) => {
                tx.commit().await?;
                publish(connection, anchor, &publication).await?;
                Ok(Checkpointing::Published(publication))
            }
            Ok(Prepared::Same(publication)) => {
                tx.commit().await?;
                publish(connection, anchor, &publication).await?;
                Ok(Checkpointing::Unchanged(publication))
            }
            // Or another one has just signed.
            Ok(Prepared::Standby | Prepared::Pending(_)) => {
                tx.rollback().await?;
                Ok(Checkpointing::Standby)
            }
            Ok(Prepared::Refused(refusals)) => {
                tx.rollback().await?;
                Ok(Checkpointing::Refused(refusals))
            }
            Err(error) => {
                // Dropping would leave the lock to the connection's next use.
                let _ = tx.rollback().await;
                Err(error)
            }
        }
    }

    /// Everything but publishing, under the lock.
    async fn prepare(&self, tx: &mut PgConnection, anchored: Option<&Publication>) -> Result<Prepared, Error> {
        let lock = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)");
        if !lock.bind(LOCK).fetch_one(&mut *tx).await? {
            return Ok(Prepared::Standby);
        }
        let stored = stored_checkpoint(&mut *tx, u64::MAX).await?;
        let previous = match continues(self.signer.key(), anchored, stored.as_ref()) {
            Ok(previous) => previous,
            Err(reason) => return Ok(Prepared::Refused(vec![Refusal { tenant: None, reason }])),
        };
        if let Some(pending) = previous.filter(|previous| Some(*previous) != anchored) {
            return Ok(Prepared::Pending(pending.clone()));
        }
        let before = previous.map_or_else(Snapshot::default, |previous| previous.snapshot().clone());
        let advanced = match self.restored {
            Restored::Accepted => advancing::with_restores(&mut *tx, &before).await?,
            Restored::Refused => advancing::all(&mut *tx, &before).await?,
        };
        let snapshot = match advanced {
            Ok(snapshot) => snapshot,
            Err(refusals) => return Ok(Prepared::Refused(refusals)),
        };
        match previous {
            Some(previous) if snapshot == before => {
                // Of a restored database, the anchor has a later one.
                if stored.as_ref().is_none_or(|stored| stored.size() < previous.size()) {
                    store(tx, previous, stored.as_ref()).await?;
                }
                Ok(Prepared::Same(previous.clone()))
            }
            _ => {
                let publication = Publication::sign(previous, snapshot, &self.signer).await?;
                store(tx, &publication, stored.as_ref()).await?;
                Ok(Prepared::New(publication))
            }
        }
    }
}

/// What a transaction has prepared.
enum Prepared {
    New(Publication),
    /// One that was signed and stored, and has to be published before another is.
    Pending(Publication),
    Same(Publication),
    Standby,
    Refused(Vec<Refusal>),
}

/// Publishes what is committed, and notes that the anchor has acknowledged it.
async fn publish(
    connection: &mut PgConnection,
    anchor: &(impl Anchor + Sync),
    publication: &Publication,
) -> Result<(), Error> {
    // A chain may have been committed without waiting for the disk (`StrictTransaction`); what is published must not be lost.
    make_durable(&mut *connection).await?;
    anchor.publish(publication).await.map_err(Repr::Anchor)?;
    let note = sqlx::query("INSERT INTO stockade.audit_anchored (size) VALUES ($1) ON CONFLICT DO NOTHING");
    note.bind(publication.size().cast_signed()).execute(connection).await?;
    Ok(())
}
