//! Strict sealing: the link is made in the caller's transaction.

use std::ops::{Deref, DerefMut};

use chrono::Utc;
use sqlx::{Connection as _, PgConnection, PgExecutor, Postgres, Row as _, Transaction, postgres::PgRow};

use super::batch::{self, Row, given};
use crate::{Digest, Entry, Error, Link, TenantId, error::Repr, store::Receipt};

// The count makes the link wait for the rows; the function reads the leaf from the row, so nobody can link what is not stored.
const RECORD: &str = concat!(
    "WITH context AS (SELECT), ",
    given!(),
    " RETURNING entry_id)
SELECT l.seq, l.prev, l.hash FROM (SELECT count(*) AS stored FROM entry) AS done,
    LATERAL stockade.audit_link_now(CASE WHEN done.stored = cardinality($1) THEN $1 END) AS l
ORDER BY l.seq"
);

// Everything but the link, and the ids of what is to be linked, kept in the transaction.
const PREPARE: &str = concat!(
    "WITH context AS (SELECT), ",
    given!(),
    " RETURNING entry_id)
SELECT set_config('stockade.audit_linking', $1::text, true), count(*) FROM entry"
);

// One message, so that the head is locked for no round trip. Each statement after COMMIT belongs to a second transaction, whose
// own commit, by the caller, waits for the disk: WAL is written in order, so the first is then on it too.
const LINK_EARLY: &str = "
SELECT l.seq, l.prev, l.hash, set_config('synchronous_commit', 'off', true)
    FROM stockade.audit_link_now(current_setting('stockade.audit_linking', true)::uuid[]) AS l ORDER BY l.seq;
COMMIT AND CHAIN;
SELECT CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END,
    pg_logical_emit_message(true, 'stockade_audit', '')";

const MAKE_DURABLE: &str = "
SELECT CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END,
    pg_logical_emit_message(true, $1, '')";

/// Records entries in the caller's transaction and links them at once, for ledgers whose entries must have their place in the
/// chain when they commit. Each receipt holds its link.
///
/// Makes the same link that a [`Sealer`](super::Sealer) would. Entries of one tenant may be recorded both ways. The tenant's
/// head stays locked until the transaction ends, so this belongs at its end: whoever else records strictly for the tenant waits,
/// also for the disk that the commit waits for. A [`StrictTransaction`] waits for less.
///
/// Works through anything that executes statements for the role group `stockade_app` with the tenant's context set.
///
/// # Errors
/// As [`record`](super::record); all entries must be the tenant's. [`Unavailable`](crate::ErrorKind::Unavailable) (a
/// serialization failure) if the transaction is above `READ COMMITTED` and another one moved the head meanwhile;
/// [`Contended`](crate::ErrorKind::Contended) if the number is taken by a link that did not move the head first.
pub async fn record_strict<'e>(executor: impl PgExecutor<'e>, entries: &[Entry]) -> Result<Vec<Receipt>, Error> {
    let rows = compose(entries)?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let links = batch::bind(RECORD, &rows.iter().collect::<Vec<_>>()).fetch_all(executor).await.map_err(contended)?;
    linked(&rows, &links)
}

/// A transaction whose entries are linked when it commits, and whose commit gives the tenant's head free before the disk has
/// answered (early lock release).
///
/// [`commit`](Self::commit) links and commits without waiting for the disk, in one message, so the head is locked for no round
/// trip; then a second transaction on the same connection waits for the disk on behalf of both, and only then it returns. The
/// write-ahead log is written in order, so what has been acknowledged is durable, and so is every link before it. **Others can see
/// the entry, its link and everything else that the transaction changed a moment before they are durable**: a crash of the server
/// in that moment takes back what somebody may have read, never what was acknowledged. Whoever takes a head out of the database, to
/// sign or to keep it, calls [`make_durable`] first.
///
/// Dropped, it rolls back.
#[derive(Debug)]
pub struct StrictTransaction<'c>(Transaction<'c, Postgres>);

impl<'c> StrictTransaction<'c> {
    /// Begins on a connection that is in no transaction, because a savepoint cannot commit.
    ///
    /// # Errors
    /// [`Refused`](crate::ErrorKind::Refused) inside a transaction, and the errors of the connection.
    pub async fn begin(connection: &'c mut PgConnection) -> Result<Self, Error> {
        if connection.is_in_transaction() {
            return Err(Repr::Savepoint.into());
        }
        Ok(Self(connection.begin().await?))
    }

    /// Records the entries, links them, commits, and waits until all of it is durable.
    ///
    /// # Errors
    /// As [`record_strict`]. After an error of the connection, as after any commit, nobody knows whether the transaction is there.
    pub async fn commit(mut self, entries: &[Entry]) -> Result<Vec<Receipt>, Error> {
        let rows = compose(entries)?;
        if rows.is_empty() {
            self.0.commit().await?;
            return Ok(Vec::new());
        }
        let stored = batch::bind(PREPARE, &rows.iter().collect::<Vec<_>>()).fetch_one(&mut *self.0).await?;
        if usize::try_from(stored.try_get::<i64, _>("count")?) != Ok(rows.len()) {
            return Err(Repr::Swallowed.into());
        }
        let mut links = sqlx::raw_sql(LINK_EARLY).fetch_all(&mut *self.0).await.map_err(contended)?;
        links.truncate(rows.len());
        self.0.commit().await?;
        linked(&rows, &links)
    }
}

impl Deref for StrictTransaction<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for StrictTransaction<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}

/// Waits until everything that this server has committed so far is durable, also what was committed without waiting for the disk
/// ([`StrictTransaction`], `synchronous_commit = off`). Call it before a head that was read leaves the database.
///
/// Needs no privilege and must not run inside a transaction, because it is the commit that waits.
///
/// # Errors
/// The errors of the connection.
pub async fn make_durable<'e>(executor: impl PgExecutor<'e>) -> Result<(), Error> {
    sqlx::query(MAKE_DURABLE).bind("stockade_audit").execute(executor).await?;
    Ok(())
}

/// A place in the chain that another link has taken, as of a sealer that did not find the head locked, is not this caller's mistake.
fn contended(error: sqlx::Error) -> Error {
    match &error {
        sqlx::Error::Database(refused) if refused.is_unique_violation() && refused.table() == Some("audit_link") => {
            Repr::Contended.into()
        }
        _ => error.into(),
    }
}

fn compose(entries: &[Entry]) -> Result<Vec<Row>, Error> {
    let now = Utc::now();
    entries.iter().map(|entry| Row::compose(entry, now)).collect()
}

fn linked(rows: &[Row], links: &[PgRow]) -> Result<Vec<Receipt>, Error> {
    if links.len() != rows.len() {
        return Err(Repr::Swallowed.into());
    }
    rows.iter().zip(links).map(|(row, link)| one(row, link)).collect()
}

fn one(row: &Row, stored: &PgRow) -> Result<Receipt, Error> {
    let digest =
        |column| -> Result<Digest, Error> { Digest::try_from(stored.try_get::<Vec<u8>, _>(column)?.as_slice()) };
    let link = Link {
        tenant: TenantId::from(row.tenant()),
        seq: stored.try_get::<i64, _>("seq")?.unsigned_abs(),
        entry_id: row.receipt.entry_id,
        prev: digest("prev")?,
        leaf: row.receipt.leaf,
        hash: digest("hash")?,
    };
    // What the database computed is what this crate would have.
    if link.computed_hash() == link.hash {
        Ok(Receipt { link: Some(link), ..row.receipt })
    } else {
        Err(Repr::Swallowed.into())
    }
}
