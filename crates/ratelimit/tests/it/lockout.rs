//! Failures in a row, and locks that grow.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use stockade_ratelimit::{
    Cause, Client, ErrorKind, EventKind, Key, Limiter, Lockout, ManualClock, Permit, Reservation, Rule,
};

use crate::bench::{Log, Recorder, Single, build, cost, n, ns};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const TICK: Duration = Duration::from_nanos(1);

fn single(lockout: Lockout) -> Single {
    Single::new(&Rule::lockout("login", lockout))
}

/// Fails until it is locked out, and says how often it could and for how long it is locked.
fn fail(single: &Single) -> (u32, Duration) {
    let mut failures = 0;
    while let Some(permit) = single.reserve(1) {
        permit.commit();
        failures += 1;
    }
    (failures, single.peek(1).retry_after)
}

#[test]
fn pci_dss_locks_for_half_an_hour_after_ten_failures() {
    let single = single(Lockout::pci_dss());
    for minutes in [30, 60, 120, 240, 480, 960, 1_440, 1_440] {
        assert_eq!(fail(&single), (10, minutes * MINUTE));
        single.clock.advance(minutes * MINUTE - TICK);
        assert!(!single.check(1).allowed);
        single.clock.advance(TICK);
        assert_eq!(single.peek(1).remaining, 10);
    }
}

#[test]
fn a_lock_is_forgotten_step_by_step() {
    let single = single(Lockout::new(n(3), MINUTE).doubling_up_to(MINUTE * 8).forgetting_after(DAY));
    for minutes in [1, 2, 4, 8, 8] {
        assert_eq!(fail(&single), (3, minutes * MINUTE));
        single.clock.advance(minutes * MINUTE);
    }
    // The fifth lock was as long as the fourth, so it does not take a day more to forget.
    single.clock.advance(DAY * 2 - TICK);
    assert_eq!(single.peek(1).reset_after, DAY * 2 + TICK);
    single.clock.advance(TICK);
    assert_eq!(fail(&single), (3, MINUTE * 4));
    single.clock.advance(MINUTE * 4 + DAY * 3 - TICK);
    assert_eq!(single.tracked(), 1);
    single.clock.advance(TICK);
    assert_eq!(single.tracked(), 0);
    assert_eq!(fail(&single), (3, MINUTE));
}

#[test]
fn nist_admits_a_hundred_failures_and_then_none_until_it_is_told_to_forget() {
    let single = single(Lockout::nist());
    let mut failures = 0;
    for seconds in [30, 60, 120, 240, 480, 960, 1_920].into_iter().chain([3_600; 12]) {
        let (more, wait) = fail(&single);
        assert_eq!((more, wait), (5, Duration::from_secs(seconds)));
        failures += more;
        single.clock.advance(wait + 30 * DAY);
    }
    failures += fail(&single).0;
    assert_eq!(failures, 100);
    single.clock.advance(36_500 * DAY);
    assert!(!single.check(1).allowed);
    assert_eq!(single.tracked(), 1, "no flood of other keys can take the place of this one");

    assert!(single.limiter.forget("login", &Key::text("the key")).unwrap());
    assert!(!single.limiter.forget("login", &Key::text("the key")).unwrap());
    assert_eq!(fail(&single), (5, Duration::from_secs(30)));
}

#[test]
fn a_success_ends_the_row_and_a_refund_does_not() {
    let single = single(Lockout::new(n(3), MINUTE));
    single.reserve(1).unwrap().commit();
    // The database was down: this attempt says nothing about the password.
    single.reserve(1).unwrap().refund();
    single.reserve(1).unwrap().commit();
    assert_eq!(single.peek(1).remaining, 1);
    // The right password at the last attempt, which would otherwise have been the lock.
    let last = single.reserve(1).unwrap();
    assert_eq!(single.peek(1).retry_after, MINUTE);
    last.succeed();
    assert_eq!((single.peek(1).remaining, single.tracked()), (3, 0));
}

#[test]
fn a_refund_lifts_the_lock_that_its_own_attempt_completed() {
    let single = single(Lockout::new(n(2), MINUTE).doubling_up_to(MINUTE * 4));
    single.reserve(1).unwrap().commit();
    single.reserve(1).unwrap().refund();
    assert_eq!(single.peek(1).remaining, 1);
    assert_eq!(fail(&single), (1, MINUTE), "the lock that was lifted does not make the next one longer");
}

/// A slow verification that began before a lock must not end the row of failures after it.
#[test]
fn a_success_from_before_a_lock_ends_no_later_row() {
    let single = single(Lockout::new(n(2), MINUTE).doubling_up_to(MINUTE * 4));
    let (slow, refunded) = (single.reserve(1).unwrap(), single.reserve(1).unwrap());
    single.clock.advance(MINUTE);
    assert_eq!(fail(&single), (2, MINUTE * 2));
    slow.succeed();
    refunded.refund();
    assert_eq!(single.peek(1).retry_after, MINUTE * 2);
}

