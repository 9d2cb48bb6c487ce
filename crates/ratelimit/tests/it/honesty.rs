//! `retry_after` and `reset_after` keep their word.

use std::time::Duration;

use proptest::prelude::*;
use stockade_ratelimit::{Decision, Key, ManualClock, Rule};

use crate::bench::{KINDS, Single, build, cost, n, ns, traffic};

const TICK: Duration = Duration::from_nanos(1);

proptest! {
    /// One to three rules of all kinds, with limits and windows of their own; after any refusal the client waits as
    /// long as it was told to.
    #[test]
    fn retry_after_is_exact(
        limits in prop::collection::vec((0..KINDS.len(), 1_u32..8, 1_u64..3_000), 1..4),
        (_, steps) in traffic(8),
        patient in prop::collection::vec(any::<bool>(), 150),
    ) {
        let clock = ManualClock::new();
        let rules: Vec<Rule> = limits
            .iter()
            .zip(["rule-0", "rule-1", "rule-2"])
            .map(|((kind, limit, window), name)| KINDS[*kind](name, n(*limit), ns(*window)))
            .collect();
        let limiter = build(&clock, &rules, |builder| builder);
        let smallest = limits.iter().map(|(_, limit, _)| *limit).min().unwrap();
        let all: Vec<(&str, Key)> = rules.iter().map(|rule| (rule.name(), Key::text("key"))).collect();
        for (index, (step, patient)) in steps.into_iter().zip(patient).enumerate() {
            clock.advance(ns(step.gap));
            let units = cost(step.cost.min(smallest));
            // Now all rules, now some of them, so that their counts differ.
            let keys = &all[index % all.len()..];
            let decision = limiter.check(keys, units).unwrap();
            prop_assert_eq!(decision.allowed, decision.retry_after.is_zero());
            if patient && !decision.allowed {
                clock.advance(decision.retry_after - TICK);
                let early: Decision = limiter.peek(keys, units).unwrap();
                prop_assert!(!early.allowed);
                prop_assert_eq!(early.retry_after, TICK);
                clock.advance(TICK);
                prop_assert!(limiter.check(keys, units).unwrap().allowed);
            }
        }
    }

    #[test]
    fn reset_after_is_exact(kind in 0..KINDS.len(), limit in 1_u32..12, (window, steps) in traffic(12)) {
        let single = Single::new(&KINDS[kind]("rule", n(limit), ns(window)));
        for step in steps {
            single.advance(step.gap);
            let decision = single.check(step.cost.min(limit));
            prop_assert!(!decision.reset_after.is_zero());
            if step.cost > 1 {
                single.clock.advance(decision.reset_after - TICK);
                prop_assert_eq!(single.tracked(), 1);
                single.clock.advance(TICK);
                prop_assert_eq!(single.tracked(), 0);
                prop_assert_eq!(single.peek(1).remaining, limit);
            }
        }
    }
}

#[test]
fn the_header_rounds_up() {
    for (window, seconds) in [(Duration::from_secs(30), 30), (Duration::new(30, 1), 31), (TICK, 1)] {
        let single = Single::new(&Rule::exact("rule", n(1), window));
        assert!(single.check(1).allowed);
        assert_eq!(single.check(1).retry_after_secs(), seconds);
    }
    let single = Single::new(&Rule::exact("rule", n(1), ns(1)));
    assert_eq!(single.check(1).retry_after_secs(), 0);
}
