//! A client that sends more keys than there is memory for.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use stockade_ratelimit::{Cause, Key, Limiter, ManualClock, Overflow, Rule, Source};

use crate::bench::{KINDS, Log, Recorder, bound, build, cost, n, ns};

const HOUR: Duration = Duration::from_secs(3600);

fn fill(limiter: &Limiter, rule: &str, names: impl Iterator<Item = u32>) -> u64 {
    let admitted = |name: u32| limiter.check(&[(rule, Key::bytes(name.to_le_bytes()))], cost(1)).unwrap().allowed;
    names.map(|name| u64::from(admitted(name))).sum()
}

#[test]
fn a_flood_does_not_free_the_victim() {
    for make in KINDS {
        let clock = ManualClock::new();
        let rules = [make("rule", n(3), HOUR), make("other", n(3), HOUR)];
        let recorder = Recorder::default();
        let limiter = build(&clock, &rules, |builder| builder.observer(recorder.clone()));
        let victims: Vec<[(&str, Key); 1]> =
            (0..20).map(|i| [("rule", Key::account(&format!("victim {i}")))]).collect();
        for victim in &victims {
            assert!(limiter.check(victim, cost(3)).unwrap().allowed);
        }
        let slots = limiter.snapshot().rules[0].slots;
        for wave in 0..10 {
            let admitted = fill(&limiter, "rule", wave * 500..(wave + 1) * 500);
            assert!(admitted < slots as u64);
            assert!(victims.iter().all(|victim| !limiter.check(victim, cost(1)).unwrap().allowed));
            clock.advance(HOUR / 40);
        }
        let snapshot = limiter.snapshot();
        let flooded = &snapshot.rules[0];
        assert_eq!(flooded.slots, slots);
        assert!(flooded.keys_tracked <= slots && flooded.table_full >= 5_000 - slots as u64);
        let full: Vec<_> = recorder.events().into_iter().filter(|event| event.cause == Cause::TableFull).collect();
        assert_eq!(full.len(), 1, "one episode, not one event for each of 5,000 keys");

        assert!(fill(&limiter, "other", 0..32) == 32, "the flood of one rule takes no room from another");

        clock.advance(HOUR * 2);
        assert!(victims.iter().all(|victim| limiter.check(victim, cost(3)).unwrap().allowed));
        assert_eq!(limiter.snapshot().rules[0].keys_tracked, victims.len());
    }
}

/// What [`LimiterBuilder::capacity`](stockade_ratelimit::LimiterBuilder::capacity) promises. Where a key lies is drawn
/// anew for every limiter, and the promise is about keys: one limiter of 1,000 keys refuses two of them now and then.
#[test]
fn there_is_room_for_the_capacity() {
    for (capacity, limiters) in [(1, 100), (8, 100), (1_000, 50), (20_000, 3)] {
        let refused = (0..limiters).map(|_| {
            let limiter = build(&ManualClock::new(), &[Rule::window("rule", n(1), HOUR)], |builder| {
                builder.capacity(usize::try_from(capacity).unwrap())
            });
            u64::from(capacity) - fill(&limiter, "rule", 0..capacity)
        });
        let (refused, keys) = (refused.sum::<u64>(), u64::from(limiters * capacity));
        assert!(refused * 1_000 <= keys, "{refused} of {keys} keys, {capacity} to a limiter");
        assert!(capacity > 16 || refused == 0, "every key reaches every slot of a table of two buckets");
    }
}

/// One source invents ten times as many names as the table holds.
#[test]
fn a_source_fills_no_more_places_than_its_budget() {
    for budget in [None, Some(100)] {
        let clock = ManualClock::new();
        let mut rules = vec![Rule::exact("name", n(3), HOUR)];
        rules.extend(budget.map(|keys| Rule::window("source", n(keys), HOUR).for_new_keys()));
        let limiter = build(&clock, &rules, |builder| builder.capacity(1_000));
        let ask = |source: &str, name: u32, units: u32| {
            let pairs = [("name", Key::bytes(name.to_le_bytes())), ("source", Key::text(source))];
            limiter.check(&pairs[..rules.len()], cost(units)).unwrap()
        };
        assert!(ask("attacker", 0, 1).allowed);
        let admitted = 1 + (1..10_000).filter(|name| ask("attacker", *name, 1).allowed).count();
        let honest = (20_000..20_500).filter(|name| ask(&name.to_string(), *name, 3).allowed).count();
        let Some(budget) = budget else {
            assert!(admitted > 1_000 && honest < 50, "the control: a flood leaves no room, {admitted} {honest}");
            continue;
        };
        assert_eq!((admitted, honest), (usize::try_from(budget).unwrap(), 500));
        assert!(ask("attacker", 0, 2).allowed, "a key that is counted goes on, though the budget is used up");
        let refused = ask("attacker", 9_999, 1);
        assert_eq!((refused.rule, refused.source), (limiter.rule("source").unwrap(), Source::Memory));
        clock.advance(refused.retry_after);
        assert!(ask("attacker", 9_999, 1).allowed);
    }
}

