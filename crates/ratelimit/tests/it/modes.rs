//! Rules that only watch, and rules that are off.

use std::time::Duration;

use stockade_ratelimit::{Cause, EventKind, Key, Limiter, ManualClock, Mode, Reservation, Rule, Source};

use crate::bench::{Recorder, build, cost, n};

const HOUR: Duration = Duration::from_secs(3600);

fn limiter(clock: &ManualClock, recorder: &Recorder) -> Limiter {
    let rules = [
        Rule::exact("real", n(5), HOUR),
        Rule::exact("trial", n(2), HOUR).in_mode(Mode::Shadow),
        Rule::exact("off", n(1), HOUR).in_mode(Mode::Off),
    ];
    build(clock, &rules, |builder| builder.observer(recorder.clone()))
}

fn all() -> [(&'static str, Key); 3] {
    ["real", "trial", "off"].map(|rule| (rule, Key::text("k")))
}

#[test]
fn a_shadow_rule_reports_and_refuses_nothing() {
    let recorder = Recorder::default();
    let limiter = limiter(&ManualClock::new(), &recorder);
    for left in [4, 3, 2, 1, 0] {
        let decision = limiter.check(&all(), cost(1)).unwrap();
        assert_eq!((decision.allowed, decision.remaining, decision.source), (true, left, Source::Memory));
    }
    let snapshot = limiter.snapshot();
    assert_eq!((snapshot.allowed, snapshot.refused), (5, 0));
    assert_eq!(snapshot.rules.iter().map(|rule| rule.refusals).collect::<Vec<_>>(), [0, 3, 0]);
    let [opened] = &recorder.events()[..] else { panic!("{:?}", recorder.events()) };
    assert_eq!((&*opened.rule, opened.mode, opened.kind), ("trial", Mode::Shadow, EventKind::Opened));
}

/// Enforced, the shadow rule would not have been charged for what it refuses, nor for what another rule refuses.
#[test]
fn a_shadow_rule_counts_as_if_it_were_enforced() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, &Recorder::default());
    for _ in 0..4 {
        assert!(limiter.check(&all(), cost(1)).unwrap().allowed);
        clock.advance(HOUR / 4);
    }
    // The first two were charged to it, at 0 and 15 minutes; the first has just left the window.
    let trial = limiter.peek(&[("trial", Key::text("k"))], cost(1)).unwrap();
    assert_eq!((trial.allowed, trial.remaining, trial.reset_after), (true, 1, HOUR / 4));
    assert_eq!((trial.source, trial.retry_after), (Source::Shadow, Duration::ZERO));

    assert!(limiter.check(&[("real", Key::text("k"))], cost(2)).unwrap().allowed);
    assert!(!limiter.check(&all(), cost(1)).unwrap().allowed);
    assert_eq!(limiter.peek(&[("trial", Key::text("k"))], cost(1)).unwrap().remaining, 1);
}

#[test]
fn a_shadow_rule_alone_admits_everything() {
    let limiter = limiter(&ManualClock::new(), &Recorder::default());
    for _ in 0..10 {
        let decision = limiter.check(&[("trial", Key::text("k"))], cost(1)).unwrap();
        assert_eq!((decision.allowed, decision.source), (true, Source::Shadow));
        assert!(decision.retry_after.is_zero());
    }
    assert_eq!(limiter.snapshot().rules[1].refusals, 8);
}

/// An enforced rule calls a cost above its limit an error; a trial must not break what works today.
#[test]
fn a_cost_above_a_shadow_limit_is_a_refusal_that_is_only_reported() {
    let recorder = Recorder::default();
    let limiter = limiter(&ManualClock::new(), &recorder);
    assert!(limiter.check(&all(), cost(3)).unwrap().allowed);
    assert!(!limiter.check(&all(), cost(4)).unwrap().allowed);
    assert_eq!(limiter.snapshot().rules[1].refusals, 2);
    assert_eq!(limiter.peek(&[("trial", Key::text("k"))], cost(1)).unwrap().remaining, 2);
    let above = || {
        let events = recorder.events().into_iter();
        events.filter(|event| event.cause == Cause::CostAboveLimit && &*event.rule == "trial").collect::<Vec<_>>()
    };
    assert_eq!(above().len(), 1);
    // That is about the rule as a whole: no key has an episode of its own, not even one that is counted.
    let trial = |units| limiter.check(&[("trial", Key::text("k"))], cost(units)).unwrap().allowed;
    assert!(trial(1) && trial(4));
    assert_eq!((above().len(), limiter.snapshot().rules[1].refusals), (1, 3));
}

#[test]
fn a_rule_that_is_off_counts_nothing() {
    let limiter = limiter(&ManualClock::new(), &Recorder::default());
    for _ in 0..10 {
        let Reservation::Granted(permit) = limiter.reserve(&[("off", Key::text("k"))], cost(7)).unwrap() else {
            panic!("refused");
        };
        assert_eq!((permit.decision().source, permit.decision().remaining), (Source::Off, 1));
        permit.penalize(cost(1));
    }
    let off = &limiter.snapshot().rules[2];
    assert_eq!((off.keys_tracked, off.refusals), (0, 0));
}
