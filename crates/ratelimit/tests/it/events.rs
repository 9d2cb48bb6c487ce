//! Episodes.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use proptest::prelude::*;
use stockade_ratelimit::{Cause, Event, EventKind, FingerprintKey, Key, Limiter, ManualClock, Mode, Reservation, Rule};

use crate::bench::{Recorder, build, cost, n, ns};

const MINUTE: Duration = Duration::from_secs(60);

fn one(clock: &ManualClock, recorder: &Recorder) -> Limiter {
    let key = FingerprintKey::new([7; 32]);
    let more = |builder: stockade_ratelimit::LimiterBuilder| builder.observer(recorder.clone()).fingerprint_key(key);
    build(clock, &[Rule::exact("login.account", n(5), MINUTE)], more)
}

fn ask(limiter: &Limiter) -> bool {
    ask_for(limiter, 1)
}

fn ask_for(limiter: &Limiter, units: u32) -> bool {
    limiter.check(&[("login.account", Key::account("ana@acme.test"))], cost(units)).unwrap().allowed
}

/// Asks until it is refused once.
fn exhaust(limiter: &Limiter) {
    assert!((0..=5).any(|_| !ask(limiter)));
}

/// Three requests a second for ten minutes; then the attacker goes away, and comes back.
#[test]
fn one_pair_of_events_per_episode() {
    let (clock, recorder) = (ManualClock::new(), Recorder::default());
    let limiter = one(&clock, &recorder);
    let mut refused = 0;
    for _ in 0..1_800 {
        refused += u64::from(!ask(&limiter));
        clock.advance(Duration::from_secs(1) / 3);
    }
    let [opened] = &recorder.events()[..] else { panic!("{:?}", recorder.events()) };
    assert_eq!((&*opened.rule, opened.mode, opened.cause), ("login.account", Mode::Enforce, Cause::LimitExceeded));
    assert_eq!((opened.kind, opened.episode), (EventKind::Opened, 0));
    assert_eq!(limiter.snapshot().rules[0].open_episodes, 1);

    // The last refusal was a third of a second ago.
    clock.advance(MINUTE - Duration::from_millis(400));
    limiter.sweep();
    assert_eq!(recorder.events().len(), 1, "an episode does not end before it has been quiet for a window");
    clock.advance(Duration::from_millis(400));
    limiter.sweep();
    let closed = recorder.events()[1].clone();
    let EventKind::Closed { refusals, lasted } = closed.kind else { panic!("{closed:?}") };
    assert_eq!((closed.fingerprint, closed.episode), (opened.fingerprint, opened.episode));
    assert_eq!(refusals, refused);
    assert!(lasted > 9 * MINUTE && lasted < 10 * MINUTE);
    assert_eq!(limiter.snapshot().rules[0].open_episodes, 0);

    exhaust(&limiter);
    let again = recorder.events()[2].clone();
    assert_eq!((again.kind, again.fingerprint, again.episode), (EventKind::Opened, opened.fingerprint, 1));
}

/// Without a sweep, the key's next request ends its episode.
#[test]
fn the_next_request_ends_a_quiet_episode() {
    let (clock, recorder) = (ManualClock::new(), Recorder::default());
    let limiter = one(&clock, &recorder);
    let kinds = || recorder.events().iter().map(|event| event.kind).collect::<Vec<_>>();
    let closed = EventKind::Closed { refusals: 1, lasted: Duration::ZERO };

    // An admission after a quiet window.
    exhaust(&limiter);
    clock.advance(MINUTE);
    assert!(ask(&limiter));
    assert_eq!(kinds(), [EventKind::Opened, closed]);

    // A refusal after a quiet window ends one episode and begins another; an admission before that ends none.
    assert!(!ask_for(&limiter, 5));
    clock.advance(MINUTE / 2);
    assert!(ask_for(&limiter, 4));
    clock.advance(MINUTE / 2);
    assert_eq!(kinds()[2..], [EventKind::Opened]);
    assert!(!ask_for(&limiter, 5));
    assert_eq!(kinds()[2..], [EventKind::Opened, closed, EventKind::Opened]);
}

