//! Mistakes that are found when the limiter is built or asked.

use std::time::Duration;

use stockade_ratelimit::{Algorithm, Cost, ErrorKind, Key, Limiter, Lockout, ManualClock, Mode, Overflow, Rule};

use crate::bench::{build, cost, n};

const HOUR: Duration = Duration::from_secs(3600);

fn kind(rules: &[Rule], capacity: usize) -> Result<(), ErrorKind> {
    let builder = rules.iter().cloned().fold(Limiter::builder(), |builder, rule| builder.rule(rule));
    builder.capacity(capacity).build().map(drop).map_err(|error| {
        assert!(!error.is_retryable());
        error.kind()
    })
}

#[test]
fn unusable_rules_are_refused() {
    use ErrorKind::{InvalidConfiguration, NoRules};

    let rule = |name: &str| Rule::window(name, n(1), HOUR);
    assert_eq!(kind(&[], 8), Err(NoRules));
    assert_eq!(kind(&[rule("a"), rule("a")], 8), Err(InvalidConfiguration));
    for name in ["", "Login", "log in", "a\nb", "naïve", &"x".repeat(65)] {
        assert_eq!(kind(&[rule(name)], 8), Err(InvalidConfiguration), "{name}");
    }
    assert_eq!(kind(&[rule(&"x".repeat(64)), rule("a.b_c-9")], 8), Ok(()));
    for window in [Duration::ZERO, Rule::WINDOW_MAX + Duration::from_nanos(1), Duration::MAX] {
        assert_eq!(kind(&[Rule::window("a", n(1), window)], 8), Err(InvalidConfiguration));
    }
    assert_eq!(kind(&[Rule::exact("a", n(Rule::EXACT_MAX + 1), HOUR)], 8), Err(InvalidConfiguration));
    assert_eq!(kind(&[Rule::exact("a", n(Rule::EXACT_MAX), Rule::WINDOW_MAX)], 8), Ok(()));
    let lockout = Rule::lockout("a", Lockout::pci_dss()).on_overflow(Overflow::Share);
    assert_eq!(kind(&[lockout], 8), Err(InvalidConfiguration));
    for burst in [5, 6, u32::MAX] {
        assert_eq!(kind(&[Rule::gcra_strict("a", n(5), HOUR, n(burst))], 8), Err(InvalidConfiguration), "{burst}");
    }
    assert_eq!(kind(&[Rule::gcra_strict("a", n(5), HOUR, n(4))], 8), Ok(()));
    assert_eq!(kind(&[Rule::gcra("a", n(u32::MAX), HOUR)], 8), Ok(()));
    // Each of these bursts would take years to come back.
    assert_eq!(kind(&[Rule::gcra_strict("a", n(u32::MAX), HOUR, n(u32::MAX - 1))], 8), Err(InvalidConfiguration));
    assert_eq!(kind(&[Rule::gcra_strict("a", n(3), Rule::WINDOW_MAX, n(2))], 8), Err(InvalidConfiguration));
    assert_eq!(kind(&[rule("a")], 0), Err(InvalidConfiguration));
    assert_eq!(kind(&[rule("a")], usize::MAX), Err(InvalidConfiguration));
}

#[test]
fn a_request_must_name_rules_that_exist() {
    let clock = ManualClock::new();
    let [one, other] = [(); 2].map(|()| build(&clock, &[Rule::exact("a", n(5), HOUR)], |builder| builder));
    let key = || Key::text("k");
    let kind = |result: Result<_, stockade_ratelimit::Error>| result.map(drop).map_err(|error| error.kind());

    assert_eq!(kind(one.check::<&str>(&[], Cost::ONE)), Err(ErrorKind::NoRules));
    assert_eq!(kind(one.check(&[("a", key()), ("b", key())], Cost::ONE)), Err(ErrorKind::UnknownRule));
    assert_eq!(one.rule("b").unwrap_err().kind(), ErrorKind::UnknownRule);
    let foreign = other.rule("a").unwrap();
    assert_eq!(kind(one.check(&[(foreign, key())], Cost::ONE)), Err(ErrorKind::UnknownRule));
    assert_eq!(one.definition(foreign).unwrap_err().kind(), ErrorKind::UnknownRule);
    assert_eq!(one.peek(&[("a", key())], Cost::ONE).unwrap().remaining, 5, "an error charges nothing");
}

#[test]
fn a_cost_above_the_limit_is_an_error_at_once() {
    let limiter = build(&ManualClock::new(), &[Rule::exact("a", n(9), HOUR), Rule::exact("b", n(5), HOUR)], |b| b);
    let keys = [("a", Key::account("ana@acme.test")), ("b", Key::account("ana@acme.test"))];
    for error in [
        limiter.check(&keys, cost(6)).unwrap_err(),
        limiter.peek(&keys, cost(6)).unwrap_err(),
        limiter.reserve(&keys, cost(6)).map(drop).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::CostAboveLimit);
        assert_eq!(error.to_string(), "cost 6 is above the limit 5 of rule `b`: no retry can succeed");
    }
    assert_eq!(limiter.peek(&keys[..1], cost(1)).unwrap().remaining, 9);
    assert!(limiter.check(&keys, cost(5)).unwrap().allowed);
}

#[test]
fn messages_are_one_line() {
    let limiter = build(&ManualClock::new(), &[Rule::exact("a", n(5), HOUR)], |builder| builder);
    let unknown = limiter.rule("no\nsuch rule").unwrap_err();
    assert_eq!(unknown.to_string(), r"the limiter has no rule named `no\nsuch rule`");
    let invalid = Limiter::builder().rule(Rule::exact("a\nb", n(5), HOUR)).build().unwrap_err();
    assert!(invalid.to_string().starts_with(r"rule `a\nb` cannot be used: "));
}

#[test]
fn a_limiter_tells_its_rules() {
    let rule = Rule::window("export.tenant", n(100), HOUR).in_mode(Mode::Shadow);
    let limiter = build(&ManualClock::new(), std::slice::from_ref(&rule), |builder| builder);
    let id = limiter.rule("export.tenant").unwrap();
    assert_eq!(limiter.definition(id).unwrap(), &rule);
    assert_eq!((rule.limit().get(), rule.period(), rule.algorithm()), (100, HOUR, Algorithm::SlidingWindow));
    let snapshot = limiter.snapshot();
    assert_eq!((snapshot.rules[0].id, &snapshot.rules[0].rule), (id, &rule));
    assert!(format!("{limiter:?}").contains("export.tenant"));
}
