//! A bounded cache whose values are made once, however many ask for them at the same time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a value that could not be renewed is used before the next attempt.
const RETRY: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    slots: Mutex<HashMap<K, Arc<Slot<V>>>>,
    capacity: usize,
}

/// A value and its age limits.
#[derive(Debug)]
pub(crate) struct Entry<V> {
    pub(crate) value: V,
    /// From here on whoever asks tries to renew it; the others go on using it.
    pub(crate) renew_at: Instant,
    /// From here on it is not used at all.
    pub(crate) ends_at: Instant,
}

/// Why there is no value.
#[derive(Debug)]
pub(crate) enum Missing<E> {
    /// The attempt of this caller failed.
    Failed(E),
    /// An attempt of another caller, which this one waited for, failed.
    FailedElsewhere,
}

#[derive(Debug)]
struct Slot<V> {
    entry: Mutex<Option<Entry<V>>>,
    /// Held while a value is made.
    flight: tokio::sync::Mutex<()>,
    failures: AtomicU64,
}

impl<K: Clone + Eq + Hash, V: Clone> Cache<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { slots: Mutex::default(), capacity }
    }

    /// The value of `key`, made by `make` if there is none, or none that is young enough.
    pub(crate) async fn obtain<E>(
        &self,
        key: &K,
        make: impl Future<Output = Result<Entry<V>, E>>,
    ) -> Result<V, Missing<E>> {
        let slot = self.slot(key);
        let now = Instant::now();
        if let Some(value) = slot.read(now, |entry| entry.renew_at) {
            return Ok(value);
        }
        let failures = slot.failures.load(Ordering::Acquire);
        let old = slot.read(now, |entry| entry.ends_at);
        let _flight = match (slot.flight.try_lock(), &old) {
            (Ok(flight), _) => flight,
            (Err(_), Some(value)) => return Ok(value.clone()),
            (Err(_), None) => slot.flight.lock().await,
        };
        // Whoever held the flight may have made it, or failed.
        if let Some(value) = slot.read(Instant::now(), |entry| entry.renew_at) {
            return Ok(value);
        }
        if slot.failures.load(Ordering::Acquire) != failures {
            return old.ok_or(Missing::FailedElsewhere);
        }
        match make.await {
            Ok(entry) => {
                let value = entry.value.clone();
                *lock(&slot.entry) = Some(entry);
                Ok(value)
            }
            Err(error) => {
                slot.failures.fetch_add(1, Ordering::Release);
                slot.postpone();
                old.ok_or(Missing::Failed(error))
            }
        }
    }

    /// Forgets the values of every key that `of` picks, and returns them. A value that is being made meanwhile is not kept.
    #[cfg(any(test, feature = "lease"))]
    pub(crate) fn forget(&self, of: impl Fn(&K) -> bool) -> Vec<V> {
        let forgotten: Vec<_> = lock(&self.slots).extract_if(|key, _| of(key)).collect();
        forgotten.into_iter().filter_map(|(_, slot)| lock(&slot.entry).take()).map(|entry| entry.value).collect()
    }

    fn slot(&self, key: &K) -> Arc<Slot<V>> {
        let mut slots = lock(&self.slots);
        if let Some(slot) = slots.get(key) {
            return Arc::clone(slot);
        }
        if slots.len() >= self.capacity {
            make_room(&mut slots);
        }
        Arc::clone(slots.entry(key.clone()).or_default())
    }
}

/// Removes what has ended or was never made, or else what ends first. A slot in which somebody is making a value stays.
fn make_room<K: Clone + Eq + Hash, V>(slots: &mut HashMap<K, Arc<Slot<V>>>) {
    let now = Instant::now();
    let before = slots.len();
    slots.retain(|_, slot| slot.ends_at().map_or(Arc::strong_count(slot) > 1, |ends_at| ends_at > now));
    if slots.len() == before {
        let ends = slots.iter().filter_map(|(key, slot)| Some((slot.ends_at()?, key)));
        if let Some(key) = ends.min_by_key(|(ends_at, _)| *ends_at).map(|(_, key)| key.clone()) {
            slots.remove(&key);
        }
    }
}

impl<V: Clone> Slot<V> {
    /// The value, if `now` is before the given limit.
    fn read(&self, now: Instant, limit: impl Fn(&Entry<V>) -> Instant) -> Option<V> {
        let entry = lock(&self.entry);
        entry.as_ref().filter(|entry| now < limit(entry)).map(|entry| entry.value.clone())
    }
}

impl<V> Slot<V> {
    fn ends_at(&self) -> Option<Instant> {
        lock(&self.entry).as_ref().map(|entry| entry.ends_at)
    }

    fn postpone(&self) {
        if let Some(entry) = &mut *lock(&self.entry) {
            entry.renew_at = Instant::now().checked_add(RETRY).map_or(entry.ends_at, |retry| retry.min(entry.ends_at));
        }
    }
}

impl<V> Default for Slot<V> {
    fn default() -> Self {
        Self { entry: Mutex::default(), flight: tokio::sync::Mutex::default(), failures: AtomicU64::default() }
    }
}

/// Nothing here can be left half changed by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
