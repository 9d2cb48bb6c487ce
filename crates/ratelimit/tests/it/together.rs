//! Several rules in one request.

use std::time::Duration;

use stockade_ratelimit::{Key, Limiter, ManualClock, Reservation, Rule, Source};

use crate::bench::{build, cost, n};

const HOUR: Duration = Duration::from_secs(3600);

fn two(clock: &ManualClock) -> Limiter {
    build(clock, &[Rule::exact("wide", n(100), HOUR), Rule::window("narrow", n(3), HOUR)], |builder| builder)
}

fn left(limiter: &Limiter, rule: &str, key: &str) -> u32 {
    limiter.peek(&[(rule, Key::text(key))], cost(1)).unwrap().remaining
}

fn tracked(limiter: &Limiter) -> Vec<usize> {
    limiter.snapshot().rules.iter().map(|rule| rule.keys_tracked).collect()
}

#[test]
fn refusal_charges_no_rule() {
    let limiter = two(&ManualClock::new());
    let ask = |wide: &str| limiter.check(&[("wide", Key::text(wide)), ("narrow", Key::text("k"))], cost(1)).unwrap();
    for left in [2, 1, 0] {
        assert_eq!(ask("a").remaining, left);
    }
    assert_eq!(tracked(&limiter), [1, 1]);
    for wide in ["a", "b", "c"] {
        assert!(!ask(wide).allowed);
    }
    assert_eq!(left(&limiter, "wide", "a"), 97);
    assert_eq!(left(&limiter, "wide", "b"), 100);
    assert_eq!(tracked(&limiter), [1, 1], "a refused request takes no memory in the rules that would admit it");
}

#[test]
fn the_order_of_rules_does_not_matter() {
    let limiter = two(&ManualClock::new());
    let keys = [("narrow", Key::text("k")), ("wide", Key::text("k"))];
    assert!(limiter.check(&keys, cost(3)).unwrap().allowed);
    let refused = limiter.check(&keys, cost(1)).unwrap();
    assert_eq!((refused.rule, refused.limit), (limiter.rule("narrow").unwrap(), 3));
    assert_eq!(left(&limiter, "wide", "k"), 97);
}

#[test]
fn a_pair_that_is_named_twice_counts_once() {
    let limiter = two(&ManualClock::new());
    let twice = [("narrow", Key::text("k")), ("narrow", Key::text("k"))];
    for left in [2, 1, 0] {
        assert_eq!(limiter.check(&twice, cost(1)).unwrap().remaining, left);
    }
    assert!(!limiter.check(&twice, cost(1)).unwrap().allowed);
}

#[test]
fn two_keys_of_one_rule_are_both_limited() {
    let limiter = two(&ManualClock::new());
    assert!(limiter.check(&[("narrow", Key::text("a"))], cost(3)).unwrap().allowed);
    let both = [("narrow", Key::text("a")), ("narrow", Key::text("b"))];
    assert!(!limiter.check(&both, cost(1)).unwrap().allowed);
    assert_eq!(left(&limiter, "narrow", "b"), 3);
}

#[test]
fn a_refusal_speaks_for_the_longest_wait_and_an_admission_for_the_least_room() {
    let clock = ManualClock::new();
    let rules = [Rule::exact("minute", n(2), HOUR / 60), Rule::exact("hour", n(5), HOUR)];
    let limiter = build(&clock, &rules, |builder| builder);
    let (minute, hour) = (limiter.rule("minute").unwrap(), limiter.rule("hour").unwrap());
    let keys = [(minute, Key::text("k")), (hour, Key::text("k"))];
    let first = limiter.check(&keys, cost(2)).unwrap();
    assert_eq!((first.rule, first.remaining), (minute, 0));
    let second = limiter.check(&keys, cost(1)).unwrap();
    assert_eq!((second.rule, second.retry_after), (minute, HOUR / 60));
    clock.advance(HOUR / 60);
    assert!(limiter.check(&keys, cost(2)).unwrap().allowed);
    let third = limiter.check(&keys, cost(2)).unwrap();
    assert_eq!((third.rule, third.remaining, third.retry_after), (hour, 1, HOUR - HOUR / 60));
}

/// Two new keys of one request, and one slot for both: neither is charged.
#[test]
fn new_keys_that_crowd_each_other_out_charge_nothing() {
    let clock = ManualClock::new();
    let rules = [Rule::exact("rule", n(5), HOUR), Rule::exact("other", n(5), HOUR)];
    // Room for one bucket of eight slots.
    let limiter = build(&clock, &rules, |builder| builder.capacity(1));
    for name in ["1", "2", "3", "4", "5", "6", "7"] {
        assert!(limiter.check(&[("rule", Key::text(name))], cost(1)).unwrap().allowed);
        clock.advance(HOUR / 60);
    }
    let both = [("other", Key::text("o")), ("rule", Key::text("a")), ("rule", Key::text("b"))];
    let Reservation::Refused(decision) = limiter.reserve(&both, cost(1)).unwrap() else { panic!("granted") };
    assert_eq!((decision.source, decision.retry_after), (Source::TableFull, HOUR - HOUR / 60 * 7));
    assert_eq!(tracked(&limiter), [7, 0]);
    assert_eq!(limiter.snapshot().rules[0].table_full, 1);

    clock.advance(decision.retry_after - Duration::from_nanos(1));
    assert!(!limiter.check(&both, cost(1)).unwrap().allowed);
    clock.advance(Duration::from_nanos(1));
    assert!(limiter.check(&both, cost(1)).unwrap().allowed);
    assert_eq!(tracked(&limiter), [8, 1]);
}
