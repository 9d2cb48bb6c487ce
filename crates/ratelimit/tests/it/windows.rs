//! Never more than N in any window, and a bench that can tell.

use std::collections::HashMap;

use proptest::prelude::*;
use stockade_ratelimit::Rule;

use crate::bench::{Log, Single, Step, bound, cost, n, ns, traffic};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Whatever is asked, refunded, settled and surcharged: at no moment does the window that ends there hold more than
    /// the limit, of a plain token bucket twice the limit less one; and over any span a token bucket admits at most its
    /// burst and what comes back in that span. The charges of refunds and surcharges are followed from outside, by what `peek` says is left.
    #[test]
    fn no_window_holds_more_than_the_limit(
        limit in 1_u32..12,
        (kind, burst) in (0_u8..4, 1_u32..12),
        (window, steps) in traffic(12),
        ends in prop::collection::vec((0_u8..6, 0_usize..4, 0_u32..15), 150),
    ) {
        let rule = match kind {
            0 => Rule::exact("rule", n(limit), ns(window)),
            1 => Rule::window("rule", n(limit), ns(window)),
            2 => Rule::gcra("rule", n(limit), ns(window)),
            _ => Rule::gcra_strict("rule", n(limit + burst), ns(window), n(burst)),
        };
        let single = Single::new(&rule);
        let most = bound(&rule);
        let (mut log, mut now, mut held) = (Log::default(), 0, Vec::new());
        for (step, (end, which, actual)) in steps.into_iter().zip(ends) {
            single.advance(step.gap);
            now += step.gap;
            let units = step.cost.min(rule.burst().get());
            if let Some(permit) = single.reserve(units) {
                let index = log.charge(now, units);
                prop_assert!(log.used(now, window) <= most);
                held.push((permit, index, units));
            }
            if end > 0 && held.len() > which {
                let (permit, index, units) = held.swap_remove(which);
                match end {
                    1 => permit.commit(),
                    2 => {
                        permit.refund();
                        log.charges[index].1 = 0;
                    }
                    3 if actual <= units => {
                        permit.settle(actual);
                        log.charges[index].1 = actual;
                    }
                    _ => {
                        let before = single.peek(1).remaining;
                        match end {
                            3 => permit.settle(actual),
                            _ => permit.penalize(cost(actual + 1)),
                        }
                        let asked = if end == 3 { actual - units } else { actual + 1 };
                        let charged = before - single.peek(1).remaining;
                        prop_assert_eq!(charged, asked.min(before));
                        log.charge(now, charged);
                    }
                }
            }
            prop_assert!(log.used(now, window) <= most);
        }
        prop_assert!(log.worst(window) <= most);
        if kind > 1 {
            let back = if kind == 2 { limit } else { limit + burst - rule.burst().get() };
            let token = window.div_ceil(u64::from(back));
            for (first, (from, _)) in log.charges.iter().enumerate() {
                let mut admitted = 0;
                for (to, units) in &log.charges[first..] {
                    admitted += u64::from(*units);
                    prop_assert!(admitted * token <= u64::from(rule.burst().get()) * token + (to - from));
                }
            }
        }
    }
}

/// Counters that are used in place of a sliding window elsewhere.
trait Counter {
    fn admit(&mut self, now: u64, cost: u32) -> bool;
}

struct FixedWindow {
    limit: u32,
    window: u64,
    counts: HashMap<u64, u32>,
}

impl Counter for FixedWindow {
    fn admit(&mut self, now: u64, cost: u32) -> bool {
        let count = self.counts.entry(now / self.window).or_default();
        let fits = *count + cost <= self.limit;
        *count += if fits { cost } else { 0 };
        fits
    }
}

/// The count of this window and, of the last one, the share that the sliding window still covers.
struct Interpolated(FixedWindow);

impl Counter for Interpolated {
    fn admit(&mut self, now: u64, cost: u32) -> bool {
        let FixedWindow { limit, window, counts } = &mut self.0;
        let (current, elapsed) = (now / *window, now % *window);
        let last = current.checked_sub(1).and_then(|last| counts.get(&last)).copied().unwrap_or(0);
        let carried = u64::from(last) * (*window - elapsed) / *window;
        let count = counts.entry(current).or_default();
        let fits = carried + u64::from(*count + cost) <= u64::from(*limit);
        *count += if fits { cost } else { 0 };
        fits
    }
}

impl Counter for Single {
    fn admit(&mut self, now: u64, cost: u32) -> bool {
        let reading = stockade_ratelimit::Clock::now(&self.clock);
        self.clock.advance(ns(now) - reading);
        self.check(cost).allowed
    }
}

const LIMIT: u32 = 10;
const WINDOW: u64 = 15_000;

/// A burst at the end of one window of the wall clock, and patient hammering through the next.
fn attack() -> Vec<Step> {
    let mut steps = vec![Step { gap: 2 * WINDOW - 1, cost: 1 }];
    steps.extend((0..LIMIT).map(|_| Step { gap: 0, cost: 1 }));
    steps.extend((0..400).map(|_| Step { gap: WINDOW / 100, cost: 1 }));
    steps
}

fn worst_under_attack(counter: &mut impl Counter) -> u32 {
    let (mut log, mut now) = (Log::default(), 0);
    for step in attack() {
        now += step.gap;
        if counter.admit(now, step.cost) {
            log.charge(now, step.cost);
        }
    }
    log.worst(WINDOW)
}

fn fixed() -> FixedWindow {
    FixedWindow { limit: LIMIT, window: WINDOW, counts: HashMap::new() }
}

#[test]
fn the_bench_catches_a_fixed_window() {
    assert_eq!(worst_under_attack(&mut fixed()), 2 * LIMIT);
}

#[test]
fn the_bench_catches_an_interpolated_counter() {
    let worst = worst_under_attack(&mut Interpolated(fixed()));
    assert!(worst >= 2 * LIMIT - 2, "{worst}");
}

#[test]
fn the_same_attack_gets_the_limit_and_no_more() {
    assert_eq!(worst_under_attack(&mut Single::new(&Rule::exact("rule", n(LIMIT), ns(WINDOW)))), LIMIT);
    assert_eq!(worst_under_attack(&mut Single::new(&Rule::window("rule", n(LIMIT), ns(WINDOW)))), LIMIT);
    // The last unit of a window comes back when the first has just left it.
    let strict = Rule::gcra_strict("rule", n(LIMIT), ns(WINDOW), n(LIMIT / 2));
    assert_eq!(worst_under_attack(&mut Single::new(&strict)), LIMIT - 1);
}

/// What the documentation of a plain token bucket admits is really so.
#[test]
fn a_token_bucket_admits_twice_the_limit_less_one() {
    let bucket = Rule::gcra("rule", n(LIMIT), ns(WINDOW));
    assert_eq!(worst_under_attack(&mut Single::new(&bucket)), 2 * LIMIT - 1);
}
