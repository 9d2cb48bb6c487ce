//! What all handles of one limiter share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::episode::{Episode, Reporter};
use crate::error::{Error, Repr};
use crate::event::{Cause, Event, Observer};
use crate::fingerprint::FingerprintKey;
use crate::limiter::Catalogue;
use crate::limiter::episodes::Episodes;
use crate::limiter::tally::Tally;
use crate::rule::{Algorithm, Mode, Overflow, Rule, RuleRef};
use crate::state::{LAST_TICK, Terms, Tick};
use crate::table::{Sketch, Table, Tagger};

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
    pub(super) allowed: Tally,
    pub(super) refused: Tally,
}

/// A rule and all that it knows.
pub(crate) struct Entry {
    pub(super) rule: Rule,
    pub(super) terms: Terms,
    pub(super) table: Table,
    pub(super) sketch: Option<Sketch>,
    /// Refusals, by cause.
    pub(super) exceeded: AtomicU64,
    pub(super) table_full: AtomicU64,
    pub(super) above_limit: AtomicU64,
    pub(super) episodes: Episodes,
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
            rules: rules.into_iter().map(|rule| Entry::new(rule, capacity, clock.resolution())).collect(),
            tagger: Tagger::new(),
            clock,
            latest: AtomicU64::new(0),
            observer,
            fingerprints,
            episodes: AtomicU64::new(0),
            allowed: Tally::default(),
            refused: Tally::default(),
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

    /// The time, which never goes back. Read it while the slot that it is for is latched: then the times at which any
    /// one key is charged are in the order in which its slot was latched.
    pub(super) fn now(&self) -> Tick {
        let reading = u64::try_from(self.clock.now().as_nanos()).unwrap_or(LAST_TICK).min(LAST_TICK);
        if self.clock.is_monotonic() {
            return reading;
        }
        self.latest.fetch_max(reading, Ordering::Relaxed).max(reading)
    }

    pub(super) fn reporter<'a>(&'a self, entry: &'a Entry, events: &'a mut Vec<Event>) -> Reporter<'a> {
        Reporter { rule: &entry.rule, quiet: entry.terms.window, numbers: &self.episodes, events }
    }

    /// Hands events over. Call it with no lock held.
    pub(super) fn deliver(&self, events: &[Event]) {
        events.iter().for_each(|event| self.observer.observe(event));
    }

    pub(super) fn sweep(&self) {
        let mut events = Vec::new();
        for entry in self.rules.iter().filter(|entry| entry.rule.mode() != Mode::Off) {
            for index in entry.episodes.slots() {
                let Some(mut slot) = entry.table.latch_at(index) else { continue };
                let (now, mut reporter) = (self.now(), self.reporter(entry, &mut events));
                entry.episodes.change(&mut slot, |open| reporter.close_quiet(open, now));
            }
            entry.close_shared(&mut self.reporter(entry, &mut events), self.now());
        }
        self.deliver(&events);
    }
}

impl Entry {
    fn new(rule: Rule, capacity: usize, slack: Duration) -> Self {
        let capacity = if rule.mode() == Mode::Off { 1 } else { capacity };
        let terms = Terms::of(&rule, slack);
        let table = Table::new(capacity, terms.words());
        let shares = rule.overflow() == Overflow::Share && rule.mode() != Mode::Off;
        Self {
            sketch: shares.then(|| Sketch::new(table.slots(), &terms)),
            table,
            terms,
            rule,
            exceeded: AtomicU64::new(0),
            table_full: AtomicU64::new(0),
            above_limit: AtomicU64::new(0),
            episodes: Episodes::none(),
            shared: Mutex::default(),
        }
    }

    /// What a key has done that this rule refuses.
    pub(super) fn breach(&self) -> Cause {
        if self.rule.algorithm() == Algorithm::Lockout { Cause::LockedOut } else { Cause::LimitExceeded }
    }

    /// Counts a refusal that belongs to no slot.
    pub(super) fn refused_shared(&self, reporter: &mut Reporter<'_>, now: Tick, cause: Cause, key: &FingerprintKey) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let open = match cause {
            Cause::CostAboveLimit => &mut shared.above_limit,
            Cause::TableFull | Cause::LimitExceeded | Cause::LockedOut => &mut shared.table_full,
        };
        reporter.refused(open, now, cause, || key.fingerprint(self.rule.name(), None));
    }

    /// Opens the episode of the full table, unless it is open.
    pub(super) fn report_overflow(&self, reporter: &mut Reporter<'_>, now: Tick, key: &FingerprintKey) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        reporter.close_quiet(&mut shared.table_full, now);
        if shared.table_full.is_none() {
            let fingerprint = || key.fingerprint(self.rule.name(), None);
            reporter.open(&mut shared.table_full, now, Cause::TableFull, fingerprint);
        }
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
}