#[test]
fn a_refund_ends_no_episode_of_refusals() {
    let (clock, recorder) = (ManualClock::new(), Recorder::default());
    let limiter = one(&clock, &recorder);
    let Reservation::Granted(permit) =
        limiter.reserve(&[("login.account", Key::account("ana@acme.test"))], cost(2)).unwrap()
    else {
        panic!("refused")
    };
    exhaust(&limiter);
    permit.refund();
    assert_eq!((recorder.events().len(), limiter.snapshot().rules[0].open_episodes), (1, 1));
    assert!(ask(&limiter));
}

/// The slots of a full table are all as good as new, but their episodes are open: a request that is refused elsewhere
/// needs none of them.
#[test]
fn a_refused_request_ends_nobody_elses_episode() {
    let (clock, recorder) = (ManualClock::new(), Recorder::default());
    let rules = [Rule::exact("small", n(2), MINUTE), Rule::exact("spent", n(1), MINUTE * 9)];
    let limiter = build(&clock, &rules, |builder| builder.capacity(1).observer(recorder.clone()));
    assert!(limiter.check(&[("spent", Key::text("s"))], cost(1)).unwrap().allowed);
    let keys: Vec<_> = (0..8_u8).map(|name| [("small", Key::bytes([name]))]).collect();
    assert!(keys.iter().all(|key| limiter.check(key, cost(1)).unwrap().allowed));
    clock.advance(MINUTE - ns(1));
    assert!(keys.iter().all(|key| !limiter.check(key, cost(2)).unwrap().allowed));
    clock.advance(ns(1));
    assert_eq!(recorder.events().len(), 8);

    let new = ("small", Key::text("new"));
    assert!(!limiter.check(&[new.clone(), ("spent", Key::text("s"))], cost(1)).unwrap().allowed);
    let closed = || recorder.events().iter().filter(|event| event.kind != EventKind::Opened).count();
    assert_eq!(closed(), 0);
    assert!(limiter.check(&[new], cost(1)).unwrap().allowed);
    assert_eq!(closed(), 1, "a new key that is admitted takes a slot, and the episode that it held ends");
}

/// HMAC-SHA256 computed elsewhere: python3 -c 'import hmac,struct; r=b"login.account"; k=b"ana@acme.test";
/// print(hmac.digest(b"\x07"*32, struct.pack("<Q",len(r))+r+b"\x03"+struct.pack("<Q",len(k))+k, "sha256")[:16].hex())'
#[test]
fn a_fingerprint_is_known_and_tells_rules_and_keys_apart() {
    let clock = ManualClock::new();
    let recorder = Recorder::default();
    let limiter = one(&clock, &recorder);
    exhaust(&limiter);
    let key = Key::account("Ana@acme.test");
    let fingerprint = limiter.fingerprint("login.account", &key).unwrap();
    assert_eq!(recorder.events()[0].fingerprint, fingerprint);
    assert_eq!(fingerprint.to_string(), "c6a884a527ceea85b1103d5be71df0b5");
    assert_eq!(format!("{fingerprint:?}"), format!("Fingerprint({fingerprint})"));
    assert_ne!(limiter.fingerprint("login.account", &Key::account("bob@acme.test")).unwrap(), fingerprint);

    let rules = [Rule::exact("login.account", n(5), MINUTE), Rule::exact("login", n(5), MINUTE)];
    let [first, second] = [[7; 32], [8; 32]]
        .map(|secret| build(&clock, &rules, |builder| builder.fingerprint_key(FingerprintKey::new(secret))));
    assert_eq!(first.fingerprint("login.account", &key).unwrap(), fingerprint);
    assert_ne!(first.fingerprint("login", &key).unwrap(), fingerprint);
    assert_ne!(second.fingerprint("login.account", &key).unwrap(), fingerprint);
    assert_eq!(format!("{:?}", FingerprintKey::new([7; 32])), "FingerprintKey(..)");

    // Without a key, two processes differ: here, two limiters.
    let [one, two] = [(); 2].map(|()| build(&clock, &rules, |builder| builder));
    assert_ne!(one.fingerprint("login", &key).unwrap(), two.fingerprint("login", &key).unwrap());
}

