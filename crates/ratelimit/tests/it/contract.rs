//! What every store must do, over rules that differ in their algorithm. Each store's own file runs all of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use stockade_ratelimit::store::{OnStoreError, SharedLimiter, Store};
use stockade_ratelimit::{Cost, Decision, FingerprintKey, Key, Limiter, ManualClock, Reservation, Rule, Source};

use crate::bench::{cost, n};

/// Failures of the store are refusals here, and slow machines are given time.
pub(crate) fn limiter<S: Store>(store: S, rules: &[Rule]) -> SharedLimiter<S> {
    let builder = SharedLimiter::builder(store, FingerprintKey::new([7; 32]), OnStoreError::Closed);
    let builder = rules.iter().cloned().fold(builder, |builder, rule| builder.rule(rule));
    builder.deadline(Duration::from_secs(30)).build().unwrap()
}

/// A small generator of its own, so that a trace is the same for every store.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // xorshift64*, Vigna 2016.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

/// The same traffic on the limiter in memory, whose nanosecond is the store's microsecond. Every answer is compared.
/// `STOCKADE_RATELIMIT_STEPS` makes the trace longer.
pub(crate) async fn decides_as_memory<S: Store>(store: S, clock: ManualClock, seed: u64, steps: u32) {
    let steps = std::env::var("STOCKADE_RATELIMIT_STEPS").ok().and_then(|text| text.parse().ok()).unwrap_or(steps);
    let (window, limit) = (1_500, 7);
    let rules = |unit: fn(u64) -> Duration| {
        [
            Rule::exact("exact", n(limit), unit(window)),
            Rule::window("window", n(limit + 3), unit(window / 2 + 7)),
            Rule::gcra("tokens", n(limit), unit(window)),
            Rule::gcra_strict("strict", n(limit + 3), unit(window), n(4)),
            Rule::exact("tried", n(3), unit(window)).in_mode(stockade_ratelimit::Mode::Shadow),
        ]
    };
    let memory_clock = ManualClock::new();
    let memory = crate::bench::build(&memory_clock, &rules(Duration::from_nanos), |builder| builder);
    let shared = limiter(store, &rules(Duration::from_micros));
    // Zero would mean the server's own time.
    clock.advance(Duration::from_micros(1));
    memory_clock.advance(Duration::from_nanos(1));

    let mut dice = Dice(seed);
    let (mut refused, mut corrected) = (0, 0);
    for step in 0..steps {
        let gap = match dice.below(8) {
            0..=2 => 0,
            3 | 4 => dice.below(20),
            5 | 6 => dice.below(window / 4),
            _ => dice.below(window + 2),
        };
        clock.advance(Duration::from_micros(gap));
        memory_clock.advance(Duration::from_nanos(gap));

        let names = ["exact", "window", "tokens", "strict", "tried"]
            .into_iter()
            .filter(|_| dice.below(3) > 0)
            .collect::<Vec<_>>();
        let names = if names.is_empty() { vec!["window"] } else { names };
        let keys: Vec<(&str, Key)> =
            names.into_iter().map(|name| (name, Key::text(&dice.below(2).to_string()))).collect();
        let units = cost(1 + u32::try_from(dice.below(3)).unwrap());
        if dice.below(6) == 0 {
            let expected = memory.peek(&keys, units).unwrap();
            assert_same(step, &memory, expected, &shared, shared.peek(&keys, units).await.unwrap());
        }
        match (memory.reserve(&keys, units).unwrap(), shared.reserve(&keys, units).await.unwrap()) {
            (Reservation::Granted(one), Reservation::Granted(other)) => {
                assert_same(step, &memory, one.decision(), &shared, other.decision());
                let gap = dice.below(2) * dice.below(window / 3);
                clock.advance(Duration::from_micros(gap));
                memory_clock.advance(Duration::from_nanos(gap));
                corrected += 1;
                match dice.below(5) {
                    0 => {
                        one.refund();
                        other.refund().await.unwrap();
                    }
                    1 => {
                        let actual = u32::try_from(dice.below(5)).unwrap();
                        one.settle(actual);
                        other.settle(actual).await.unwrap();
                    }
                    2 => {
                        one.penalize(Cost::ONE);
                        other.penalize(Cost::ONE).await.unwrap();
                    }
                    _ => corrected -= 1,
                }
            }
            (Reservation::Refused(one), Reservation::Refused(other)) => {
                refused += 1;
                assert_same(step, &memory, one, &shared, other);
            }
            (one, other) => panic!("step {step}: {one:?} in memory, {other:?} in the store"),
        }
    }
    assert!(refused > steps / 20 && corrected > steps / 20, "the trace must try both: {refused} {corrected}");
}

fn assert_same<S: Store>(step: u32, memory: &Limiter, one: Decision, shared: &SharedLimiter<S>, other: Decision) {
    let micros = |duration: Duration| Duration::from_nanos(u64::try_from(duration.as_micros()).unwrap());
    let told = (other.allowed, other.limit, other.remaining, micros(other.retry_after), micros(other.reset_after));
    assert_eq!(told, (one.allowed, one.limit, one.remaining, one.retry_after, one.reset_after), "step {step}");
    assert_eq!(
        shared.definition(other.rule).unwrap().name(),
        memory.definition(one.rule).unwrap().name(),
        "step {step}"
    );
    let source = if one.source == Source::Memory { Source::Store } else { one.source };
    assert_eq!(other.source, source, "step {step}");
}

