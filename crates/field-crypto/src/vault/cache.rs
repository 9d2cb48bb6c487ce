//! The tenants' keys in memory.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::error::Retry;
use crate::id::TenantId;
use crate::tenant_keys::{SlotState, TenantKeys};
use crate::vault::flight::Slot;

/// How many tenants' keys stay in memory, and for how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CachePolicy {
    capacity: NonZeroUsize,
    lifetime: Duration,
}

pub(crate) struct Cache {
    policy: CachePolicy,
    clock: Arc<dyn Clock>,
    slots: Mutex<Slots>,
    /// Numbers uses, to find the entry that was not used for longest.
    uses: AtomicU64,
}

struct Slots {
    by_tenant: HashMap<TenantId, Arc<Slot>>,
    next_sweep: Instant,
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

impl Cache {
    pub(crate) fn new(policy: CachePolicy, clock: Arc<dyn Clock>) -> Self {
        let slots = Slots { by_tenant: HashMap::new(), next_sweep: clock.now() };
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

    /// The tenant's slot, empty if it is new, and the keys that had to leave to make room for it.
    pub(crate) fn slot(&self, tenant: TenantId) -> (Arc<Slot>, Vec<TenantKeys>) {
        let used = self.uses.fetch_add(1, Ordering::Relaxed);
        let mut slots = self.lock();
        if let Some(slot) = slots.by_tenant.get(&tenant) {
            slot.touch(used);
            return (Arc::clone(slot), Vec::new());
        }
        let mut evicted = Vec::new();
        self.sweep(&mut slots, &mut evicted);
        while slots.by_tenant.len() >= self.policy.capacity.get() {
            let oldest = slots.by_tenant.iter().min_by_key(|(_, slot)| slot.used()).map(|(tenant, _)| *tenant);
            let Some(slot) = oldest.and_then(|tenant| slots.by_tenant.remove(&tenant)) else { break };
            evicted.extend(slot.stale());
        }
        let slot = Arc::new(Slot::new(used));
        slots.by_tenant.insert(tenant, Arc::clone(&slot));
        (slot, evicted)
    }

    /// When keys expire whose load started at `started`: up to a tenth early, differently for each tenant, so that tenants
    /// that were loaded together are not reloaded together.
    pub(crate) fn expiry(&self, started: Instant, keys: &TenantKeys) -> Instant {
        let [.., spread] = *keys.tenant().as_uuid().as_bytes();
        let early = self.policy.lifetime / 10 * u32::from(spread) / 255;
        let mut lifetime = self.policy.lifetime.saturating_sub(early);
        if keys.slots().iter().any(|slot| matches!(slot.state, SlotState::Unavailable(Retry::Later))) {
            lifetime = lifetime.min(RETRY_AFTER);
        }
        started + lifetime
    }

    /// Makes the tenant's keys expire now.
    pub(crate) fn expire(&self, tenant: TenantId) {
        let slot = self.lock().by_tenant.get(&tenant).cloned();
        if let Some(slot) = slot {
            slot.expire(self.now());
        }
    }

    /// Removes a slot that has never held keys, so that requests for unknown tenants leave nothing behind.
    pub(crate) fn forget_unless_ready(&self, tenant: TenantId, slot: &Arc<Slot>) {
        let mut slots = self.lock();
        let same = slots.by_tenant.get(&tenant).is_some_and(|known| Arc::ptr_eq(known, slot));
        if same && slot.stale().is_none() {
            slots.by_tenant.remove(&tenant);
        }
    }

    pub(crate) fn all(&self) -> Vec<TenantKeys> {
        self.lock().by_tenant.values().filter_map(|slot| slot.stale()).collect()
    }

    /// Removes what has expired, at most ten times in a lifetime.
    fn sweep(&self, slots: &mut Slots, evicted: &mut Vec<TenantKeys>) {
        let now = self.now();
        if now < slots.next_sweep {
            return;
        }
        slots.next_sweep = now + self.policy.lifetime / 10;
        slots.by_tenant.retain(|_, slot| {
            let expired = slot.expired(now);
            evicted.extend(expired.clone());
            expired.is_none()
        });
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
