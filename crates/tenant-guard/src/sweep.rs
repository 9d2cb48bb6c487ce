//! Background work for many tenants, one scope after another.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::db::TenantDb;
use crate::error::Error;
use crate::tenant::TenantId;
use crate::tx::TenantTx;

/// How many tenants are worked on at once, and how long each may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Scopes open at the same time. Leave connections for others: fewer than the pool has.
    pub concurrency: NonZeroUsize,
    /// How long one tenant may take, from waiting for a connection to its commit.
    pub timeout: Duration,
}

/// How the work for one tenant ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome<T, E> {
    /// The work returned.
    Done(T),
    /// The work failed.
    Failed(E),
    /// The scope could not be opened.
    NotOpened(Error),
    /// The work took too long, and its scope was rolled back.
    TimedOut,
    /// The work panicked, and its scope was rolled back.
    Panicked,
}

/// The outcome of each tenant.
pub type Outcomes<T, E> = BTreeMap<TenantId, Outcome<T, E>>;

impl TenantDb {
    /// Does the same work for many tenants: each in a scope of its own, whatever becomes of the others.
    ///
    /// The work gets the scope and has to commit it. A failure, a timeout or a panic is that tenant's outcome and stops nobody else.
    /// Dropping the future stops all of it and rolls back what is open. There is no scope of all tenants; where their list comes from
    /// is the application's affair. A tenant that is named twice is served once.
    ///
    /// Each tenant's work is a task of its own; one that blocks its thread cannot be timed out.
    pub async fn for_each_tenant<F, W, T, E>(
        &self,
        tenants: impl IntoIterator<Item = TenantId>,
        pace: Pace,
        work: F,
    ) -> Outcomes<T, E>
    where
        F: Fn(TenantTx) -> W + Clone + Send + 'static,
        W: Future<Output = Result<T, E>> + Send,
        T: Send + 'static,
        E: Send + 'static,
    {
        let mut waiting: Vec<TenantId> = tenants.into_iter().collect();
        waiting.sort_unstable();
        waiting.dedup();
        let mut waiting = waiting.into_iter();
        let (mut running, mut who, mut outcomes) = (JoinSet::new(), BTreeMap::new(), BTreeMap::new());
        loop {
            for tenant in waiting.by_ref().take(pace.concurrency.get().saturating_sub(running.len())) {
                let (db, work) = (self.clone(), work.clone());
                let one = async move {
                    match db.begin(tenant).await {
                        Ok(tx) => work(tx).await.map_or_else(Outcome::Failed, Outcome::Done),
                        Err(error) => Outcome::NotOpened(error),
                    }
                };
                let task = running.spawn(async move { tokio::time::timeout(pace.timeout, one).await });
                who.insert(task.id(), tenant);
            }
            let Some(ended) = running.join_next_with_id().await else {
                return outcomes;
            };
            let (task, outcome) = match ended {
                Ok((task, Ok(outcome))) => (task, outcome),
                Ok((task, Err(_))) => (task, Outcome::TimedOut),
                Err(error) => (error.id(), Outcome::Panicked),
            };
            if let Some(tenant) = who.remove(&task) {
                outcomes.insert(tenant, outcome);
            }
        }
    }
}
