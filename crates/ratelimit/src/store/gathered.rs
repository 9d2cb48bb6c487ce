//! Decisions that travel together.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::error::Error;
use crate::store::{Ask, Intent, Standing, Store};

/// The most decisions of one call. A script of so many takes Redis about a millisecond, in which it does nothing else.
const MOST: usize = 128;

/// A [`Store`] that asks another one for many requests at a time.
///
/// While one call is under way, the decisions of other requests wait, and then go together as the next: nothing waits for a
/// timer, and the busier the process, the larger the batches. It saves the server most of what a decision costs there, and
/// costs a request at most one more round trip. A request that gave up waiting is not charged, unless its call is under way.
///
/// Corrections and peeks are passed on as they come. Needs a tokio runtime: calls outlive the requests that began them.
pub struct Gathered<S> {
    shared: Arc<Shared<S>>,
}

struct Shared<S> {
    store: S,
    /// How long a call may take before the next one is made without it.
    patience: Duration,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Waiting>,
    /// Whether a task is making calls.
    running: bool,
}

struct Waiting {
    asks: Vec<Ask>,
    cost: u32,
    answer: oneshot::Sender<Result<Vec<Standing>, Error>>,
}

impl<S: Store> Gathered<S> {
    /// Gathers what is asked of `store`. A call that takes longer than `patience` is given up, and all its requests fail: use the
    /// limiter's [deadline](crate::store::SharedLimiterBuilder::deadline).
    #[must_use]
    pub fn new(store: S, patience: Duration) -> Self {
        Self { shared: Arc::new(Shared { store, patience, queue: Mutex::default() }) }
    }
}

impl<S: Store> Store for Gathered<S> {
    async fn decide(&self, asks: &[Ask], cost: u32, intent: Intent) -> Result<Vec<Standing>, Error> {
        if intent == Intent::Peek {
            return self.shared.store.decide(asks, cost, intent).await;
        }
        let (answer, answered) = oneshot::channel();
        if self.shared.wait_with(Waiting { asks: asks.to_vec(), cost, answer }) {
            tokio::spawn(Arc::clone(&self.shared).run());
        }
        answered.await.unwrap_or_else(|_| Err(Error::store("the call was dropped")))
    }

    async fn decide_all(&self, decisions: &[(Vec<Ask>, u32)]) -> Result<Vec<Vec<Standing>>, Error> {
        self.shared.store.decide_all(decisions).await
    }

    async fn release(&self, charges: &[(Ask, u64)], cost: u32) -> Result<(), Error> {
        self.shared.store.release(charges, cost).await
    }

    async fn surcharge(&self, asks: &[Ask], cost: u32) -> Result<(), Error> {
        self.shared.store.surcharge(asks, cost).await
    }
}

impl<S: Store> Shared<S> {
    /// Adds to the queue, and says whether nobody is making calls: then the caller has to see to it.
    fn wait_with(&self, waiting: Waiting) -> bool {
        let mut queue = self.queue();
        queue.waiting.push(waiting);
        !std::mem::replace(&mut queue.running, true)
    }

    /// Makes calls until nobody waits.
    async fn run(self: Arc<Self>) {
        let mut runner = Runner { shared: self, ended: false };
        while let Some(batch) = runner.shared.next() {
            runner.shared.call(batch).await;
        }
        runner.ended = true;
    }

    /// Those who wait; with nobody left, nobody is making calls any more.
    fn next(&self) -> Option<Vec<Waiting>> {
        let mut queue = self.queue();
        queue.waiting.retain(|waiting| !waiting.answer.is_closed());
        let most = queue.waiting.len().min(MOST);
        let rest = queue.waiting.split_off(most);
        let batch = std::mem::replace(&mut queue.waiting, rest);
        queue.running = !batch.is_empty();
        queue.running.then_some(batch)
    }

    async fn call(&self, batch: Vec<Waiting>) {
        let (decisions, answers): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|waiting| ((waiting.asks, waiting.cost), waiting.answer)).unzip();
        let call = tokio::time::timeout(self.patience, self.store.decide_all(&decisions));
        let outcome = call.await.map_err(Error::store).flatten();
        match outcome {
            Ok(standings) => {
                // Who gave up does not want to know; who gets no answer notices that the sender is gone.
                answers.into_iter().zip(standings).for_each(|(answer, standings)| drop(answer.send(Ok(standings))));
            }
            Err(error) => {
                let error = Arc::new(error);
                answers.into_iter().for_each(|answer| drop(answer.send(Err(Error::store(Arc::clone(&error))))));
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Should a call panic or its runtime end, those who wait are told, and the next request begins anew.
struct Runner<S: Store> {
    shared: Arc<Shared<S>>,
    /// It found nobody waiting, and another one may have begun since.
    ended: bool,
}

impl<S: Store> Drop for Runner<S> {
    fn drop(&mut self) {
        if !self.ended {
            let mut queue = self.shared.queue();
            queue.running = false;
            queue.waiting.clear();
        }
    }
}

impl<S> fmt::Debug for Gathered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gathered").field("patience", &self.shared.patience).finish_non_exhaustive()
    }
}
