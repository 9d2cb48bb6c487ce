//! A long run of generated traffic beside the log of what was admitted.
//!
//! `STOCKADE_RATELIMIT_STEPS=100000000 cargo test --release -p stockade-ratelimit --test it endurance` for a longer one.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::FakeRelativeClock;
use governor::{Quota, RateLimiter};
use stockade_ratelimit::Rule;

use crate::bench::{KINDS, Single, bound, n, ns};

const SEED: u64 = 0x5eed;

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// What was admitted in the window that ends now, and the most that a window ever held.
struct Watch {
    window: u64,
    admitted: VecDeque<(u64, u32)>,
    sum: u32,
    worst: u32,
}

impl Watch {
    fn new(window: u64) -> Self {
        Self { window, admitted: VecDeque::new(), sum: 0, worst: 0 }
    }

    fn admit(&mut self, now: u64, cost: u32) {
        while self.admitted.front().is_some_and(|(at, _)| now - at >= self.window) {
            self.sum -= self.admitted.pop_front().unwrap().1;
        }
        self.admitted.push_back((now, cost));
        self.sum += cost;
        self.worst = self.worst.max(self.sum);
    }
}

fn steps() -> u64 {
    std::env::var("STOCKADE_RATELIMIT_STEPS").map_or(100_000, |steps| steps.parse().unwrap())
}

/// Bursts, patient hammering, pauses, and moments just before and after the end of a window.
fn gap(random: &mut Random, window: u64) -> u64 {
    match random.below(16) {
        0..6 => 0,
        6..9 => random.below(window / 10),
        9..12 => window / 10,
        12 => window - 1 + random.below(3),
        13 => random.below(window),
        14 => window / 15 * random.below(17),
        _ => random.below(window * 2),
    }
}

/// The most that a window saw of a counter that decides `admit(gap, cost)`.
fn worst(seed: u64, steps: u64, window: u64, most: u32, mut admit: impl FnMut(u64, u32) -> bool) -> u32 {
    let (mut random, mut watch, mut now) = (Random(seed), Watch::new(window), 0);
    for _ in 0..steps {
        let gap = gap(&mut random, window);
        let cost = if random.below(4) == 0 { 1 + random.below(u64::from(most)) } else { 1 };
        let cost = u32::try_from(cost).unwrap();
        now += gap;
        if admit(gap, cost) {
            watch.admit(now, cost);
        }
    }
    watch.worst
}

/// Every kind, at several limits and windows, one of which is so long that the log rounds.
#[test]
fn no_step_of_many_admits_too_much() {
    let cases: Vec<(u32, u64)> =
        [1, 2, 5, 10, 12, 13, 100].iter().flat_map(|n| [(*n, 1_500), (*n, 9_000_000_007)]).collect();
    let each = steps() / (cases.len() * KINDS.len()) as u64;
    for (index, (limit, window)) in cases.into_iter().enumerate() {
        for make in KINDS {
            let rule = make("rule", n(limit), ns(window));
            let single = Single::new(&rule);
            let worst = worst(SEED + index as u64, each, window, limit, |gap, cost| {
                single.advance(gap);
                single.check(cost).allowed
            });
            assert!(worst <= bound(&rule), "{worst} of {rule:?}");
        }
    }
}

/// The control: the same traffic on a limiter that says "ten per period" and means a burst of ten and a rate.
#[test]
fn the_same_traffic_shows_that_a_quota_per_period_is_no_window() {
    const WINDOW: u64 = 1_500;
    let clock = FakeRelativeClock::default();
    let quota = Quota::with_period(ns(WINDOW / 10)).unwrap().allow_burst(n(10));
    let governor = RateLimiter::direct_with_clock(quota, clock.clone());
    let worst = worst(SEED, 100_000, WINDOW, 10, |gap, cost| {
        clock.advance(Duration::from_nanos(gap));
        governor.check_n(NonZeroU32::new(cost).unwrap()).unwrap().is_ok()
    });
    assert!((17..20).contains(&worst), "{worst}");
    let log = Single::new(&Rule::exact("rule", n(10), ns(WINDOW)));
    let exact = crate::endurance::worst(SEED, 100_000, WINDOW, 10, |gap, cost| {
        log.advance(gap);
        log.check(cost).allowed
    });
    assert_eq!(exact, 10);
}
