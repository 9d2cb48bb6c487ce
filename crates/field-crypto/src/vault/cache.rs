//! Keys in memory: of tenants, and of their subjects.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Retry;
use crate::id::{SubjectId, TenantId};
use crate::tenant_keys::{SlotState, TenantKeys};
use crate::vault::clock::Clock;
use crate::vault::flight::Slot;

/// How many tenants' keys stay in memory, and for how long; and as many keys of subjects, for as long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CachePolicy {
    capacity: NonZeroUsize,
    lifetime: Duration,
}

pub(crate) struct Cache<I> {
    policy: CachePolicy,
    clock: Arc<dyn Clock>,
    slots: Mutex<Slots<I>>,
    /// Numbers uses, to find the entry that was not used for longest.
    uses: AtomicU64,
}

struct Slots<I> {
    by_owner: HashMap<I, Arc<Slot>>,
    next_sweep: Instant,
}

/// Whose keys an entry holds.
pub(crate) trait Owner: Copy + Eq + Hash {
    /// Differs between owners, as good as at random.
    fn spread(&self) -> u8;
}

impl Owner for TenantId {
    fn spread(&self) -> u8 {
        let [.., spread] = *self.as_uuid().as_bytes();
        spread
    }
}

impl Owner for (TenantId, SubjectId) {
    fn spread(&self) -> u8 {
        let [.., spread] = *self.1.as_uuid().as_bytes();
        spread
    }
}

/// An older key that could not be unwrapped for now is tried again after this.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl CachePolicy {
    /// A cache of the keys of `capacity` tenants, each for at most `lifetime`. The lifetime is how long this process
    /// may go on using a key that was destroyed elsewhere.
    #[must_use]
    pub const fn new(capacity: NonZeroUsize, lifetime: Duration) -> Self {
        Self { capacity, lifetime }
    }
}

impl Default for CachePolicy {
    /// 10,000 tenants, for five minutes.
    fn default() -> Self {
        const CAPACITY: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
        Self::new(CAPACITY, Duration::from_secs(300))
    }
}

impl<I: Owner> Cache<I> {
    pub(crate) fn new(policy: CachePolicy, clock: Arc<dyn Clock>) -> Self {
        let slots = Slots { by_owner: HashMap::new(), next_sweep: clock.now() };
        Self { policy, clock, slots: Mutex::new(slots), uses: AtomicU64::new(0) }
    }

    pub(crate) const fn policy(&self) -> CachePolicy {
        self.policy
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The owner's slot, empty if it is new, and the keys that had to leave to make room for it.
    pub(crate) fn slot(&self, owner: I) -> (Arc<Slot>, Vec<TenantKeys>) {
        let used = self.uses.fetch_add(1, Ordering::Relaxed);
        let mut slots = self.lock();
        if let Some(slot) = slots.by_owner.get(&owner) {
            slot.touch(used);
            return (Arc::clone(slot), Vec::new());
        }
        let mut evicted = Vec::new();
        self.sweep(&mut slots, &mut evicted);
        while slots.by_owner.len() >= self.policy.capacity.get() {
            let oldest = slots.by_owner.iter().min_by_key(|(_, slot)| slot.used()).map(|(owner, _)| *owner);
            let Some(slot) = oldest.and_then(|owner| slots.by_owner.remove(&owner)) else { break };
            evicted.extend(slot.stale());
        }
        let slot = Arc::new(Slot::new(used));
        slots.by_owner.insert(owner, Arc::clone(&slot));
        (slot, evicted)
    }

    /// When keys expire whose load started at `started`: up to a tenth early, differently for each owner, so that what
    /// was loaded together is not reloaded together.
    pub(crate) fn expiry(&self, started: Instant, owner: I, keys: &TenantKeys) -> Instant {
        let early = self.policy.lifetime / 10 * u32::from(owner.spread()) / 255;
        let mut lifetime = self.policy.lifetime.saturating_sub(early);
        if keys.slots().iter().any(|slot| matches!(slot.state, SlotState::Unavailable(Retry::Later))) {
            lifetime = lifetime.min(RETRY_AFTER);
        }
        started + lifetime
    }

    /// Makes the owner's keys expire now.
    pub(crate) fn expire(&self, owner: I) {
        let slot = self.lock().by_owner.get(&owner).cloned();
        if let Some(slot) = slot {
            slot.expire(self.now());
        }
    }

    /// Makes the keys of all these owners expire now.
    pub(crate) fn expire_where(&self, which: impl Fn(&I) -> bool) {
        let now = self.now();
        self.lock().by_owner.iter().filter(|(owner, _)| which(owner)).for_each(|(_, slot)| slot.expire(now));
    }

    /// Removes a slot that has never held keys, so that requests for unknown owners leave nothing behind.
    pub(crate) fn forget_unless_ready(&self, owner: I, slot: &Arc<Slot>) {
        let mut slots = self.lock();
        let same = slots.by_owner.get(&owner).is_some_and(|known| Arc::ptr_eq(known, slot));
        if same && slot.stale().is_none() {
            slots.by_owner.remove(&owner);
        }
    }

    pub(crate) fn all(&self) -> Vec<TenantKeys> {
        self.lock().by_owner.values().filter_map(|slot| slot.stale()).collect()
    }

    /// Removes what has expired, at most ten times in a lifetime.
    fn sweep(&self, slots: &mut Slots<I>, evicted: &mut Vec<TenantKeys>) {
        let now = self.now();
        if now < slots.next_sweep {
            return;
        }
        slots.next_sweep = now + self.policy.lifetime / 10;
        slots.by_owner.retain(|_, slot| {
            let expired = slot.expired(now);
            evicted.extend(expired.clone());
            expired.is_none()
        });
    }

    fn lock(&self) -> MutexGuard<'_, Slots<I>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
