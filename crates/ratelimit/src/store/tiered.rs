//! Fewer round trips: tokens that were charged ahead, and refusals that are remembered.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::cost::Cost;
use crate::decision::{Decision, Source};
use crate::error::Error;
use crate::key::Key;
use crate::permit::Reservation;
use crate::rule::{RuleId, RuleRef};
use crate::store::Store;
use crate::store::limiter::{Core, SharedLimiter};
use crate::store::permit::SharedPermit;

/// A refusal is believed for at most so long, because a refund elsewhere may end it sooner.
const DENIAL: Duration = Duration::from_secs(1);

/// Keys that are remembered. Beyond it, every check is a round trip.
const KEYS: usize = 65_536;

/// How tokens are leased.
#[derive(Clone, Copy, Debug)]
pub struct Leases {
    /// How many processes there may be. A lease is at most a quarter of one process's part of the limit, and at most
    /// half of its part of what is left.
    pub processes: NonZeroU32,
    /// How long a lease may be used. All windows in the store are so much longer, so that a token that is used late still
    /// counts for a whole window after its use.
    pub lifetime: Duration,
}

/// A [`SharedLimiter`] that leases tokens: for limits that are asked often, such as an API's by tenant.
///
/// Tokens are charged in the store before they are used, so **no window holds more than the limit**, whatever becomes of
/// a process. What is leased and not used is missing elsewhere: at any time at most `processes` times a lease, so at
/// most a quarter of the limit. A lease that ends gives its rest back with the next request of its key.
///
/// A check asks one rule. Where it admits without the store, the decision's source is [`Source::Lease`] and `remaining`
/// is what is left of the lease; where it refuses without, [`Source::DenyCache`].
pub struct Tiered<S: Store> {
    limiter: SharedLimiter<S>,
    leases: Leases,
    keys: Mutex<HashMap<(usize, Key), Known<S>>>,
}

/// What is known of a key without asking.
enum Known<S: Store> {
    /// Nothing is left, until a time of this process.
    Nothing {
        until: Duration,
        decision: Decision,
    },
    /// So many units were left when the store was asked last.
    Left(u32),
    Leased(Lease<S>),
}

struct Lease<S: Store> {
    permit: SharedPermit<S>,
    used: u32,
    left: u32,
    until: Duration,
}

impl<S: Store> Tiered<S> {
    pub(super) fn new(limiter: SharedLimiter<S>, leases: Leases) -> Self {
        Self { limiter, leases, keys: Mutex::default() }
    }

