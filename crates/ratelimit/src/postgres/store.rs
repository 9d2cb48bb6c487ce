//! The store: one statement a call.

use std::fmt;
use std::sync::Arc;

use sqlx::{PgExecutor, PgPool, query_as, query_scalar};

use super::batch::Batch;
use crate::clock::Clock;
use crate::error::Error;
use crate::store::{Ask, Intent, Standing, Store};

/// Counts in PostgreSQL.
///
/// Each call is one statement on one connection of the pool, committed without waiting for the disk: a crash of the
/// server may forget the last moments of a count. [`check_durably`](crate::store::SharedLimiter::check_durably) is for
/// what must not be forgotten.
#[derive(Clone)]
pub struct PgStore {
    pool: PgPool,
    clock: Option<Arc<dyn Clock>>,
}

/// Whether a commit waits for the disk. In a transaction of the caller's, that is the caller's business.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    Lazy,
    OfTransaction,
}

impl PgStore {
    /// A store over a pool whose login is a member of `stockade_limiter`. The time is the server's.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool, clock: None }
    }

    /// The same store with the time of this process, since the Unix epoch: for tests. A row that is written lives for as
    /// long as the server's clock says, whatever this one says.
    #[must_use]
    pub fn with_client_time(self, clock: impl Clock + 'static) -> Self {
        Self { clock: Some(Arc::new(clock)), ..self }
    }

    /// Deletes up to `at_most` rows that have not counted for a minute, and returns how many. Reads the whole table, so
    /// once a minute is often enough.
    ///
    /// # Errors
    ///
    /// [`Store`](crate::ErrorKind::Store).
    pub async fn sweep(&self, at_most: u32) -> Result<u64, Error> {
        let gone: i64 = query_scalar("SELECT stockade.rate_limit_sweep($1)")
            .bind(i32::try_from(at_most).unwrap_or(i32::MAX))
            .fetch_one(&self.pool)
            .await
            .map_err(Error::store)?;
        Ok(u64::try_from(gone).unwrap_or(0))
    }

    pub(crate) async fn decide_on(
        &self,
        executor: impl PgExecutor<'_>,
        asks: &[Ask],
        cost: u32,
    ) -> Result<Vec<Standing>, Error> {
        self.call(executor, "charge", Durability::OfTransaction, one(asks.iter().map(|ask| (ask, 0)), cost)).await
    }

    async fn call(
        &self,
        executor: impl PgExecutor<'_>,
        verb: &str,
        durability: Durability,
        batch: Batch,
    ) -> Result<Vec<Standing>, Error> {
        let asked = batch.slots.len();
        let now = self.clock.as_ref().map(|clock| i64::try_from(clock.now().as_micros()).unwrap_or(i64::MAX));
        let rows: Vec<(i64, i64, i64, i64)> = query_as(
            "SELECT used, wait, reset, bucket
             FROM stockade.rate_limit_call($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(verb)
        .bind(durability == Durability::OfTransaction)
        .bind(now)
        .bind(batch.decisions)
        .bind(batch.amounts)
        .bind(batch.slots)
        .bind(batch.widths)
        .bind(batch.spans)
        .bind(batch.limits)
        .bind(batch.enforced)
        .bind(batch.targets)
        .bind(batch.tokens)
        .fetch_all(executor)
        .await
        .map_err(Error::store)?;
        if rows.len() != asked {
            return Err(Error::store("the function answered another question"));
        }
        let big = |number: i64| u64::try_from(number).unwrap_or(0);
        let standing = |(used, wait, reset, bucket): (i64, i64, i64, i64)| Standing {
            used: u32::try_from(used).unwrap_or(u32::MAX),
            wait: big(wait),
            reset: big(reset),
            bucket: big(bucket),
        };
        Ok(rows.into_iter().map(standing).collect())
    }
}

impl Store for PgStore {
    async fn decide(&self, asks: &[Ask], cost: u32, intent: Intent) -> Result<Vec<Standing>, Error> {
        let verb = match intent {
            Intent::Peek => "peek",
            Intent::Charge => "charge",
        };
        self.call(&self.pool, verb, Durability::Lazy, one(asks.iter().map(|ask| (ask, 0)), cost)).await
    }

    /// In one statement. A decision that asks a slot which an earlier one asks waits for a statement of its own.
    async fn decide_all(&self, decisions: &[(Vec<Ask>, u32)]) -> Result<Vec<Vec<Standing>>, Error> {
        let mut answers = vec![Vec::new(); decisions.len()];
        let mut waiting: Vec<usize> = (0..decisions.len()).collect();
        while !waiting.is_empty() {
            let mut seen = std::collections::HashSet::new();
            let (mut batch, mut round, mut later) = (Batch::default(), Vec::new(), Vec::new());
            for index in waiting {
                let Some((asks, cost)) = decisions.get(index) else { continue };
                // All slots are noted even where it waits: what comes after it must not overtake it.
                if asks.iter().filter(|ask| seen.insert(ask.slot)).count() == asks.len() {
                    asks.iter().for_each(|ask| batch.add(index, ask, *cost, 0));
                    round.push((index, asks.len()));
                } else {
                    later.push(index);
                }
            }
            let mut standings = self.call(&self.pool, "charge", Durability::Lazy, batch).await?.into_iter();
            for (index, asked) in round {
                if let Some(answer) = answers.get_mut(index) {
                    *answer = standings.by_ref().take(asked).collect();
                }
            }
            waiting = later;
        }
        Ok(answers)
    }

    async fn release(&self, charges: &[(Ask, u64)], cost: u32) -> Result<(), Error> {
        let batch = one(charges.iter().map(|(ask, bucket)| (ask, *bucket)), cost);
        self.call(&self.pool, "release", Durability::Lazy, batch).await.map(drop)
    }

    async fn surcharge(&self, asks: &[Ask], cost: u32) -> Result<(), Error> {
        self.call(&self.pool, "surcharge", Durability::Lazy, one(asks.iter().map(|ask| (ask, 0)), cost)).await.map(drop)
    }
}

/// The asks of one decision.
fn one<'a>(asks: impl Iterator<Item = (&'a Ask, u64)>, amount: u32) -> Batch {
    let mut batch = Batch::default();
    asks.for_each(|(ask, target)| batch.add(0, ask, amount, target));
    batch
}

impl fmt::Debug for PgStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PgStore(..)")
    }
}
