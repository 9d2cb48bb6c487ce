//! Decisions in a transaction of the application's.

use sqlx::PgConnection;

use super::{Core, SharedLimiter};
use crate::cost::Cost;
use crate::decision::Decision;
use crate::error::{Error, Repr};
use crate::key::Key;
use crate::postgres::PgStore;
use crate::rule::RuleRef;
use crate::store::decided::Decided;
use crate::store::request::{self, Target};
use crate::store::{Standing, Store};

impl SharedLimiter<PgStore> {
    /// As [`check`](Self::check), on a connection of the application's and in its transaction: what is charged and what
    /// the application writes beside it, such as the audit entry of a lockout, are committed together or not at all, and
    /// as durably as the transaction is. Neither deadline nor [`OnStoreError`](crate::store::OnStoreError) applies.
    ///
    /// The rows of the keys are locked until the transaction ends, so do it last and commit soon. Use `READ COMMITTED`,
    /// the default: in a stricter level, concurrent attempts fail instead of waiting.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check), and [`Store`](crate::ErrorKind::Store) if the statement fails, which aborts the
    /// transaction.
    pub async fn check_durably<R: RuleRef>(
        &self,
        transaction: &mut PgConnection,
        keys: &[(R, Key)],
        cost: Cost,
    ) -> Result<Decision, Error> {
        let core = &self.core;
        let targets = request::targets(&core.catalogue, &core.entries, &core.fingerprints, keys, cost)?;
        if targets.is_empty() {
            return Ok(core.unasked(keys)?.decision);
        }
        let asks: Vec<_> = targets.iter().map(|target| target.ask).collect();
        let standings = core.store.decide_on(transaction, &asks, cost.units()).await?;
        Ok(core.count(core.charged(&targets, &standings, cost)?, keys).0)
    }

    /// As [`check`](Self::check), for several decisions in one statement: each is admitted or refused on its own, in
    /// order. For a worker that takes requests from a queue; it costs the server a fraction of single checks.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check), and [`Store`](crate::ErrorKind::Store) if the store fails, instead of what
    /// [`OnStoreError`](crate::store::OnStoreError) says.
    pub async fn check_batch<R: RuleRef>(&self, requests: &[(Vec<(R, Key)>, Cost)]) -> Result<Vec<Decision>, Error> {
        let core = &self.core;
        let mut asked = Vec::with_capacity(requests.len());
        for (keys, cost) in requests {
            asked.push(request::targets(&core.catalogue, &core.entries, &core.fingerprints, keys, *cost)?);
        }
        let decisions: Vec<_> = asked
            .iter()
            .zip(requests)
            .map(|(targets, (_, cost))| (targets.iter().map(|target| target.ask).collect(), cost.units()))
            .collect();
        let answers = core.within_deadline(core.store.decide_batch(&decisions)).await?;
        let mut out = Vec::with_capacity(requests.len());
        for ((targets, standings), (keys, cost)) in asked.iter().zip(&answers).zip(requests) {
            out.push(match targets.as_slice() {
                [] => core.unasked(keys)?.decision,
                targets => core.count(core.charged(targets, standings, *cost)?, keys).0,
            });
        }
        if out.len() == requests.len() { Ok(out) } else { Err(Repr::EmptyRequest.into()) }
    }
}

impl<S: Store> Core<S> {
    /// What the store's answer to a charge comes to, where no permit corrects it.
    fn charged(&self, targets: &[Target], standings: &[Standing], cost: Cost) -> Result<Decided, Error> {
        let decision = request::decision(&self.catalogue, targets, standings, cost, true)?;
        Ok(Decided { exceeded: request::exceeded(targets, standings, cost), ..Decided::of(decision) })
    }
}