    /// As [`SharedLimiter::rule`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn rule(&self, name: &str) -> Result<RuleId, Error> {
        self.limiter.rule(name)
    }

    /// The limiter behind: for requests of several rules, reservations and whatever must not wait for a lease to end.
    /// Its windows are longer by the lifetime of a lease.
    #[must_use]
    pub fn store(&self) -> &SharedLimiter<S> {
        &self.limiter
    }

    /// As [`SharedLimiter::check`], for one rule and without a round trip where a lease or a refusal is at hand.
    ///
    /// # Errors
    ///
    /// As [`SharedLimiter::check`].
    pub async fn check<R: RuleRef + Send + Sync>(&self, rule: R, key: &Key, cost: Cost) -> Result<Decision, Error> {
        let core = self.limiter.core();
        let (id, limit) = core.resolve(rule)?;
        let place = (id.index, key.clone());
        let now = core.now();
        let (former, left) = match self.answer(&place, cost.units(), now) {
            Answer::Known(decision) => return Ok(decision),
            Answer::Unknown { former, left } => (former, left),
        };
        // What a lease that has ended did not use goes back first, so that it can be had again.
        if let Some(lease) = former {
            // If it fails, the rest stays charged until it leaves the window.
            let _ = lease.permit.settle(lease.used).await;
        }
        let keys = [(id, key.clone())];
        if let Some(size) = self.size(limit, left).filter(|size| size.units() > cost.units())
            && let Reservation::Granted(permit) = self.limiter.reserve_ahead(&keys, size).await?
        {
            let decision = permit.decision();
            // The lifetime began when the question was sent, which is before the tokens were charged.
            let until = now.saturating_add(self.leases.lifetime);
            let rest = size.units().saturating_sub(cost.units());
            let lease = Lease { permit, used: cost.units(), left: rest, until };
            if let Some(surplus) = self.keep(place, lease) {
                let _ = surplus.permit.settle(surplus.used).await;
            }
            return Ok(decision);
        }
        let decision = self.limiter.check(&keys, cost).await?;
        self.learn(place, core, &decision);
        Ok(decision)
    }

    /// Gives back what is left of every lease: before the process ends. What cannot be given back stays charged until it
    /// leaves the window.
    pub async fn give_back(&self) {
        let known: Vec<_> = self.lock().drain().map(|(_, known)| known).collect();
        for known in known {
            if let Known::Leased(lease) = known {
                let _ = lease.permit.settle(lease.used).await;
            }
        }
    }

    fn answer(&self, place: &(usize, Key), cost: u32, now: Duration) -> Answer<S> {
        let mut keys = self.lock();
        match keys.get_mut(place) {
            Some(Known::Nothing { until, decision }) if now < *until => {
                let waited = decision.retry_after.min(until.saturating_sub(now));
                return Answer::Known(Decision { retry_after: waited, source: Source::DenyCache, ..*decision });
            }
            Some(Known::Leased(lease)) if now < lease.until && lease.left >= cost => {
                lease.left = lease.left.saturating_sub(cost);
                lease.used = lease.used.saturating_add(cost);
                let decision = lease.permit.decision();
                return Answer::Known(Decision { remaining: lease.left, source: Source::Lease, ..decision });
            }
            _ => {}
        }
        match keys.remove(place) {
            Some(Known::Leased(lease)) => {
                let left = lease.permit.decision().remaining;
                Answer::Unknown { former: Some(lease), left }
            }
            Some(Known::Left(left)) => Answer::Unknown { former: None, left },
            Some(Known::Nothing { .. }) | None => Answer::Unknown { former: None, left: 0 },
        }
    }

    /// How much to lease while so much is left; nothing where that is not worth it.
    fn size(&self, limit: u32, left: u32) -> Option<Cost> {
        let processes = self.leases.processes.get();
        let most = limit / processes.saturating_mul(4);
        NonZeroU32::new(most.min(left / processes.saturating_mul(2))).map(Cost::new)
    }

    /// Keeps a lease, unless another request has got one meanwhile or no key more is remembered: then it is returned,
    /// to be given back. A charge that is not in the store is no lease.
    fn keep(&self, place: (usize, Key), lease: Lease<S>) -> Option<Lease<S>> {
        let now = self.limiter.core().now();
        let mut keys = self.lock();
        let taken = matches!(keys.get(&place), Some(Known::Leased(_)));
        if taken || lease.permit.decision().source != Source::Store || !has_room(&mut keys, &place, now) {
            return Some(lease);
        }
        keys.insert(place, Known::Leased(lease));
        None
    }

    fn learn(&self, place: (usize, Key), core: &Core<S>, decision: &Decision) {
        if decision.source != Source::Store {
            return;
        }
        let now = core.now();
        let until = now.saturating_add(decision.retry_after.min(DENIAL));
        let known = match decision.allowed {
            // Another cost might still fit where something is left.
            false if decision.remaining > 0 => return,
            false => Known::Nothing { until, decision: *decision },
            true => Known::Left(decision.remaining),
        };
        let mut keys = self.lock();
        if !matches!(keys.get(&place), Some(Known::Leased(_))) && has_room(&mut keys, &place, now) {
            keys.insert(place, known);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(usize, Key), Known<S>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Answer<S: Store> {
    Known(Decision),
    Unknown { former: Option<Lease<S>>, left: u32 },
}

/// Makes room by forgetting what is of no use any more, or costs a round trip and no more.
fn has_room<S: Store>(keys: &mut HashMap<(usize, Key), Known<S>>, place: &(usize, Key), now: Duration) -> bool {
    if keys.len() >= KEYS && !keys.contains_key(place) {
        keys.retain(|_, known| match known {
            Known::Nothing { until, .. } => *until > now,
            Known::Left(_) => false,
            // What it did not use stays charged until it leaves the window.
            Known::Leased(lease) => lease.until > now,
        });
    }
    keys.len() < KEYS || keys.contains_key(place)
}

impl<S: Store> fmt::Debug for Tiered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tiered").field("limiter", &self.limiter).field("leases", &self.leases).finish_non_exhaustive()
    }
}
