//! What the tests share: a limiter for one key, plain models to compare it with, and traffic.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use stockade_ratelimit::{
    Algorithm, Cost, Decision, Event, Key, Limiter, LimiterBuilder, ManualClock, Observer, Permit, Reservation, Rule,
};

pub(crate) fn n(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

pub(crate) fn cost(units: u32) -> Cost {
    Cost::new(n(units))
}

pub(crate) fn ns(nanoseconds: u64) -> Duration {
    Duration::from_nanos(nanoseconds)
}

pub(crate) type Make = fn(&'static str, NonZeroU32, Duration) -> Rule;

/// A rule of every kind that admits at once what it is asked for, and is as good as new when the duration has passed
/// (a window rule: 16/15 of it).
pub(crate) const KINDS: [Make; 4] = [
    |name, n, w| Rule::exact(name, n, w),
    |name, n, w| Rule::window(name, n, w),
    |name, n, w| Rule::gcra(name, n, w),
    strict,
];

fn strict(name: &'static str, burst: NonZeroU32, window: Duration) -> Rule {
    Rule::gcra_strict(name, burst.saturating_add(burst.get()), window, burst)
}

/// What a window may see of a rule, as its documentation says.
pub(crate) fn bound(rule: &Rule) -> u32 {
    match rule.algorithm() {
        Algorithm::Gcra => 2 * rule.limit().get() - 1,
        _ => rule.limit().get(),
    }
}

/// A limiter whose clock stands at `start`.
pub(crate) fn build(
    clock: &ManualClock,
    rules: &[Rule],
    more: impl FnOnce(LimiterBuilder) -> LimiterBuilder,
) -> Limiter {
    let builder = rules.iter().cloned().fold(Limiter::builder(), LimiterBuilder::rule);
    more(builder.clock(clock.clone()).capacity(64)).build().unwrap()
}

/// One rule, one key.
pub(crate) struct Single {
    pub(crate) limiter: Limiter,
    pub(crate) clock: ManualClock,
    rule: String,
    key: Key,
}

impl Single {
    pub(crate) fn new(rule: &Rule) -> Self {
        let clock = ManualClock::new();
        let limiter = build(&clock, std::slice::from_ref(rule), |builder| builder);
        Self { limiter, clock, rule: rule.name().to_owned(), key: Key::text("the key") }
    }

    pub(crate) fn check(&self, units: u32) -> Decision {
        self.limiter.check(&[(self.rule.as_str(), self.key.clone())], cost(units)).unwrap()
    }

    pub(crate) fn peek(&self, units: u32) -> Decision {
        self.limiter.peek(&[(self.rule.as_str(), self.key.clone())], cost(units)).unwrap()
    }

    pub(crate) fn reserve(&self, units: u32) -> Option<Permit> {
        match self.limiter.reserve(&[(self.rule.as_str(), self.key.clone())], cost(units)).unwrap() {
            Reservation::Granted(permit) => Some(permit),
            Reservation::Refused(decision) => {
                assert!(!decision.allowed);
                None
            }
        }
    }

    pub(crate) fn advance(&self, nanoseconds: u64) {
        self.clock.advance(ns(nanoseconds));
    }

    pub(crate) fn tracked(&self) -> usize {
        self.limiter.snapshot().rules[0].keys_tracked
    }
}

/// The reference: a list of all charges, looked through anew for every question.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) charges: Vec<(u64, u32)>,
}

impl Log {
    /// What counts at `now` in `(now - window, now]`.
    pub(crate) fn used(&self, now: u64, window: u64) -> u32 {
        self.charges.iter().filter(|(at, _)| *at <= now && now - at < window).map(|(_, cost)| cost).sum()
    }

    pub(crate) fn admits(&self, now: u64, window: u64, limit: u32, cost: u32) -> bool {
        self.used(now, window) + cost <= limit
    }

    /// How long until `cost` is admitted: tries every moment at which anything changes.
    pub(crate) fn wait(&self, now: u64, window: u64, limit: u32, cost: u32) -> u64 {
        let mut moments: Vec<u64> = self.charges.iter().map(|(at, _)| at + window).filter(|at| *at > now).collect();
        moments.push(now);
        moments.sort_unstable();
        moments.into_iter().find(|moment| self.admits(*moment, window, limit, cost)).unwrap() - now
    }

    /// How long until nothing counts.
    pub(crate) fn reset(&self, now: u64, window: u64) -> u64 {
        let live = self.charges.iter().filter(|(at, cost)| *cost > 0 && now - at < window);
        live.map(|(at, _)| at + window - now).max().unwrap_or(0)
    }

    pub(crate) fn charge(&mut self, now: u64, cost: u32) -> usize {
        self.charges.push((now, cost));
        self.charges.len() - 1
    }

    /// The most that any half-open window holds. It is enough to look at the windows that end with a charge.
    pub(crate) fn worst(&self, window: u64) -> u32 {
        self.charges.iter().map(|(at, _)| self.used(*at, window)).max().unwrap_or(0)
    }
}

/// A step of traffic on one key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) gap: u64,
    pub(crate) cost: u32,
}

/// A window that 15 does and does not divide, and traffic that likes the window's edges and those of its buckets.
pub(crate) fn traffic(limit: u32) -> impl Strategy<Value = (u64, Vec<Step>)> {
    prop_oneof![Just(15_000_u64), Just(1_007), Just(16), 1_u64..2_000].prop_flat_map(move |window| {
        let bucket = window.div_ceil(15);
        let gap = prop_oneof![
            6 => Just(0),
            4 => Just(1),
            4 => 0..=bucket + 1,
            2 => Just(bucket),
            2 => 0..=window,
            2 => window.saturating_sub(1)..=window + 1,
            1 => 15 * bucket..=17 * bucket,
            1 => 0..=window * 40,
        ];
        let cost = prop_oneof![3 => Just(1), 1 => 1..=limit];
        let steps = prop::collection::vec((gap, cost).prop_map(|(gap, cost)| Step { gap, cost }), 1..150);
        (Just(window), steps)
    })
}

/// Collects events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder(Arc<Mutex<Vec<Event>>>);

impl Recorder {
    pub(crate) fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }
}

impl Observer for Recorder {
    fn observe(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}
