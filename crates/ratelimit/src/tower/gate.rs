//! What the layer needs of a limiter.

use std::future::Future;

use crate::cost::Cost;
use crate::decision::Decision;
use crate::error::Error;
use crate::key::Key;
use crate::limiter::Limiter;
use crate::permit::{Permit, Reservation};
use crate::rule::{Rule, RuleId};

/// A limiter that a layer can stand in front of: the one in memory, or one that counts elsewhere.
pub trait Gate: Send + Sync + 'static {
    /// What it grants.
    type Permit: Correct;

    /// The handle of a rule.
    ///
    /// # Errors
    ///
    /// [`UnknownRule`](crate::ErrorKind::UnknownRule) if there is none of that name.
    fn rule(&self, name: &str) -> Result<RuleId, Error>;

    /// The definition of a rule.
    ///
    /// # Errors
    ///
    /// [`UnknownRule`](crate::ErrorKind::UnknownRule) if the handle is another limiter's.
    fn definition(&self, rule: RuleId) -> Result<&Rule, Error>;

    /// Charges all rules or none.
    ///
    /// # Errors
    ///
    /// As [`Limiter::reserve`]; the layer answers an error as a refusal.
    fn reserve(
        &self,
        keys: &[(RuleId, Key)],
        cost: Cost,
    ) -> impl Future<Output = Result<Reservation<Self::Permit>, Error>> + Send;
}

/// A permit whose charge can be corrected from where nothing can be awaited, such as the end of a response.
pub trait Correct: Send + 'static {
    /// The decision as it was when the permit was made.
    fn decision(&self) -> Decision;

    /// Takes the charge back, now or soon.
    fn take_back(self);

    /// Corrects the charge to `actual`, now or soon.
    fn correct(self, actual: u32);
}

impl Gate for Limiter {
    type Permit = Permit;

    fn rule(&self, name: &str) -> Result<RuleId, Error> {
        Self::rule(self, name)
    }

    fn definition(&self, rule: RuleId) -> Result<&Rule, Error> {
        Self::definition(self, rule)
    }

    async fn reserve(&self, keys: &[(RuleId, Key)], cost: Cost) -> Result<Reservation, Error> {
        Self::reserve(self, keys, cost)
    }
}

impl Correct for Permit {
    fn decision(&self) -> Decision {
        Self::decision(self)
    }

    fn take_back(self) {
        self.refund();
    }

    fn correct(self, actual: u32) {
        self.settle(actual);
    }
}
