//! What all handles of one limiter share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::clock::Clock;
use crate::episode::{Episode, Reporter};
use crate::error::{Error, Repr};
use crate::event::{Cause, Event, Observer};
use crate::fingerprint::FingerprintKey;
use crate::limiter::Catalogue;
use crate::rule::{Mode, Rule, RuleRef};
use crate::state::{LAST_TICK, Terms, Tick};
use crate::table::{Table, Tagger};

pub(crate) struct Core {
    pub(super) catalogue: Catalogue,
    rules: Box<[Entry]>,
    pub(super) tagger: Tagger,
    clock: Box<dyn Clock>,
    /// The highest reading of the clock so far.
    latest: AtomicU64,
    observer: Box<dyn Observer>,
    pub(super) fingerprints: FingerprintKey,
    /// The number of the next episode.
    episodes: AtomicU64,
    pub(super) allowed: AtomicU64,
    pub(super) refused: AtomicU64,
}

/// A rule and all that it knows.
pub(crate) struct Entry {
    pub(super) rule: Rule,
    pub(super) terms: Terms,
    pub(super) table: Table,
    /// Refusals, by cause.
    pub(super) exceeded: AtomicU64,
    pub(super) table_full: AtomicU64,
    pub(super) above_limit: AtomicU64,
    /// Episodes that belong to no slot.
    shared: Mutex<SharedEpisodes>,
}

#[derive(Default)]
struct SharedEpisodes {
    table_full: Option<Box<Episode>>,
    above_limit: Option<Box<Episode>>,
}

impl Core {
    pub(super) fn new(
        catalogue: Catalogue,
        rules: Vec<Rule>,
        capacity: usize,
        clock: Box<dyn Clock>,
        observer: Box<dyn Observer>,
        fingerprints: FingerprintKey,
    ) -> Self {
        Self {
            catalogue,
            rules: rules.into_iter().map(|rule| Entry::new(rule, capacity)).collect(),
            tagger: Tagger::new(),
            clock,
            latest: AtomicU64::new(0),
            observer,
            fingerprints,
            episodes: AtomicU64::new(0),
            allowed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    pub(super) fn rules(&self) -> Vec<&Rule> {
        self.rules.iter().map(|entry| &entry.rule).collect()
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.rules
    }

    pub(super) fn rule(&self, rule: impl RuleRef) -> Result<&Entry, Error> {
        let index = self.catalogue.resolve(rule)?;
        self.entry(index)
    }

    pub(super) fn entry(&self, index: usize) -> Result<&Entry, Error> {
        self.rules.get(index).ok_or_else(|| Repr::ForeignRule.into())
    }

    /// The time, which never goes back. Read it while the shard that it is for is locked: then the times at which any
    /// one key is charged are in the order in which its shard was locked.
    pub(super) fn now(&self) -> Tick {
        let reading = u64::try_from(self.clock.now().as_nanos()).unwrap_or(LAST_TICK).min(LAST_TICK);
        self.latest.fetch_max(reading, Ordering::Relaxed).max(reading)
    }

    pub(super) fn reporter<'a>(&'a self, entry: &'a Entry, events: &'a mut Vec<Event>) -> Reporter<'a> {
        Reporter {
            rule: entry.rule.shared_name(),
            mode: entry.rule.mode(),
            quiet: entry.terms.window,
            numbers: &self.episodes,
            events,
        }
    }

    /// Hands events over. Call it with no lock held.
    pub(super) fn deliver(&self, events: &[Event]) {
        events.iter().for_each(|event| self.observer.observe(event));
    }

    pub(super) fn sweep(&self) {
        let mut events = Vec::new();
        for entry in self.rules.iter().filter(|entry| entry.rule.mode() != Mode::Off) {
            for mut shard in entry.table.shards() {
                let now = self.now();
                let mut reporter = self.reporter(entry, &mut events);
                for place in shard.slots_mut() {
                    if let Some(slot) = place {
                        reporter.close_quiet(&mut slot.episode, now);
                    }
                    let idle = |slot: &mut _| entry.is_idle(slot, now);
                    // Freed here, so that a slot that is not needed again does not keep its memory.
                    drop(place.take_if(idle));
                }
            }
            entry.close_shared(&mut self.reporter(entry, &mut events), self.now());
        }
        self.deliver(&events);
    }
}

impl Entry {
    fn new(rule: Rule, capacity: usize) -> Self {
        let capacity = if rule.mode() == Mode::Off { 1 } else { capacity };
        Self {
            terms: Terms::of(&rule),
            rule,
            table: Table::new(capacity),
            exceeded: AtomicU64::new(0),
            table_full: AtomicU64::new(0),
            above_limit: AtomicU64::new(0),
            shared: Mutex::default(),
        }
    }

    /// Counts a refusal that belongs to no slot.
    pub(super) fn refused_shared(&self, reporter: &mut Reporter<'_>, now: Tick, cause: Cause, key: &FingerprintKey) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let open = match cause {
            Cause::CostAboveLimit => &mut shared.above_limit,
            Cause::TableFull | Cause::LimitExceeded => &mut shared.table_full,
        };
        reporter.refused(open, now, cause, || key.fingerprint(self.rule.name(), None));
    }

    pub(super) fn open_shared(&self) -> usize {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        usize::from(shared.table_full.is_some()) + usize::from(shared.above_limit.is_some())
    }

    fn close_shared(&self, reporter: &mut Reporter<'_>, now: Tick) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        reporter.close_quiet(&mut shared.table_full, now);
        reporter.close_quiet(&mut shared.above_limit, now);
    }

    fn is_idle(&self, slot: &crate::table::Slot, now: Tick) -> bool {
        slot.episode.is_none() && slot.state.fresh_at(&self.terms) <= now
    }
}