#[test]
fn a_look_at_a_new_key_says_that_there_is_no_room() {
    let clock = ManualClock::new();
    let limiter = build(&clock, &[Rule::exact("name", n(5), HOUR)], |builder| builder.capacity(1));
    let look = || limiter.peek(&[("name", Key::text("new"))], cost(1)).unwrap();
    assert!(
        (0..8_u8)
            .all(|name| look().allowed && limiter.check(&[("name", Key::bytes([name]))], cost(1)).unwrap().allowed)
    );
    let seen = look();
    assert_eq!((seen.allowed, seen.source, seen.retry_after), (false, Source::TableFull, HOUR));
    clock.advance(HOUR);
    assert!(look().allowed);
}

#[test]
fn a_key_that_shares_is_new_to_its_source_once() {
    let clock = ManualClock::new();
    let rules = [
        Rule::exact("name", n(5), HOUR).on_overflow(Overflow::Share),
        Rule::exact("source", n(9), HOUR).for_new_keys(),
    ];
    let limiter = build(&clock, &rules, |builder| builder.capacity(1));
    let ask = |source: &str, name: u8| {
        limiter.check(&[("name", Key::bytes([name])), ("source", Key::text(source))], cost(1)).unwrap().allowed
    };
    assert!((0..8).all(|name| ask("others", name)), "all slots are taken");
    let left = || limiter.peek(&[("source", Key::text("s"))], cost(1)).unwrap().remaining;
    assert!(ask("s", 100));
    assert_eq!(left(), 8);
    assert!(ask("s", 100));
    assert_eq!(left(), 8, "it is known");
}

#[test]
fn a_new_key_that_is_refused_or_taken_back_leaves_its_source_as_it_should() {
    let clock = ManualClock::new();
    let rules =
        [Rule::exact("a", n(2), HOUR), Rule::exact("b", n(2), HOUR), Rule::exact("source", n(5), HOUR).for_new_keys()];
    let limiter = build(&clock, &rules, |builder| builder);
    let left = || limiter.peek(&[("source", Key::text("s"))], cost(1)).unwrap().remaining;
    let other = || limiter.check(&[("source", Key::text("other"))], cost(3)).unwrap().remaining;
    assert_eq!([other(), other()], [4, 3], "alone it counts one for a request, whatever the cost");
    let keys = |a: &str, b: &str| [("source", Key::text("s")), ("b", Key::text(b)), ("a", Key::text(a))];
    assert!(limiter.check(&keys("1", "1"), cost(2)).unwrap().allowed);
    assert_eq!(left(), 4, "two new keys in a request are one, whatever the cost");
    assert!(!limiter.check(&keys("2", "1"), cost(1)).unwrap().allowed);
    assert_eq!(left(), 4, "a request that another rule refuses takes no place");
    let stockade_ratelimit::Reservation::Granted(permit) = limiter.reserve(&keys("2", "2"), cost(2)).unwrap() else {
        panic!("refused")
    };
    assert_eq!(left(), 3);
    permit.refund();
    assert_eq!(left(), 3, "the place was taken");
    assert_eq!(limiter.peek(&[("a", Key::text("2"))], cost(2)).unwrap().remaining, 2);
    assert!(limiter.check(&keys("2", "2"), cost(2)).unwrap().allowed);
    assert_eq!(left(), 3, "and is not taken again");
    // A request of its own, to count what the caller knows to be new.
    assert_eq!(limiter.check(&[("source", Key::text("s"))], cost(9)).unwrap().remaining, 2);
    assert!(
        Limiter::builder()
            .rule(Rule::lockout("l", stockade_ratelimit::Lockout::nist()).for_new_keys())
            .build()
            .is_err()
    );
}

#[test]
fn sweep_gives_back_what_is_idle_and_nothing_else() {
    let clock = ManualClock::new();
    let limiter = build(&clock, &[Rule::exact("rule", n(1), HOUR)], |builder| builder.capacity(8));
    assert_eq!(fill(&limiter, "rule", 0..16), 16);
    clock.advance(HOUR - ns(1));
    limiter.sweep();
    assert_eq!(fill(&limiter, "rule", 0..17), 0);
    clock.advance(ns(1));
    limiter.sweep();
    assert_eq!(fill(&limiter, "rule", 100..116), 16);
}

