//! Charges that are corrected.

use std::time::Duration;

use stockade_ratelimit::{Key, ManualClock, Overflow, Reservation, Rule};

use crate::bench::{KINDS, Single, build, cost, n, ns};

const WINDOW: u64 = 15_000;

fn all() -> [Single; 4] {
    KINDS.map(|make| Single::new(&make("rule", n(10), ns(WINDOW))))
}

#[test]
fn refund_is_the_inverse_of_reserve() {
    for single in all() {
        assert!(single.check(3).allowed);
        single.advance(100);
        let before = single.peek(1);
        let permits = [single.reserve(2).unwrap(), single.reserve(5).unwrap()];
        assert_eq!(single.peek(1).remaining, 0);
        for permit in permits {
            permit.refund();
        }
        assert_eq!(single.peek(1), before);
    }
}

#[test]
fn refund_of_everything_leaves_nothing_behind() {
    for single in all() {
        single.reserve(10).unwrap().refund();
        assert_eq!(single.tracked(), 0);
        assert_eq!(single.peek(10).reset_after, Duration::ZERO);
    }
}

/// What was charged at the same moment by others stays.
#[test]
fn refund_takes_nothing_from_others() {
    for single in all() {
        let (first, second) = (single.reserve(4).unwrap(), single.reserve(4).unwrap());
        first.refund();
        assert_eq!(single.peek(1).remaining, 6);
        second.commit();
        assert_eq!(single.peek(1).remaining, 6);
    }
}

#[test]
fn a_late_refund_gives_nothing() {
    for single in all() {
        let late = single.reserve(4).unwrap();
        single.advance(2 * WINDOW);
        assert!(single.check(7).allowed);
        late.refund();
        assert_eq!(single.peek(1).remaining, 3);
    }
}

/// As above, with the slot given to another key and back in between; for the ring also a whole turn later, when the
/// charge's bucket has the same place as the present one.
#[test]
fn a_refund_after_the_slot_was_given_away_gives_nothing() {
    for make in KINDS {
        let clock = ManualClock::new();
        let limiter = build(&clock, &[make("rule", n(10), ns(WINDOW))], |builder| builder.capacity(1));
        let check = |name: &str| limiter.check(&[("rule", Key::text(name))], cost(3)).unwrap();
        let Reservation::Granted(late) = limiter.reserve(&[("rule", Key::text("k"))], cost(3)).unwrap() else {
            panic!("refused");
        };
        clock.advance(ns(WINDOW / 15 * 16));
        for other in ["1", "2", "3", "4", "5", "6", "7", "8"] {
            assert!(check(other).allowed);
        }
        clock.advance(ns(WINDOW / 15 * 16));
        assert_eq!(check("k").remaining, 7);
        late.refund();
        assert_eq!(limiter.peek(&[("rule", Key::text("k"))], cost(1)).unwrap().remaining, 7);
    }
}

#[test]
fn a_dropped_permit_stays_charged() {
    for single in all() {
        drop(single.reserve(4).unwrap());
        assert_eq!(single.peek(1).remaining, 6);
        single.reserve(4).unwrap().commit();
        assert_eq!(single.peek(1).remaining, 2);
    }
}

#[test]
fn settle_charges_what_the_action_cost() {
    for single in all() {
        for (actual, left) in [(0, 10), (1, 9), (3, 6), (5, 1)] {
            single.reserve(3.min(single.peek(1).remaining)).unwrap().settle(actual);
            assert_eq!(single.peek(1).remaining, left);
        }
    }
}

#[test]
fn a_penalty_uses_up_the_limit_and_no_more() {
    for single in all() {
        single.reserve(1).unwrap().penalize(cost(4));
        assert_eq!(single.peek(1).remaining, 5);
        single.reserve(1).unwrap().penalize(cost(u32::MAX));
        let refused = single.check(1);
        assert_eq!((refused.allowed, refused.remaining), (false, 0));
        assert!(refused.retry_after <= ns(WINDOW / 15 * 16));
    }
}

