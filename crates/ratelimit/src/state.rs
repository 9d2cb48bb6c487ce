//! What a rule remembers of one key.
//!
//! Both algorithms come down to a list of charges, oldest first, each with the tick at which it stops counting. All
//! questions are answered from that list, in integers.

use crate::rule::{Algorithm, Rule};

use self::exact_log::ExactLog;
use self::sliding_window::SlidingWindow;

mod exact_log;
mod sliding_window;

/// Nanoseconds since the clock's origin.
pub(crate) type Tick = u64;

/// The latest tick. With a window of at most [`Rule::WINDOW_MAX`], no sum of times in this crate can overflow.
pub(crate) const LAST_TICK: Tick = u64::MAX / 2;

/// A rule in the form that the algorithms use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) algorithm: Algorithm,
    pub(crate) limit: u32,
    /// In nanoseconds.
    pub(crate) window: u64,
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

#[derive(Debug)]
pub(crate) enum State {
    Exact(ExactLog),
    Window(Box<SlidingWindow>),
}

impl Terms {
    pub(crate) fn of(rule: &Rule) -> Self {
        Self {
            algorithm: rule.algorithm(),
            limit: rule.limit().get(),
            window: u64::try_from(rule.period().as_nanos()).unwrap_or(LAST_TICK),
        }
    }

    pub(crate) fn fresh(&self) -> State {
        match self.algorithm {
            Algorithm::ExactLog => State::Exact(ExactLog::default()),
            Algorithm::SlidingWindow => State::Window(Box::default()),
        }
    }
}

impl State {
    /// How `cost` would fare at `now`. Changes nothing.
    pub(crate) fn outlook(&self, terms: &Terms, now: Tick, cost: u32) -> Outlook {
        match self {
            Self::Exact(log) => outlook(log.charges(terms), terms, now, cost),
            Self::Window(ring) => outlook(ring.charges(terms), terms, now, cost),
        }
    }

    /// The tick from which this state cannot be told from a fresh one, whatever is asked of it.
    pub(crate) fn fresh_at(&self, terms: &Terms) -> Tick {
        let until = |charge: Charge| charge.until;
        match self {
            Self::Exact(log) => log.charges(terms).map(until).max(),
            Self::Window(ring) => ring.charges(terms).map(until).max(),
        }
        .unwrap_or(0)
    }

    /// Charges `cost`, or as much of it as the limit has room for. `now` is never before that of an earlier call.
    pub(crate) fn charge(&mut self, terms: &Terms, now: Tick, cost: u32) {
        let room = terms.limit.saturating_sub(self.outlook(terms, now, 0).used);
        let cost = cost.min(room);
        if cost > 0 {
            match self {
                Self::Exact(log) => log.charge(terms, now, cost),
                Self::Window(ring) => ring.charge(terms, now, cost),
            }
        }
    }

    /// Takes back `cost` of what was charged at `at`, if it is still remembered.
    pub(crate) fn release(&mut self, terms: &Terms, at: Tick, cost: u32) {
        match self {
            Self::Exact(log) => log.release(at, cost),
            Self::Window(ring) => ring.release(terms, at, cost),
        }
    }
}

fn outlook(charges: impl Iterator<Item = Charge> + Clone, terms: &Terms, now: Tick, cost: u32) -> Outlook {
    let live = charges.filter(|charge| charge.until > now);
    let used = live.clone().fold(0_u32, |sum, charge| sum.saturating_add(charge.cost));
    let reset = live.clone().map(|charge| charge.until).max().unwrap_or(now);
    // A cost above the limit never fits; the caller has dealt with it.
    let mut excess = used.saturating_add(cost).saturating_sub(terms.limit);
    let mut wait = 0;
    for charge in live {
        if excess == 0 {
            break;
        }
        excess = excess.saturating_sub(charge.cost);
        wait = charge.until.saturating_sub(now);
    }
    Outlook { used, wait, reset: reset.saturating_sub(now) }
}