#[test]
fn an_attempt_that_ends_after_a_later_one_counts_from_when_it_began() {
    let single = single(Lockout::new(n(3), MINUTE));
    let begin = || {
        let early = single.reserve(1).unwrap();
        single.clock.advance(TICK);
        single.reserve(1).unwrap().commit();
        assert_eq!(single.peek(1).remaining, 1);
        early
    };
    begin().succeed();
    assert_eq!(single.peek(1).remaining, 3, "a success ends the row that began with it");
    begin().refund();
    assert_eq!(single.peek(1).remaining, 2);
}

#[test]
fn what_is_taken_back_from_a_row_lifts_no_earlier_lock() {
    let single = single(Lockout::new(n(2), MINUTE).doubling_up_to(MINUTE * 4));
    assert_eq!(fail(&single), (2, MINUTE));
    single.clock.advance(MINUTE);
    single.reserve(1).unwrap().refund();
    assert_eq!(fail(&single), (2, MINUTE * 2));
}

#[test]
fn what_no_time_forgets_is_kept_to_the_last_tick() {
    let single = single(Lockout::new(n(1), MINUTE).for_good_at(n(1)));
    assert_eq!(fail(&single).0, 1);
    single.clock.advance(Duration::MAX);
    assert!(!single.check(1).allowed);
    assert_eq!(single.tracked(), 1);
}

#[test]
fn a_dropped_attempt_is_a_failure() {
    let single = single(Lockout::new(n(2), MINUTE));
    drop(single.reserve(1).unwrap());
    single.reserve(1).unwrap().penalize(cost(1));
    assert!(!single.check(1).allowed);
}

#[test]
fn a_penalty_during_a_lock_neither_lengthens_it_nor_counts_as_another() {
    let single = single(Lockout::new(n(2), MINUTE).doubling_up_to(MINUTE * 4));
    let (slow, last) = (single.reserve(1).unwrap(), single.reserve(1).unwrap());
    last.commit();
    single.clock.advance(MINUTE / 2);
    slow.penalize(cost(1));
    assert_eq!(single.peek(1).retry_after, MINUTE / 2);
    single.clock.advance(MINUTE / 2);
    assert_eq!(fail(&single), (2, MINUTE * 2));
}