/// The penalty counts from when it is given, not from when the permit was.
#[test]
fn a_penalty_counts_from_now() {
    let single = Single::new(&Rule::exact("rule", n(10), ns(WINDOW)));
    let slow = single.reserve(1).unwrap();
    single.advance(WINDOW - 1);
    slow.penalize(cost(9));
    single.advance(1);
    assert_eq!(single.peek(1).remaining, 1);
    // Also when the key has been forgotten meanwhile.
    let slower = single.reserve(1).unwrap();
    single.advance(10 * WINDOW);
    single.limiter.sweep();
    slower.penalize(cost(4));
    assert_eq!(single.peek(1).remaining, 6);
}

#[test]
fn a_penalty_after_the_slot_was_given_away_takes_another_one() {
    for make in KINDS {
        let clock = ManualClock::new();
        let limiter = build(&clock, &[make("rule", n(10), ns(WINDOW))], |builder| builder.capacity(1));
        let key = || [("rule", Key::text("k"))];
        let Reservation::Granted(slow) = limiter.reserve(&key(), cost(3)).unwrap() else { panic!("refused") };
        clock.advance(ns(WINDOW / 15 * 16));
        for other in 0..8_u8 {
            assert!(limiter.check(&[("rule", Key::bytes([other]))], cost(3)).unwrap().allowed);
        }
        clock.advance(ns(WINDOW / 15 * 16));
        slow.penalize(cost(4));
        assert_eq!(limiter.peek(&key(), cost(1)).unwrap().remaining, 6);
    }
}

/// A key that is counted among those that share has no slot of its own, and gets none that would begin anew.
#[test]
fn a_penalty_takes_no_slot_from_a_shared_count() {
    let clock = ManualClock::new();
    let rule = Rule::exact("rule", n(10), ns(WINDOW)).on_overflow(Overflow::Share);
    let limiter = build(&clock, &[rule], |builder| builder.capacity(1));
    let fill = || (0..8_u8).all(|other| limiter.check(&[("rule", Key::bytes([other]))], cost(3)).unwrap().allowed);
    let key = || [("rule", Key::text("k"))];
    let reserve = || match limiter.reserve(&key(), cost(3)).unwrap() {
        Reservation::Granted(permit) => permit,
        Reservation::Refused(decision) => panic!("{decision:?}"),
    };
    let left = || limiter.peek(&key(), cost(1)).unwrap().remaining;
    let (slow, slower) = (reserve(), reserve());
    clock.advance(ns(WINDOW));
    assert!(fill(), "others have all slots");
    clock.advance(ns(WINDOW / 2));
    reserve().commit();
    clock.advance(ns(WINDOW / 2));
    slow.penalize(cost(4));
    assert_eq!(left(), 7, "there would be a slot");
    clock.advance(ns(WINDOW * 3));
    slower.penalize(cost(4));
    assert_eq!(left(), 6, "and nothing is counted elsewhere");
}

#[test]
fn what_has_passed_is_nothing_to_forget() {
    for (after, counted) in [(0, true), (WINDOW - 1, true), (WINDOW, false)] {
        let single = Single::new(&Rule::exact("rule", n(10), ns(WINDOW)));
        assert!(single.check(1).allowed);
        single.advance(after);
        assert_eq!(single.limiter.forget("rule", &Key::text("the key")).unwrap(), counted, "after {after} ns");
    }
}

#[test]
fn a_correction_reaches_every_rule() {
    let clock = ManualClock::new();
    let rules = [Rule::exact("a", n(10), ns(WINDOW)), Rule::window("b", n(20), ns(WINDOW))];
    let limiter = build(&clock, &rules, |builder| builder);
    let keys = [("b", Key::text("k")), ("a", Key::text("k"))];
    let reserve = || match limiter.reserve(&keys, cost(4)).unwrap() {
        Reservation::Granted(permit) => permit,
        Reservation::Refused(decision) => panic!("{decision:?}"),
    };
    let left = || ["a", "b"].map(|rule| limiter.peek(&[(rule, Key::text("k"))], cost(1)).unwrap().remaining);
    reserve().refund();
    assert_eq!(left(), [10, 20]);
    reserve().settle(1);
    assert_eq!(left(), [9, 19]);
    reserve().penalize(cost(3));
    assert_eq!(left(), [2, 12]);
}