#[test]
fn peek_reports_nothing() {
    let (clock, recorder) = (ManualClock::new(), Recorder::default());
    let limiter = one(&clock, &recorder);
    for _ in 0..5 {
        assert!(ask(&limiter));
    }
    let peek = || limiter.peek(&[("login.account", Key::account("ana@acme.test"))], cost(1)).unwrap();
    assert!(!peek().allowed && !peek().allowed);
    let snapshot = limiter.snapshot();
    assert_eq!((snapshot.refused, snapshot.rules[0].refusals, recorder.events().len()), (0, 0, 0));
}

proptest! {
    /// Two rules, one of them in shadow, on a table that overflows: what the events count is what was refused, for each
    /// rule; and every episode that was opened is closed once.
    #[test]
    fn counts_are_conserved(
        steps in prop::collection::vec((0_u8..40, 0_u64..80, 1_u32..5, any::<bool>()), 1..400),
    ) {
        const WINDOW: u64 = 1_000;
        let (clock, recorder) = (ManualClock::new(), Recorder::default());
        let rules = [
            Rule::exact("real", n(4), ns(WINDOW)),
            Rule::window("trial", n(3), ns(WINDOW)).in_mode(Mode::Shadow),
        ];
        let limiter = build(&clock, &rules, |builder| builder.capacity(8).observer(recorder.clone()));
        let (mut allowed, mut refused) = (0, 0);
        for (name, gap, units, sweep) in steps {
            clock.advance(ns(gap));
            let keys = [("real", Key::bytes([name / 2])), ("trial", Key::bytes([name]))];
            let decision = limiter.check(&keys, cost(units)).unwrap();
            *(if decision.allowed { &mut allowed } else { &mut refused }) += 1;
            if sweep && gap == 0 {
                limiter.sweep();
            }
        }
        let snapshot = limiter.snapshot();
        prop_assert_eq!((snapshot.allowed, snapshot.refused), (allowed, refused));
        prop_assert_eq!(snapshot.rules[0].refusals, refused);

        clock.advance(ns(2 * WINDOW));
        limiter.sweep();
        let events = recorder.events();
        for rule in &limiter.snapshot().rules {
            prop_assert_eq!(rule.open_episodes, 0);
            let own: Vec<&Event> = events.iter().filter(|event| *event.rule == *rule.rule.name()).collect();
            prop_assert!(own.iter().all(|event| event.mode == rule.rule.mode()));
            prop_assert_eq!(own.iter().filter_map(|event| refusals(event)).sum::<u64>(), rule.refusals);
        }
        prop_assert_eq!(sum(&events, Cause::TableFull), limiter.snapshot().rules.iter().map(|rule| rule.table_full).sum::<u64>());

        let mut open = HashMap::new();
        let mut numbers = HashSet::new();
        for event in &events {
            let same = |event: &Event| (event.rule.clone(), event.cause, event.fingerprint);
            if refusals(event).is_some() {
                prop_assert_eq!(open.remove(&event.episode), Some(same(event)));
            } else {
                prop_assert!(numbers.insert(event.episode));
                prop_assert!(!open.values().any(|other| *other == same(event)), "one open episode for a key");
                open.insert(event.episode, same(event));
            }
        }
        prop_assert!(open.is_empty());
    }
}

fn refusals(event: &Event) -> Option<u64> {
    match event.kind {
        EventKind::Closed { refusals, .. } => Some(refusals),
        _ => None,
    }
}

fn sum(events: &[Event], cause: Cause) -> u64 {
    events.iter().filter(|event| event.cause == cause).filter_map(refusals).sum()
}
