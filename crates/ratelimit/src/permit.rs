//! A charge that may still be taken back.

use std::cmp::Ordering;
use std::fmt;

use crate::cost::Cost;
use crate::decision::Decision;
use crate::limiter::{Charges, Limiter};

/// The outcome of [`Limiter::reserve`], and of the `reserve` of a limiter that counts elsewhere, with its kind of permit.
#[derive(Debug)]
#[must_use = "a refused reservation must stop the action"]
pub enum Reservation<P = Permit> {
    /// The cost has been charged; the action may go on.
    Granted(P),
    /// Nothing has been charged; the action must not go on.
    Refused(Decision),
}

/// Proof that an action was admitted, and the means to correct what it was charged once its outcome is known.
///
/// The cost is charged when the permit is made, so requests that run at the same time cannot all pass before the first
/// of them is counted. **A permit that is dropped stays charged**: a request that is cancelled or panics counts.
/// Each method takes the permit, so nothing can be taken back twice.
#[must_use = "`commit`, `refund`, `settle` or `penalize`: a permit that is dropped stays charged"]
pub struct Permit {
    limiter: Limiter,
    decision: Decision,
    cost: Cost,
    charges: Charges,
}

impl Permit {
    pub(crate) fn new(limiter: Limiter, decision: Decision, cost: Cost, charges: Charges) -> Self {
        Self { limiter, decision, cost, charges }
    }

    /// The decision as it was when the permit was made.
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// Leaves the charge as it is: a wrong password. The same as dropping the permit, but said.
    pub fn commit(self) {}

    /// Takes the whole charge back from every rule, as if the action had not happened: the right password. What has
    /// left the window by now is gone already and is not taken back.
    pub fn refund(self) {
        self.limiter.release(&self.charges, self.cost.units());
    }

    /// Says that the credential was right: takes the charge back as [`refund`](Self::refund) does, and under a
    /// [lockout](crate::Rule::lockout) rule ends the row of failures, with the lock that this very attempt may have
    /// completed. Say it for the owner of the key alone: an attacker who signs in to an account of his own must not end
    /// the row of failures of an address.
    pub fn succeed(self) {
        self.limiter.succeed(&self.charges, self.cost.units());
    }

    /// Corrects the charge to what the action really cost. Less than was reserved gives back the difference, as
    /// [`refund`](Self::refund) does; more charges the difference, as [`penalize`](Self::penalize) does.
    pub fn settle(self, actual: u32) {
        let reserved = self.cost.units();
        match actual.cmp(&reserved) {
            Ordering::Less => self.limiter.release(&self.charges, reserved.saturating_sub(actual)),
            Ordering::Equal => {}
            Ordering::Greater => self.limiter.surcharge(&self.charges, actual.saturating_sub(reserved)),
        }
    }

    /// Charges `extra` more to every rule, at the time of this call. It can use up what is left of a limit and no more,
    /// so it never turns into a lock longer than one window.
    pub fn penalize(self, extra: Cost) {
        self.limiter.surcharge(&self.charges, extra.units());
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("decision", &self.decision).field("cost", &self.cost).finish_non_exhaustive()
    }
}
