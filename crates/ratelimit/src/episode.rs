//! From single refusals to episodes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::event::{Cause, Event, EventKind};
use crate::fingerprint::Fingerprint;
use crate::rule::Rule;
use crate::state::Tick;

/// The refusals of one key, or of one rule for one cause, since they began.
#[derive(Debug)]
pub(crate) struct Episode {
    number: u64,
    cause: Cause,
    fingerprint: Fingerprint,
    first: Tick,
    last: Tick,
    refusals: u64,
}

/// Where the events of one rule come from and go to.
pub(crate) struct Reporter<'a> {
    pub(crate) rule: &'a Rule,
    /// An episode ends after so many nanoseconds without a refusal.
    pub(crate) quiet: u64,
    pub(crate) numbers: &'a AtomicU64,
    pub(crate) events: &'a mut Vec<Event>,
}

impl Reporter<'_> {
    /// Counts a refusal, in the episode that is open or in a new one.
    pub(crate) fn refused(
        &mut self,
        open: &mut Option<Box<Episode>>,
        now: Tick,
        cause: Cause,
        fingerprint: impl FnOnce() -> Fingerprint,
    ) {
        self.close_quiet(open, now);
        if open.is_none() {
            self.open(open, now, cause, fingerprint);
        }
        if let Some(episode) = open {
            episode.last = now.max(episode.last);
            episode.refusals = episode.refusals.saturating_add(1);
        }
    }

    /// Ends the episode, if there is one, and begins another without a refusal.
    pub(crate) fn open(
        &mut self,
        open: &mut Option<Box<Episode>>,
        now: Tick,
        cause: Cause,
        fingerprint: impl FnOnce() -> Fingerprint,
    ) {
        self.close(open.take());
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let episode = Episode { number, cause, fingerprint: fingerprint(), first: now, last: now, refusals: 0 };
        self.report(&episode, EventKind::Opened);
        *open = Some(Box::new(episode));
    }

    /// Ends the episode if there was no refusal for a while.
    pub(crate) fn close_quiet(&mut self, open: &mut Option<Box<Episode>>, now: Tick) {
        if open.as_ref().is_some_and(|episode| now.saturating_sub(episode.last) >= self.quiet) {
            self.close(open.take());
        }
    }

    /// Ends the episode, if there is one.
    pub(crate) fn close(&mut self, open: Option<Box<Episode>>) {
        if let Some(episode) = open {
            let lasted = Duration::from_nanos(episode.last.saturating_sub(episode.first));
            self.report(&episode, EventKind::Closed { refusals: episode.refusals, lasted });
        }
    }

    fn report(&mut self, episode: &Episode, kind: EventKind) {
        self.events.push(Event {
            rule: self.rule.shared_name(),
            mode: self.rule.mode(),
            cause: episode.cause,
            fingerprint: episode.fingerprint,
            episode: episode.number,
            kind,
        });
    }
}
