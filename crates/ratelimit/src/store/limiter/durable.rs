//! Decisions in a transaction of the application's.

use sqlx::PgConnection;

use super::SharedLimiter;
use crate::cost::Cost;
use crate::decision::Decision;
use crate::error::Error;
use crate::key::Key;
use crate::postgres::PgStore;
use crate::rule::RuleRef;
use crate::store::request;

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
}
