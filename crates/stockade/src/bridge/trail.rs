//! The way of observed events into the audit log.

use std::{
    fmt,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use stockade_audit_chain::{Actor, Entry, Outcome, Severity, TenantId, postgres};
use stockade_tenant_guard::{Error, Event, Observer, TenantDb, TenantId as Guarded};
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};

use super::{PLATFORM, Recorder};

/// How long the writer waits before it tries an entry once more.
const PAUSES: [Duration; 3] = [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(5)];

/// A queue between observers, which may not wait, and the audit log: one task records each entry in its own tenant's scope.
///
/// An entry that finds the queue full, or that the database does not take within some seconds, is lost; the number of those is an entry of its
/// own, `audit.lost`, critical, in the log of the [platform](PLATFORM), as soon as something can be written. What is in the queue when the
/// process dies is lost without a word: what must not happen without its entry is recorded in the transaction in which it happens.
#[derive(Clone)]
pub struct Trail {
    queue: mpsc::Sender<Message>,
    lost: Arc<AtomicU64>,
}

enum Message {
    Record(Box<(TenantId, Entry)>),
    Flush(oneshot::Sender<()>),
}

impl Trail {
    /// Starts the task that writes to `tenants`, with room for `waiting` entries. It ends when every clone of the trail is gone.
    ///
    /// Nobody observes these transactions: the failure to write about a failure is not told of by writing.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    #[must_use]
    pub fn start(tenants: &TenantDb, waiting: NonZeroUsize) -> Self {
        let (queue, messages) = mpsc::channel(waiting.get());
        let lost = Arc::new(AtomicU64::new(0));
        let writer = Writer { tenants: tenants.clone().with_observer(Nobody), lost: Arc::clone(&lost) };
        tokio::spawn(writer.write(messages));
        Self { queue, lost }
    }

    /// Takes an entry; never waits.
    pub fn send(&self, tenant: TenantId, entry: Entry) {
        if self.queue.try_send(Message::Record(Box::new((tenant, entry)))).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// An observer for the other crates, which writes here.
    #[must_use]
    pub fn recorder(&self) -> Recorder<impl Fn(TenantId, Entry) + Clone + Send + Sync + 'static> {
        let trail = self.clone();
        Recorder::new(move |tenant, entry| trail.send(tenant, entry))
    }

    /// Waits until everything that was sent before is recorded or lost.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.queue.send(Message::Flush(done)).await.is_ok() {
            // The writer drops what it has done with.
            drop(flushed.await);
        }
    }
}

impl fmt::Debug for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trail").field("lost", &self.lost).finish_non_exhaustive()
    }
}

struct Writer {
    tenants: TenantDb,
    lost: Arc<AtomicU64>,
}

impl Writer {
    async fn write(self, mut messages: mpsc::Receiver<Message>) {
        while let Some(message) = messages.recv().await {
            match message {
                Message::Record(told) => self.record(&told).await,
                Message::Flush(done) => drop(done),
            }
        }
    }

    async fn record(&self, told: &(TenantId, Entry)) {
        let mut pauses = PAUSES.into_iter();
        while let Err(unwritten) = self.try_record(told).await {
            let pause = pauses.next().filter(|_| unwritten == Unwritten::ForNow);
            let Some(pause) = pause else {
                self.lost.fetch_add(1, Ordering::Relaxed);
                return;
            };
            sleep(pause).await;
        }
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let platform = TenantId::from(PLATFORM);
            let entry = Entry::new(platform, Actor::system("trail"), "audit.lost")
                .severity(Severity::Critical)
                .outcome(Outcome::Failure)
                .after(json!({ "entries": lost }));
            if self.try_record(&(platform, entry)).await.is_err() {
                self.lost.fetch_add(lost, Ordering::Relaxed);
            }
        }
    }

    async fn try_record(&self, (tenant, entry): &(TenantId, Entry)) -> Result<(), Unwritten> {
        let mut tx = self.tenants.begin(Guarded::new((*tenant).into())).await?;
        postgres::record(&mut tx, entry).await?;
        Ok(tx.commit().await?)
    }
}

/// An entry was not written.
#[derive(PartialEq, Eq)]
enum Unwritten {
    /// It may be the next time.
    ForNow,
    /// It never will.
    ForGood,
}

impl Unwritten {
    const fn of(retryable: bool) -> Self {
        if retryable { Self::ForNow } else { Self::ForGood }
    }
}

impl From<Error> for Unwritten {
    fn from(error: Error) -> Self {
        Self::of(error.is_retryable())
    }
}

impl From<stockade_audit_chain::Error> for Unwritten {
    fn from(error: stockade_audit_chain::Error) -> Self {
        Self::of(error.is_retryable())
    }
}

/// The observer of the trail's own transactions.
struct Nobody;

impl Observer for Nobody {
    fn observe(&self, _: Event<'_>) {}
}
