//! The limiter: named rules over tables of keys.

use std::fmt;
use std::sync::Arc;

use crate::cost::Cost;
use crate::decision::Decision;
use crate::error::Error;
use crate::fingerprint::Fingerprint;
use crate::key::Key;
use crate::permit::{Permit, Reservation};
use crate::rule::{Rule, RuleId, RuleRef};

pub use self::builder::LimiterBuilder;
pub use self::snapshot::{RuleSnapshot, Snapshot};

pub(crate) use self::catalogue::Catalogue;
pub(crate) use self::correction::Charges;

use self::core::Core;
use self::ruling::Intent;

mod builder;
mod catalogue;
mod core;
mod correction;
mod episodes;
mod finding;
mod request;
mod ruling;
mod snapshot;
mod tally;

/// Named rules and their counts in this process. Clones share both.
///
/// A request names one or several rules, each with the [`Key`] that it limits, and either all of them admit it or none
/// is charged. A pair of rule and key that is named twice counts once. Calls never block except on each other, for the
/// time that the counting takes, so they may be made from async code.
#[derive(Clone)]
pub struct Limiter {
    core: Arc<Core>,
}

impl Limiter {
    /// A builder without rules.
    pub fn builder() -> LimiterBuilder {
        LimiterBuilder::new()
    }

    /// The handle of the rule named `name`: look it up at start, so that a wrong name cannot wait for a request.
    ///
    /// # Errors
    ///
    /// [`UnknownRule`](crate::ErrorKind::UnknownRule) if there is none.
    pub fn rule(&self, name: &str) -> Result<RuleId, Error> {
        self.core.catalogue.id(name)
    }

    /// The definition of a rule: its name, limit and window, for a page or a header.
    ///
    /// # Errors
    ///
    /// [`UnknownRule`](crate::ErrorKind::UnknownRule) if there is none.
    pub fn definition(&self, rule: impl RuleRef) -> Result<&Rule, Error> {
        self.core.rule(rule).map(|entry| &entry.rule)
    }

    /// Asks all rules, and charges `cost` to each of them if all admit it.
    ///
    /// # Errors
    ///
    /// [`NoRules`](crate::ErrorKind::NoRules) if `keys` is empty, [`UnknownRule`](crate::ErrorKind::UnknownRule), or
    /// [`CostAboveLimit`](crate::ErrorKind::CostAboveLimit) if `cost` is more than an enforced rule ever admits.
    pub fn check<R: RuleRef>(&self, keys: &[(R, Key)], cost: Cost) -> Result<Decision, Error> {
        if let [(rule, key)] = keys
            && let Some(decision) = self.core.admit_at_once(self.core.catalogue.resolve(*rule)?, key, cost)
        {
            return Ok(decision);
        }
        self.core.decide(keys, cost, Intent::Charge).map(|ruling| ruling.decision)
    }

    /// What [`check`](Self::check) would decide, charging and reporting nothing. The answer of another thread's `check`
    /// may differ a moment later: use [`reserve`](Self::reserve) to look before acting.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn peek<R: RuleRef>(&self, keys: &[(R, Key)], cost: Cost) -> Result<Decision, Error> {
        self.core.decide(keys, cost, Intent::Peek).map(|ruling| ruling.decision)
    }

    /// As [`check`](Self::check), with a permit that can correct the charge once the outcome is known: reserve before
    /// the password is hashed, refund when it was right.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn reserve<R: RuleRef>(&self, keys: &[(R, Key)], cost: Cost) -> Result<Reservation, Error> {
        let ruling = self.core.decide(keys, cost, Intent::Reserve)?;
        Ok(if ruling.decision.allowed {
            Reservation::Granted(Permit::new(self.clone(), ruling.decision, cost, ruling.charges))
        } else {
            Reservation::Refused(ruling.decision)
        })
    }

    /// The fingerprint that `key` has in the events of `rule`, to find a known key among them.
    ///
    /// # Errors
    ///
    /// [`UnknownRule`](crate::ErrorKind::UnknownRule).
    pub fn fingerprint(&self, rule: impl RuleRef, key: &Key) -> Result<Fingerprint, Error> {
        let entry = self.core.rule(rule)?;
        Ok(self.core.fingerprints.fingerprint(entry.rule.name(), Some(key)))
    }

    /// Ends the episodes that have been quiet for a window, and frees the memory of keys that are as good as new.
    /// Counts are right without it; the `Closed` events of keys that never come back are late without it. Call it from
    /// a timer, say once a minute.
    pub fn sweep(&self) {
        self.core.sweep();
    }

    /// Rules, counts and refusals at this moment, for an operator's page. Passes over every slot, one shard at a time.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.core.snapshot()
    }

    /// Forgets all that `rule` has counted for `key`, and says whether that was anything: an administrator ends a
    /// lockout, or its owner has proved who he is another way.
    ///
    /// # Errors
    ///
    /// [`UnknownRule`](crate::ErrorKind::UnknownRule).
    pub fn forget(&self, rule: impl RuleRef, key: &Key) -> Result<bool, Error> {
        let entry = self.core.rule(rule)?;
        Ok(self.core.forget(entry, key))
    }

    pub(crate) fn succeed(&self, charges: &Charges, cost: u32) {
        self.core.succeed(charges, cost);
    }

    #[cfg(feature = "store")]
    pub(crate) fn id_at(&self, index: usize) -> RuleId {
        self.core.catalogue.id_at(index)
    }

    pub(crate) fn release(&self, charges: &Charges, cost: u32) {
        self.core.release(charges, cost);
    }

    pub(crate) fn surcharge(&self, charges: &Charges, cost: u32) {
        self.core.surcharge(charges, cost);
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("rules", &self.core.rules()).finish_non_exhaustive()
    }
}