/// Parallel guesses through several processes' limiters: `store` makes one for each.
pub(crate) async fn a_hundred_guesses_pass_five<S: Store>(store: impl AsyncFn() -> S) {
    let hour = Duration::from_secs(3600);
    let rules = [Rule::exact("account", n(5), hour), Rule::window("ip", n(1_000), hour)];
    let passed = Arc::new(AtomicU32::new(0));
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let shared = limiter(store().await, &rules);
        for task in 0..25 {
            let (shared, passed) = (shared.clone(), Arc::clone(&passed));
            tasks.push(tokio::spawn(async move {
                let account = ("account", Key::account("ana"));
                let ip = ("ip", Key::text("one"));
                let keys = if task % 2 == 0 { [account, ip] } else { [ip, account] };
                let decision = shared.check(&keys, Cost::ONE).await.unwrap();
                assert_eq!(decision.source, Source::Store);
                passed.fetch_add(u32::from(decision.allowed), Ordering::SeqCst);
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(passed.load(Ordering::SeqCst), 5);
    let left = limiter(store().await, &rules).peek(&[("ip", Key::text("one"))], Cost::ONE).await.unwrap();
    assert_eq!(left.remaining, 995, "a request that one rule refuses charges no other");
}

/// Decisions of one call see what earlier ones of it were charged.
pub(crate) async fn a_batch_decides_as_single_checks_do<S: Store>(store: S) {
    let hour = Duration::from_secs(3600);
    let rules = [
        Rule::exact("exact", n(3), hour),
        Rule::window("window", n(40), hour),
        Rule::gcra("tokens", n(30), hour * 100),
    ];
    let shared = limiter(store, &rules);
    let mut dice = Dice(9);
    let mut requests = Vec::new();
    for _ in 0..100 {
        let mut keys = vec![("exact", dice.below(20).to_string())];
        if dice.below(2) == 0 {
            keys.push((["window", "tokens"][usize::try_from(dice.below(2)).unwrap()], "all".to_owned()));
        }
        requests.push((keys, cost(1 + u32::try_from(dice.below(2)).unwrap())));
    }
    // The same twice, with names that the other has not used.
    let named = |run: &str| -> Vec<(Vec<(&str, Key)>, Cost)> {
        let key = |(rule, name): &(&'static str, String)| (*rule, Key::text(&format!("{run} {name}")));
        requests.iter().map(|(keys, units)| (keys.iter().map(key).collect(), *units)).collect()
    };
    let batch = shared.check_batch(&named("batch")).await.unwrap();
    let refused = batch.iter().filter(|decision| !decision.allowed).count();
    assert!((10..90).contains(&refused), "{refused}");
    for ((keys, units), in_batch) in named("single").iter().zip(batch) {
        let single = shared.check(keys, *units).await.unwrap();
        assert_eq!(
            (single.allowed, single.remaining, single.rule),
            (in_batch.allowed, in_batch.remaining, in_batch.rule)
        );
    }
}

pub(crate) async fn a_clock_that_goes_back_admits_nothing<S: Store>(store: S, clock: ManualClock) {
    let second = Duration::from_secs(1);
    let rules = [
        Rule::exact("exact", n(2), second),
        Rule::window("window", n(2), second),
        Rule::gcra("tokens", n(2), second * 2),
    ];
    let shared = limiter(store, &rules);
    for rule in ["exact", "window", "tokens"] {
        clock.advance(second * 100);
        let keys = [(rule, Key::text("k"))];
        assert!(shared.check(&keys, cost(2)).await.unwrap().allowed);
        for back in [1, 5, 50] {
            clock.rewind(Duration::from_millis(back));
            let decision = shared.check(&keys, cost(1)).await.unwrap();
            assert!(!decision.allowed, "{rule}");
            assert!(decision.retry_after <= Duration::from_micros(16 * 66_667));
        }
        clock.advance(second * 3);
        assert!(shared.check(&keys, cost(2)).await.unwrap().allowed, "{rule}");
    }
}

/// A handle, a cost and a rule that is off are treated as in memory.
pub(crate) async fn mistakes_are_errors_and_off_is_off<S: Store + Clone>(store: S) {
    use stockade_ratelimit::store::Leases;
    use stockade_ratelimit::{ErrorKind, Lockout, Mode};
    let second = Duration::from_secs(1);
    let builder = |store: S, rule: Rule| {
        SharedLimiter::builder(store, FingerprintKey::new([7; 32]), OnStoreError::Closed).rule(rule)
    };
    let lockout = builder(store.clone(), Rule::lockout("lock", Lockout::nist())).build().unwrap_err();
    assert_eq!(lockout.kind(), ErrorKind::InvalidConfiguration);
    let leases = Leases { processes: n(2), lifetime: second };
    let leased = builder(store.clone(), Rule::gcra("tokens", n(9), second)).tiered(leases).unwrap_err();
    assert_eq!(leased.kind(), ErrorKind::InvalidConfiguration);
    let shared =
        limiter(store, &[Rule::exact("one", n(2), second), Rule::exact("off", n(2), second).in_mode(Mode::Off)]);
    let kind = async |keys: &[(&str, Key)], units| shared.check(keys, cost(units)).await.unwrap_err().kind();
    assert_eq!(kind(&[], 1).await, ErrorKind::NoRules);
    assert_eq!(kind(&[("two", Key::text("k"))], 1).await, ErrorKind::UnknownRule);
    assert_eq!(kind(&[("one", Key::text("k"))], 3).await, ErrorKind::CostAboveLimit);
    let off = shared.check(&[("off", Key::text("k"))], cost(9)).await.unwrap();
    assert!(off.allowed && off.source == Source::Off);
    let twice = [("one", Key::text("k")), ("one", Key::text("k"))];
    assert_eq!(shared.check(&twice, cost(1)).await.unwrap().remaining, 1, "a pair that is named twice counts once");
}
