//! A charge in a store that may still be taken back.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use crate::cost::Cost;
use crate::decision::Decision;
use crate::error::Error;
use crate::store::limiter::Core;
use crate::store::{Ask, Store};

/// As [`Permit`](crate::Permit), for a charge in a [`Store`]: it corrects the charge where it was made, in the store or,
/// if that was down, in this process.
///
/// **A permit that is dropped stays charged**, and so does one whose correction fails: a correction that is repeated
/// could take another's charge back, so there is no retry.
#[must_use = "`commit`, `refund`, `settle` or `penalize`: a permit that is dropped stays charged"]
pub struct SharedPermit<S: Store> {
    pub(super) core: Arc<Core<S>>,
    pub(super) decision: Decision,
    pub(super) cost: Cost,
    pub(super) charged: Charged,
}

/// Where the charge is.
pub(super) enum Charged {
    Store(Vec<(Ask, u64)>, Option<crate::Permit>),
    Local(crate::Permit),
    Nowhere,
}

impl<S: Store> SharedPermit<S> {
    /// The decision as it was when the permit was made.
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// Leaves the charge as it is. The same as dropping the permit, but said.
    pub fn commit(self) {}

    /// Takes the whole charge back, as [`Permit::refund`](crate::Permit::refund) does.
    ///
    /// # Errors
    ///
    /// [`Store`](crate::ErrorKind::Store): the charge may stay.
    pub async fn refund(self) -> Result<(), Error> {
        let cost = self.cost.units();
        self.give_back(cost).await
    }

    /// Corrects the charge to what the action really cost, as [`Permit::settle`](crate::Permit::settle) does.
    ///
    /// # Errors
    ///
    /// [`Store`](crate::ErrorKind::Store): the charge may stay.
    pub async fn settle(self, actual: u32) -> Result<(), Error> {
        let reserved = self.cost.units();
        match actual.cmp(&reserved) {
            Ordering::Less => self.give_back(reserved.saturating_sub(actual)).await,
            Ordering::Equal => Ok(()),
            Ordering::Greater => self.add(actual.saturating_sub(reserved)).await,
        }
    }

    /// Charges `extra` more, as [`Permit::penalize`](crate::Permit::penalize) does.
    ///
    /// # Errors
    ///
    /// [`Store`](crate::ErrorKind::Store): the extra may be missing.
    pub async fn penalize(self, extra: Cost) -> Result<(), Error> {
        self.add(extra.units()).await
    }

    async fn give_back(self, cost: u32) -> Result<(), Error> {
        let left = self.cost.units().saturating_sub(cost);
        match self.charged {
            Charged::Store(charges, mirror) => {
                if let Some(mirror) = mirror {
                    mirror.settle(left);
                }
                self.core.within_deadline(self.core.store.release(&charges, cost)).await
            }
            Charged::Local(permit) => {
                permit.settle(left);
                Ok(())
            }
            Charged::Nowhere => Ok(()),
        }
    }

    async fn add(self, extra: u32) -> Result<(), Error> {
        let total = self.cost.units().saturating_add(extra);
        match self.charged {
            Charged::Store(charges, mirror) => {
                if let Some(mirror) = mirror {
                    mirror.settle(total);
                }
                let asks: Vec<Ask> = charges.into_iter().map(|(ask, _)| ask).collect();
                self.core.within_deadline(self.core.store.surcharge(&asks, extra)).await
            }
            Charged::Local(permit) => {
                permit.settle(total);
                Ok(())
            }
            Charged::Nowhere => Ok(()),
        }
    }
}

#[cfg(feature = "tower")]
impl<S: Store> crate::tower::Correct for SharedPermit<S> {
    fn decision(&self) -> Decision {
        self.decision
    }

    /// On the runtime of the request. Without one the charge stays.
    fn take_back(self) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(self.refund());
        }
    }

    /// On the runtime of the request. Without one the charge stays.
    fn correct(self, actual: u32) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(self.settle(actual));
        }
    }
}

impl<S: Store> fmt::Debug for SharedPermit<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedPermit")
            .field("decision", &self.decision)
            .field("cost", &self.cost)
            .finish_non_exhaustive()
    }
}
