//! Exports: announced in the log, then streamed from one snapshot.

mod links;
mod request;
mod shapes;

use std::fmt;

use sha2::{Digest as _, Sha256};
use sqlx::{Executor, Postgres, Row as _};
use uuid::Uuid;

pub use request::ExportRequest;

use self::{links::Links, shapes::Rows};
use super::Receipt;
use crate::{Digest, Entry, Error, error::Repr};

/// An export on its way: bytes, piece by piece, in memory for one page of entries.
///
/// 1. [`record`](super::record) the [announcement](ExportRequest::entry) and commit it, so that it stands in the log whatever becomes of the
///    download.
/// 2. Begin a transaction with `BEGIN ISOLATION LEVEL REPEATABLE READ`, set the tenant's context, and [open](Export::open)
///    the export in it. It shows the log as it was at that moment, however long the download takes.
/// 3. Take [pieces](Export::next) until there is none.
/// 4. [`record`](super::record) the [completion](Export::completion), which says how much was handed over.
///
/// A web framework's body of chunks is `futures::stream::try_unfold` over [`next`](Export::next).
pub struct Export {
    request: ExportRequest,
    announced: Uuid,
    source: Source,
    hash: Sha256,
    entries: u64,
}

/// Where the pieces come from.
enum Source {
    Rows(Rows),
    Links(Box<Links>),
}

// A transaction that has written nothing sees only what has been committed, so an announcement that it sees stands.
const ANNOUNCED: &str = "
SELECT current_setting('transaction_isolation') IN ('repeatable read', 'serializable') AS stable,
    pg_current_xact_id_if_assigned() IS NULL AND EXISTS (
        SELECT FROM stockade.audit_entry e
        WHERE e.entry_id = $1 AND e.tenant_id = $2 AND e.action = 'audit.exported' AND e.after::text = $3) AS announced";

impl Export {
    /// Opens an export in a transaction that has its own snapshot and has written nothing yet.
    ///
    /// # Errors
    /// [`Refused`](crate::ErrorKind::Refused) if the transaction is not of the level REPEATABLE READ, or if the
    /// announcement of this very request is not committed and visible; [`Malformed`](crate::ErrorKind::Malformed) if a
    /// bundle is asked for of entries that are not sealed; and the errors of the connection.
    pub async fn open<E>(executor: &mut E, request: ExportRequest, receipt: &Receipt) -> Result<Self, Error>
    where
        E: ?Sized,
        for<'c> &'c mut E: Executor<'c, Database = Postgres>,
    {
        let state = sqlx::query(ANNOUNCED).bind(receipt.entry_id).bind(Uuid::from(request.tenant()));
        let state = state.bind(request.statement()?).fetch_one(&mut *executor).await?;
        if !state.try_get::<bool, _>("stable")? {
            return Err(Repr::NotSnapshot.into());
        }
        if !state.try_get::<bool, _>("announced")? {
            return Err(Repr::NotAnnounced.into());
        }
        let source = match request.rows() {
            Some(rows) => Source::Rows(rows),
            None => Source::Links(Box::new(Links::open(executor, &request).await?)),
        };
        Ok(Self { request, announced: receipt.entry_id, source, hash: Sha256::new(), entries: 0 })
    }

    /// The next piece; `None` when the export is complete. Runs in the transaction that it was opened in.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if a row of a table for people cannot be read (a bundle says so instead), and
    /// the errors of the connection.
    pub async fn next<E>(&mut self, executor: &mut E) -> Result<Option<Vec<u8>>, Error>
    where
        E: ?Sized,
        for<'c> &'c mut E: Executor<'c, Database = Postgres>,
    {
        let piece = match &mut self.source {
            Source::Rows(rows) => rows.next(executor).await?,
            Source::Links(links) => links.next(executor).await?,
        };
        Ok(piece.map(|(entries, bytes)| {
            self.entries += entries;
            self.hash.update(&bytes);
            bytes
        }))
    }

    /// How many entries have been handed over so far.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// The entry that says how much was handed over, with the SHA-256 of every byte: who is shown the file later can tell
    /// whether it is the one.
    #[must_use]
    pub fn completion(&self) -> Entry {
        let sha256 = Digest::from(<[u8; 32]>::from(self.hash.clone().finalize()));
        self.request.completion(self.announced, self.entries, sha256)
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export").field("request", &self.request).field("entries", &self.entries).finish_non_exhaustive()
    }
}
