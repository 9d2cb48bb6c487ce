//! What a rule remembers of one key: a few words in the table.
//!
//! A log and a ring come down to a list of charges, oldest first, each with the tick at which it stops counting; a token
//! bucket to the one tick at which it is full again. All questions are answered from these, in integers. Words that
//! are all zero are the state of a key that was never charged.

use std::time::Duration;

use crate::lockout::Lockout;
use crate::rule::{Algorithm, Rule};
use crate::table::Cells;

use self::exact_log::ExactLog;
use self::failures::Failures;
use self::gcra::Gcra;
use self::sliding_window::SlidingWindow;

mod exact_log;
mod failures;
mod gcra;
mod sliding_window;

/// Nanoseconds since the clock's origin.
pub(crate) type Tick = u64;

/// The latest tick. With a window of at most [`Rule::WINDOW_MAX`], no sum of times in this crate can overflow.
pub(crate) const LAST_TICK: Tick = u64::MAX / 2;

/// A rule in the form that the algorithms use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) algorithm: Algorithm,
    /// What counts at one time, at most: the burst of a token bucket.
    pub(crate) limit: u32,
    /// In nanoseconds.
    pub(crate) window: u64,
    /// The nanoseconds in which a token bucket gets one unit back. With the limit, a product of at most
    /// [`Rule::WINDOW_MAX`].
    pub(crate) interval: u64,
    pub(crate) lockout: Option<Lockout>,
    /// By how many nanoseconds a lock is longer than it says.
    pub(crate) slack: u64,
}

/// A cost that counts while the time is before `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Charge {
    until: Tick,
    cost: u32,
}

/// What would become of a cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outlook {
    /// Units that count now.
    pub(crate) used: u32,
    /// Nanoseconds until there is room for the cost, 0 if there is room now.
    pub(crate) wait: u64,
    /// Nanoseconds until nothing counts any more.
    pub(crate) reset: u64,
}

impl Terms {
    /// The terms of a rule under a clock whose readings may be late by `slack`.
    pub(crate) fn of(rule: &Rule, slack: Duration) -> Self {
        let window = rule.period().saturating_add(slack);
        Self {
            algorithm: rule.algorithm(),
            limit: rule.burst().get(),
            window: nanoseconds(window),
            interval: u64::try_from(rule.interval(window)).unwrap_or(LAST_TICK),
            lockout: rule.lockout_terms().copied(),
            slack: nanoseconds(slack),
        }
    }

    /// The words of state of a key.
    pub(crate) fn words(&self) -> usize {
        match self.algorithm {
            Algorithm::ExactLog => ExactLog::words(self),
            Algorithm::SlidingWindow => SlidingWindow::words(self),
            Algorithm::Gcra | Algorithm::GcraStrict => Gcra::WORDS,
            Algorithm::Lockout => Failures::WORDS,
        }
    }

    /// How `cost` would fare at `now`. Changes nothing.
    pub(crate) fn outlook(&self, cells: Cells<'_>, now: Tick, cost: u32) -> Outlook {
        match self.algorithm {
            Algorithm::ExactLog => outlook(ExactLog::new(self, cells).charges(), self, now, cost),
            Algorithm::SlidingWindow => outlook(SlidingWindow::new(self, cells).charges(), self, now, cost),
            Algorithm::Gcra | Algorithm::GcraStrict => Gcra::load(cells).outlook(self, now, cost),
            Algorithm::Lockout => Failures::load(cells).outlook(self, now, cost),
        }
    }

    /// The tick from which this state cannot be told from a fresh one, whatever is asked of it.
    pub(crate) fn fresh_at(&self, cells: Cells<'_>) -> Tick {
        let until = |charge: Charge| charge.until;
        match self.algorithm {
            Algorithm::ExactLog => ExactLog::new(self, cells).charges().last().map_or(0, until),
            Algorithm::SlidingWindow => SlidingWindow::new(self, cells).charges().last().map_or(0, until),
            Algorithm::Gcra | Algorithm::GcraStrict => Gcra::load(cells).full_at(),
            Algorithm::Lockout => Failures::load(cells).forgotten_at(self),
        }
    }

    /// Charges `cost`, at least 1 and for which there is room, and says from when the state cannot be told from a fresh one, as
    /// [`fresh_at`](Self::fresh_at) would. `now` is never before that of an earlier call.
    pub(crate) fn charge(&self, cells: Cells<'_>, now: Tick, cost: u32) -> Tick {
        match self.algorithm {
            Algorithm::ExactLog => ExactLog::new(self, cells).charge(now, cost),
            Algorithm::SlidingWindow => SlidingWindow::new(self, cells).charge(now, cost),
            Algorithm::Gcra | Algorithm::GcraStrict => {
                let charged = Gcra::load(cells).charge(self, now, cost);
                charged.store(cells);
                charged.full_at()
            }
            Algorithm::Lockout => {
                let charged = Failures::load(cells).charge(self, now, cost);
                charged.store(cells);
                charged.forgotten_at(self)
            }
        }
    }

    /// Charges `cost`, or as much of it as the limit has room for.
    pub(crate) fn surcharge(&self, cells: Cells<'_>, now: Tick, cost: u32) {
        let room = self.limit.saturating_sub(self.outlook(cells, now, 0).used);
        if room > 0 {
            self.charge(cells, now, cost.min(room));
        }
    }

    /// Takes back `cost` of what was charged at `at`, as far as it is still remembered at `now`.
    pub(crate) fn release(&self, cells: Cells<'_>, at: Tick, now: Tick, cost: u32) {
        match self.algorithm {
            Algorithm::ExactLog => ExactLog::new(self, cells).release(at, cost),
            Algorithm::SlidingWindow => SlidingWindow::new(self, cells).release(at, cost),
            Algorithm::Gcra | Algorithm::GcraStrict => Gcra::load(cells).release(self, at, now, cost).store(cells),
            Algorithm::Lockout => Failures::load(cells).release(self, at, now, cost).store(cells),
        }
    }

    /// As [`release`](Self::release), after a success: the failures before it no longer count either.
    pub(crate) fn succeed(&self, cells: Cells<'_>, at: Tick, now: Tick, cost: u32) {
        match self.algorithm {
            Algorithm::Lockout => Failures::load(cells).succeed(at).store(cells),
            _ => self.release(cells, at, now, cost),
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(LAST_TICK)
}

fn outlook(charges: impl Iterator<Item = Charge> + Clone, terms: &Terms, now: Tick, cost: u32) -> Outlook {
    let live = charges.filter(|charge| charge.until > now);
    let (used, reset) =
        live.clone().fold((0_u32, now), |(sum, _), charge| (sum.saturating_add(charge.cost), charge.until));
    // A cost above the limit never fits; the caller has dealt with it.
    let mut excess = used.saturating_add(cost).saturating_sub(terms.limit);
    let mut wait = 0;
    if excess > 0 {
        for charge in live {
            excess = excess.saturating_sub(charge.cost);
            wait = charge.until.saturating_sub(now);
            if excess == 0 {
                break;
            }
        }
    }
    Outlook { used, wait, reset: reset.saturating_sub(now) }
}

#[cfg(test)]
mod tests;
