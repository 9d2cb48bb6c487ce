//! Episodes of refusal, as one process saw them.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::episode::{Episode, Reporter};
use crate::event::{Cause, Event, Observer};
use crate::fingerprint::{Fingerprint, FingerprintKey};
use crate::store::request::Entry;

/// Episodes that are open at once. What is refused beyond them is counted in one episode of its rule.
const MOST: usize = 65_536;

/// A rule that refused a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused {
    /// The rule's place.
    pub(super) index: usize,
    /// The key, as the store knows it.
    pub(super) slot: [u8; 16],
    /// The key, as events name it.
    pub(super) fingerprint: Fingerprint,
}

pub(super) struct Episodes {
    open: Mutex<HashMap<Subject, Option<Box<Episode>>>>,
    numbers: AtomicU64,
    observer: Box<dyn Observer>,
}

/// A rule, and the slot of its key; none stands for the keys that found no room.
type Subject = (usize, Option<[u8; 16]>);

impl Episodes {
    pub(super) fn new(observer: Box<dyn Observer>) -> Self {
        Self { open: Mutex::default(), numbers: AtomicU64::new(0), observer }
    }

    pub(super) fn refused(&self, entries: &[Entry], fingerprints: &FingerprintKey, now: Duration, refused: &[Refused]) {
        let mut events = Vec::new();
        let mut open = self.lock();
        for &Refused { index, slot, fingerprint } in refused {
            let Some(entry) = entries.get(index) else { continue };
            let known = open.len() < MOST || open.contains_key(&(index, Some(slot)));
            let (subject, cause, fingerprint) = if known {
                ((index, Some(slot)), Cause::LimitExceeded, fingerprint)
            } else {
                ((index, None), Cause::TableFull, fingerprints.fingerprint(entry.rule.name(), None))
            };
            let mut reporter = self.reporter(entry, &mut events);
            reporter.refused(open.entry(subject).or_default(), tick(now), cause, || fingerprint);
        }
        drop(open);
        self.tell(&events);
    }

    /// Ends the episodes that have been quiet for a window.
    pub(super) fn sweep(&self, entries: &[Entry], now: Duration) {
        let mut events = Vec::new();
        self.lock().retain(|(index, _), episode| {
            if let Some(entry) = entries.get(*index) {
                self.reporter(entry, &mut events).close_quiet(episode, tick(now));
            }
            episode.is_some()
        });
        self.tell(&events);
    }

    /// How many are open for the rule at `index`.
    pub(super) fn count(&self, index: usize) -> usize {
        self.lock().keys().filter(|(rule, _)| *rule == index).count()
    }

    fn reporter<'a>(&'a self, entry: &'a Entry, events: &'a mut Vec<Event>) -> Reporter<'a> {
        Reporter { rule: &entry.rule, quiet: tick(entry.rule.period()), numbers: &self.numbers, events }
    }

    fn tell(&self, events: &[Event]) {
        events.iter().for_each(|event| self.observer.observe(event));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Subject, Option<Box<Episode>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tick(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
