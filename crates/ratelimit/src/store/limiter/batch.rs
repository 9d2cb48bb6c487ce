//! Several decisions in one call.

use super::{Core, SharedLimiter};
use crate::cost::Cost;
use crate::decision::Decision;
use crate::error::{Error, Repr};
use crate::key::Key;
use crate::rule::RuleRef;
use crate::store::decided::Decided;
use crate::store::request::{self, Target};
use crate::store::{Standing, Store};

impl<S: Store> SharedLimiter<S> {
    /// As [`check`](Self::check), for several decisions in one call: each is admitted or refused on its own, in
    /// order. For a worker that takes requests from a queue; it costs the server a fraction of single checks.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check), and [`Store`](crate::ErrorKind::Store) if the store fails, instead of what
    /// [`OnStoreError`](crate::store::OnStoreError) says.
    pub async fn check_batch<R: RuleRef + Send + Sync>(
        &self,
        requests: &[(Vec<(R, Key)>, Cost)],
    ) -> Result<Vec<Decision>, Error> {
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
        let answers = core.within_deadline(core.store.decide_all(&decisions)).await?;
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
    pub(super) fn charged(&self, targets: &[Target], standings: &[Standing], cost: Cost) -> Result<Decided, Error> {
        let decision = request::decision(&self.catalogue, targets, standings, cost, true)?;
        Ok(Decided { exceeded: request::exceeded(targets, standings, cost), ..Decided::of(decision) })
    }
}
