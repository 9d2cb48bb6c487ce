//! One owner's place in the cache, and the one load that may be under way for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::error::Error;
use crate::tenant_keys::TenantKeys;

pub(crate) struct Slot {
    used: AtomicU64,
    ready: Mutex<Option<Ready>>,
    /// How many loads have ended.
    landed: AtomicU64,
    /// How often the keys were made to expire.
    expiries: AtomicU64,
    /// Held by the load that is under way. Holds how the one before it failed.
    runway: tokio::sync::Mutex<Option<Error>>,
}

struct Ready {
    keys: TenantKeys,
    expires: Instant,
}

/// What comes of asking for a load.
pub(crate) enum Boarding<'a> {
    Ready(TenantKeys),
    Failed(Error),
    Clear(Flight<'a>),
}

/// The one load of a slot that is under way. If it is dropped, the next in line loads.
pub(crate) struct Flight<'a> {
    slot: &'a Slot,
    started: Instant,
    expiries: u64,
    failure: tokio::sync::MutexGuard<'a, Option<Error>>,
}

impl Flight<'_> {
    /// Ends the load; `expiry` says when keys expire whose load began at a time.
    pub(crate) fn land(mut self, result: &Result<TenantKeys, Error>, expiry: impl Fn(Instant, &TenantKeys) -> Instant) {
        if let Ok(keys) = result {
            let mut ready = self.slot.ready();
            let overtaken = self.slot.expiries.load(Ordering::Relaxed) != self.expiries;
            let expires = if overtaken { self.started } else { expiry(self.started, keys) };
            *ready = Some(Ready { keys: keys.clone(), expires });
        }
        *self.failure = result.as_ref().err().cloned();
        self.slot.landed.fetch_add(1, Ordering::Release);
    }
}

impl Slot {
    pub(crate) const fn new(used: u64) -> Self {
        Self {
            used: AtomicU64::new(used),
            ready: Mutex::new(None),
            landed: AtomicU64::new(0),
            expiries: AtomicU64::new(0),
            runway: tokio::sync::Mutex::const_new(None),
        }
    }

    pub(crate) fn touch(&self, used: u64) {
        self.used.fetch_max(used, Ordering::Relaxed);
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// The keys, unless they have expired.
    pub(crate) fn fresh(&self, now: Instant) -> Option<TenantKeys> {
        self.ready().as_ref().filter(|ready| now < ready.expires).map(|ready| ready.keys.clone())
    }

    /// The keys, if they have expired.
    pub(crate) fn expired(&self, now: Instant) -> Option<TenantKeys> {
        self.ready().as_ref().filter(|ready| now >= ready.expires).map(|ready| ready.keys.clone())
    }

    /// The keys, expired or not.
    pub(crate) fn stale(&self) -> Option<TenantKeys> {
        self.ready().as_ref().map(|ready| ready.keys.clone())
    }

    /// Makes the keys expire, and those of a load under way, which may have read the store before.
    pub(crate) fn expire(&self, now: Instant) {
        let mut ready = self.ready();
        self.expiries.fetch_add(1, Ordering::Relaxed);
        if let Some(ready) = ready.as_mut() {
            ready.expires = now;
        }
    }

    /// Gets the right to load the keys, or waits for the load that is under way and shares its result, also if it fails:
    /// when the key management service is down, a thousand requests must not try it one after the other.
    pub(crate) async fn board(&self, now: impl Fn() -> Instant) -> Boarding<'_> {
        let landed = self.landed.load(Ordering::Acquire);
        let failure = self.runway.lock().await;
        let now = now();
        if let Some(keys) = self.fresh(now) {
            return Boarding::Ready(keys);
        }
        if self.landed.load(Ordering::Acquire) != landed
            && let Some(failure) = &*failure
        {
            return Boarding::Failed(failure.clone());
        }
        Boarding::Clear(Flight { slot: self, started: now, expiries: self.expiries.load(Ordering::Relaxed), failure })
    }

    fn ready(&self) -> MutexGuard<'_, Option<Ready>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