#[test]
fn parallel_guesses_cannot_exceed_the_count() {
    let limiter = Limiter::builder().rule(Rule::lockout("login", Lockout::pci_dss())).build().unwrap();
    let (start, keys) = (Barrier::new(500), [("login", Key::account("ana@acme.test"))]);
    let permits: Vec<Permit> = thread::scope(|scope| {
        let guess = || {
            start.wait();
            match limiter.reserve(&keys, cost(1)).unwrap() {
                Reservation::Granted(permit) => Some(permit),
                Reservation::Refused(_) => None,
            }
        };
        let threads: Vec<_> = (0..500).map(|_| scope.spawn(guess)).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(permits.len(), 10);
}

/// The attacker guesses from everywhere; the owner signs in on a device with a cookie of an earlier sign-in.
#[test]
fn guessing_locks_out_unknown_clients_and_not_the_owner() {
    let clock = ManualClock::new();
    let limiter = build(&clock, &[Rule::lockout("login", Lockout::pci_dss())], |builder| builder);
    let account = Key::account("ana@acme.test");
    let attempt = |client| match limiter.reserve(&[("login", account.seen_from(client))], cost(1)).unwrap() {
        Reservation::Granted(permit) => Some(permit),
        Reservation::Refused(_) => None,
    };
    while let Some(guess) = attempt(Client::Unknown) {
        guess.commit();
    }
    // The control: without the cookie the owner is locked out with the attacker.
    assert!(attempt(Client::Unknown).is_none());
    let owner = Client::Known(b"device 1");
    attempt(owner).unwrap().succeed();
    assert!(attempt(Client::Unknown).is_none(), "the owner's success gives the attacker no new guesses");
    // Nor can a stolen device guess for ever.
    while let Some(guess) = attempt(owner) {
        guess.commit();
    }
    attempt(Client::Known(b"device 2")).unwrap().succeed();
}

#[test]
fn a_lock_is_an_event_before_anybody_is_refused() {
    let (clock, recorder) = (ManualClock::new(), Recorder::default());
    let rules = [Rule::lockout("login", Lockout::new(n(2), MINUTE))];
    let limiter = build(&clock, &rules, |builder| builder.observer(recorder.clone()));
    let check = || limiter.check(&[("login", Key::text("k"))], cost(1)).unwrap().allowed;
    let kinds = || recorder.events().iter().map(|event| event.kind).collect::<Vec<_>>();
    assert!(check() && check());
    assert_eq!((recorder.events()[0].cause, kinds()), (Cause::LockedOut, vec![EventKind::Opened]));
    assert!(!check() && !check());
    clock.advance(MINUTE);
    assert!(check());
    assert_eq!(kinds()[1..], [EventKind::Closed { refusals: 2, lasted: Duration::ZERO }]);
    assert!(check());
    assert_eq!(kinds()[2..], [EventKind::Opened], "every lock is an event");

    limiter.forget("login", &Key::text("k")).unwrap();
    assert_eq!(kinds()[3..], [EventKind::Closed { refusals: 0, lasted: Duration::ZERO }]);
    assert!(check());
    let Reservation::Granted(right) = limiter.reserve(&[("login", Key::text("k"))], cost(1)).unwrap() else { panic!() };
    right.succeed();
    assert_eq!(kinds()[4..], [EventKind::Opened, EventKind::Closed { refusals: 0, lasted: Duration::ZERO }]);
    assert_eq!(limiter.snapshot().rules[0].refusals, 2);
}

/// What lifts no lock ends no episode.
#[test]
fn a_success_from_before_a_lock_is_not_the_end_of_it() {
    let (clock, recorder) = (ManualClock::new(), Recorder::default());
    let rules = [Rule::lockout("login", Lockout::new(n(1), MINUTE))];
    let limiter = build(&clock, &rules, |builder| builder.observer(recorder.clone()));
    let reserve = || limiter.reserve(&[("login", Key::text("k"))], cost(1)).unwrap();
    let Reservation::Granted(slow) = reserve() else { panic!() };
    clock.advance(MINUTE);
    let Reservation::Granted(wrong) = reserve() else { panic!() };
    wrong.commit();
    let before = recorder.events();
    assert_eq!(before.last().unwrap().kind, EventKind::Opened);
    slow.succeed();
    assert_eq!(recorder.events().len(), before.len());
    clock.advance(MINUTE);
    assert!(matches!(reserve(), Reservation::Granted(_)));
    assert!(matches!(recorder.events()[before.len()].kind, EventKind::Closed { .. }));
}

#[test]
fn unusable_terms_are_refused() {
    let kind = |lockout| Limiter::builder().rule(Rule::lockout("a", lockout)).build().map(drop).map_err(|e| e.kind());
    let usable = Lockout::new(n(3), MINUTE);
    for lockout in [
        Lockout::new(n(3), Duration::ZERO),
        Lockout::new(n(3), Rule::WINDOW_MAX + TICK),
        usable.doubling_up_to(MINUTE - TICK),
        usable.forgetting_after(Duration::ZERO),
        usable.forgetting_after(Duration::MAX),
    ] {
        assert_eq!(kind(lockout), Err(ErrorKind::InvalidConfiguration), "{lockout:?}");
    }
    for lockout in [usable, usable.doubling_up_to(Rule::WINDOW_MAX).for_good_at(n(u32::MAX)), Lockout::nist()] {
        assert_eq!(kind(lockout), Ok(()), "{lockout:?}");
    }
}

proptest! {
    /// Whatever is refunded: in no span as long as the first lock are there more failures than the count, a refusal is
    /// honest about its end, and the whole state is forgotten when it says so.
    #[test]
    fn no_lock_is_shorter_than_the_first(
        (failures, first, doublings, memory) in (1_u32..6, 1_u64..1_000, 0_u32..4, 1_u64..5_000),
        steps in prop::collection::vec((0_u64..1_500, 1_u32..6, 0_u8..4), 1..200),
    ) {
        let lockout = Lockout::new(n(failures), ns(first))
            .doubling_up_to(ns(first << doublings))
            .forgetting_after(ns(memory));
        let single = single(lockout);
        let (mut log, mut now) = (Log::default(), 0);
        for (gap, units, end) in steps {
            single.advance(gap);
            now += gap;
            match single.reserve(units.min(failures)) {
                Some(permit) if end == 0 => permit.refund(),
                Some(permit) => {
                    log.charge(now, units.min(failures));
                    permit.commit();
                    prop_assert!(log.used(now, first.min(memory)) <= failures);
                }
                None => {
                    let refused = single.peek(units.min(failures));
                    prop_assert!(refused.retry_after <= ns(first << doublings).max(ns(memory)));
                    if end == 1 {
                        single.clock.advance(refused.retry_after - TICK);
                        prop_assert_eq!(single.peek(units.min(failures)).retry_after, TICK);
                        single.clock.advance(TICK);
                        now += u64::try_from(refused.retry_after.as_nanos()).unwrap();
                        prop_assert!(single.peek(units.min(failures)).allowed);
                    }
                }
            }
            if end == 2 {
                let reset = single.peek(1).reset_after;
                if !reset.is_zero() {
                    single.clock.advance(reset - TICK);
                    prop_assert_eq!(single.tracked(), 1);
                    single.clock.advance(TICK);
                    now += u64::try_from(reset.as_nanos()).unwrap();
                }
                prop_assert_eq!(single.tracked(), 0);
                prop_assert_eq!(single.peek(1).remaining, failures);
            }
        }
    }
}
