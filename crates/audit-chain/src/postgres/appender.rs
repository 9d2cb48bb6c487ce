//! Appending without a transaction of the caller's: many entries share one.

use std::{num::NonZeroU32, sync::Arc};

use chrono::Utc;
use sqlx::PgPool;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use self::driver::Driver;
use super::batch::Row;
use crate::{Entry, Error, error::Repr, store::Receipt};

mod driver;

/// Appends entries of any tenant that belong to no transaction, such as a failed sign-in or a download: what waits while
/// one round is written travels together in the next, so many callers share a statement and a commit.
///
/// A handle to clone. Whatever [`append`](Self::append) has returned is durable. Entries of a tenant are stored, and so sealed, in
/// the order in which they came.
#[derive(Clone, Debug)]
pub struct Appender {
    queue: mpsc::UnboundedSender<Job>,
    memory: Arc<Semaphore>,
    budget: NonZeroU32,
}

impl Appender {
    /// An appender and the future that does its work: spawn it on the runtime that the pool uses.
    ///
    /// The pool's connections need a login in the role group `stockade_appender`, which can insert for any tenant and read
    /// nothing. One connection is in use at a time. `budget` is how many bytes of entries may wait or be on their way; then
    /// [`append`](Self::append) waits. 16 MiB are about ten thousand entries.
    ///
    /// The future ends when all handles are gone or [`close`](Self::close) was called, and everything that had been accepted
    /// is written or answered. Wait for it before the process ends. If it is dropped earlier, callers that wait get
    /// [`Unacknowledged`](crate::ErrorKind::Unacknowledged).
    pub fn new(pool: PgPool, budget: NonZeroU32) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let (queue, jobs) = mpsc::unbounded_channel();
        let appender = Self { queue, memory: Arc::new(Semaphore::new(budget.get() as usize)), budget };
        (appender, Driver::new(pool, jobs).run())
    }

    /// Appends an entry, with the system's time, and returns when it is durable.
    ///
    /// May be dropped: an entry that had been queued is stored, or not, as if nobody had asked.
    ///
    /// # Errors
    /// [`InvalidEntry`](crate::ErrorKind::InvalidEntry) if a part cannot be recorded;
    /// [`Refused`](crate::ErrorKind::Refused) if the database refuses this entry, which fails no other;
    /// [`Unavailable`](crate::ErrorKind::Unavailable) if it cannot be reached and [`Closed`](crate::ErrorKind::Closed) if the
    /// appender is: nothing was stored; [`Unacknowledged`](crate::ErrorKind::Unacknowledged) if nobody knows.
    pub async fn append(&self, entry: &Entry) -> Result<Receipt, Error> {
        // An entry above the whole budget takes all of it.
        let size = |row: &Row| u32::try_from(row.size()).unwrap_or(u32::MAX).min(self.budget.get());
        let row = Row::compose(entry, Utc::now())?;
        let memory = Arc::clone(&self.memory).acquire_many_owned(size(&row)).await.map_err(|_| Repr::Closed)?;
        let (answer, answered) = oneshot::channel();
        let job = Job::Append(Box::new(Waiting { row, answer, _memory: memory }));
        self.queue.send(job).map_err(|_| Repr::Closed)?;
        answered.await.map_err(|_| Repr::Unacknowledged)?
    }

    /// Waits until everything that was queued before is durable or has been refused.
    ///
    /// # Errors
    /// [`Closed`](crate::ErrorKind::Closed) if the appender was closed before,
    /// [`Unacknowledged`](crate::ErrorKind::Unacknowledged) if its future was dropped meanwhile.
    pub async fn flush(&self) -> Result<(), Error> {
        let (answer, answered) = oneshot::channel();
        self.queue.send(Job::Flush(answer)).map_err(|_| Repr::Closed)?;
        answered.await.map_err(|_| Repr::Unacknowledged.into())
    }

    /// Accepts no more. The future ends when everything that was accepted is written.
    pub fn close(&self) {
        self.memory.close();
        // If nobody is there to hear it, it is closed.
        let _ = self.queue.send(Job::Close);
    }
}

/// What a handle asks of the driver.
enum Job {
    Append(Box<Waiting>),
    Flush(oneshot::Sender<()>),
    Close,
}

/// An entry whose caller waits.
struct Waiting {
    row: Row,
    answer: oneshot::Sender<Result<Receipt, Error>>,
    _memory: OwnedSemaphorePermit,
}

impl Waiting {
    fn answer(self, result: Result<(), Repr>) {
        // A caller that is gone does not need to know.
        let _ = self.answer.send(result.map(|()| self.row.receipt).map_err(Error::from));
    }
}