proptest! {
    /// Sixteen slots, sixty keys. Every decision is that of the key's own log, except that a new key is refused while
    /// sixteen others count; and then it is told when the first of them stops.
    #[test]
    fn tiny_table_agrees_with_the_model(
        steps in prop::collection::vec((0_u8..60, prop_oneof![4 => 0_u64..30, 1 => 0_u64..2_000], 1_u32..4), 1..400),
    ) {
        const WINDOW: u64 = 1_000;
        let clock = ManualClock::new();
        let limiter = build(&clock, &[Rule::exact("rule", n(3), ns(WINDOW))], |builder| builder.capacity(8));
        prop_assert_eq!(limiter.snapshot().rules[0].slots, 16);
        let (mut logs, mut now) = (HashMap::<u8, Log>::new(), 0);
        for (name, gap, units) in steps {
            clock.advance(ns(gap));
            now += gap;
            let live = |log: &&Log| log.used(now, WINDOW) > 0;
            let resets: Vec<u64> = logs.values().filter(live).map(|log| log.reset(now, WINDOW)).collect();
            let log = logs.entry(name).or_default();
            let full = resets.len() == 16 && log.used(now, WINDOW) == 0;

            let decision = limiter.check(&[("rule", Key::bytes([name]))], cost(units)).unwrap();
            prop_assert_eq!(decision.allowed, !full && log.admits(now, WINDOW, 3, units));
            prop_assert_eq!(decision.source, if full { Source::TableFull } else { Source::Memory });
            if full {
                prop_assert_eq!(decision.retry_after, ns(*resets.iter().min().unwrap()));
            } else {
                prop_assert_eq!(decision.retry_after, ns(log.wait(now, WINDOW, 3, units)));
            }
            if decision.allowed {
                log.charge(now, units);
            }
            let tracked = limiter.snapshot().rules[0].keys_tracked;
            prop_assert_eq!(tracked, logs.values().filter(live).count());
        }
    }

    /// The same table with a sketch beside it: a key may be refused needlessly, but no window of any key holds more than
    /// the limit, wherever the key is counted meanwhile; and what a refused key is told is so.
    #[test]
    fn keys_that_share_a_sketch_are_within_the_limit(
        kind in 0..KINDS.len(),
        steps in prop::collection::vec((0_u8..60, prop_oneof![4 => 0_u64..30, 1 => 0_u64..1_200], 1_u32..4), 1..400),
    ) {
        const WINDOW: u64 = 1_000;
        let clock = ManualClock::new();
        let rule = KINDS[kind]("rule", n(3), ns(WINDOW)).on_overflow(Overflow::Share);
        let limiter = build(&clock, std::slice::from_ref(&rule), |builder| builder.capacity(8));
        let (mut logs, mut now) = (HashMap::<u8, Log>::new(), 0);
        for (name, gap, units) in steps {
            clock.advance(ns(gap));
            now += gap;
            let keys = [("rule", Key::bytes([name]))];
            let decision = limiter.check(&keys, cost(units)).unwrap();
            prop_assert!(decision.source != Source::TableFull);
            if decision.allowed {
                let log = logs.entry(name).or_default();
                log.charge(now, units);
                prop_assert!(log.used(now, WINDOW) <= bound(&rule));
            } else {
                clock.advance(decision.retry_after - ns(1));
                prop_assert!(!limiter.peek(&keys, cost(units)).unwrap().allowed);
                clock.advance(ns(1));
                now += u64::try_from(decision.retry_after.as_nanos()).unwrap();
                prop_assert!(limiter.peek(&keys, cost(units)).unwrap().allowed);
            }
        }
    }
}

/// A flood of ten times the capacity, and honest newcomers in the midst of it.
#[test]
fn a_shared_overflow_admits_honest_keys_and_frees_no_victim() {
    let (clock, recorder) = (ManualClock::new(), Recorder::default());
    let rule = Rule::exact("rule", n(3), HOUR).on_overflow(Overflow::Share);
    let limiter = build(&clock, &[rule], |builder| builder.capacity(2_000).observer(recorder.clone()));
    let spend = |name: u32| limiter.check(&[("rule", Key::bytes(name.to_le_bytes()))], cost(1)).unwrap();
    // Some victims are counted in the table, and some in the sketch.
    let victims = [1_000_000..1_000_020, 2_000_000..2_000_020];
    assert!(victims[0].clone().all(|name| (0..3).all(|_| spend(name).allowed)));
    let full = || recorder.events().into_iter().filter(|event| event.cause == Cause::TableFull).count();
    assert_eq!((full(), limiter.snapshot().rules[0].open_episodes), (0, 0));
    assert_eq!(fill(&limiter, "rule", 0..3_000), 3_000);
    assert_eq!((full(), limiter.snapshot().rules[0].open_episodes), (1, 1), "told with the first key that shares");
    assert!(victims[1].clone().all(|name| (0..3).all(|_| spend(name).allowed)));
    let admitted = fill(&limiter, "rule", 3_000..20_000);
    assert!(admitted >= 16_900, "{admitted} of 17,000 keys that come once");
    for name in victims.into_iter().flatten() {
        assert!(!spend(name).allowed);
    }
    assert_eq!(full(), 1);
}
