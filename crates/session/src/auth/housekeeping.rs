//! Removing what has ended.

use std::time::Duration;

use chrono::TimeDelta;

use super::Auth;
use crate::{
    error::Result,
    network::known_for,
    store::{Ending, SweepBounds},
    sweep::Swept,
};

/// Rows of each kind that one statement removes.
const BATCH: u32 = 1000;

impl Auth {
    /// Removes what ended longer than `older_than` ago: abandoned sign-ins, used and expired resets and changes of identifier, ended sessions,
    /// impersonations and connections; and the attempts that no lockout policy remembers any more, and networks that are no longer known. In statements of at most 1000 rows
    /// of each kind, until there is nothing left.
    ///
    /// An impersonation that ended by itself is noted first, with its event.
    ///
    /// Run it now and then; correctness does not depend on it, but tables grow. Rows of ended sessions and impersonations are evidence: keep them as long as you
    /// want to see them.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails; what was removed by then stays removed.
    pub async fn sweep(&self, older_than: Duration) -> Result<Swept> {
        let now = self.0.now();
        // Longer than since 1970 is for ever, and nothing of it is out of chrono's range.
        let age = TimeDelta::from_std(older_than)
            .unwrap_or(TimeDelta::MAX)
            .min(now.signed_duration_since(chrono::DateTime::UNIX_EPOCH));
        let memory = self.0.lockout.memory().max(self.0.identifier_lockout.memory());
        let bounds = SweepBounds {
            ended_before: now - age,
            attempts_before: now - age.max(memory),
            networks_before: now - age.max(known_for()),
        };
        self.0.end_impersonations(Ending::Over).await?;
        let mut all = Swept::default();
        loop {
            let swept = self.0.store.sweep(&bounds, BATCH).await?;
            all.add(&swept);
            if swept.most() < u64::from(BATCH) {
                return Ok(all);
            }
        }
    }
}
