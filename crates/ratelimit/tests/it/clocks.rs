//! Clocks that misbehave.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use stockade_ratelimit::{Algorithm, Clock, Key, Limiter, ManualClock, MonotonicClock, Rule};

use crate::bench::{KINDS, Log, Single, bound, cost, n, ns};

#[test]
fn going_back_admits_nothing() {
    for make in KINDS {
        let single = Single::new(&make("rule", n(3), ns(15_000)));
        single.advance(1_000_000);
        assert!(single.check(3).allowed);
        let refused = single.check(1);
        for back in [1, 14_999, 15_000, 100_000, 1_000_000] {
            single.clock.rewind(ns(back));
            assert_eq!(single.check(1), refused);
        }
        // Time goes on where the highest reading was.
        assert_eq!(single.clock.now(), Duration::ZERO);
        single.clock.advance(ns(1_000_000) + refused.retry_after - ns(1));
        assert!(!single.check(1).allowed);
        single.advance(1);
        assert!(single.check(1).allowed);
    }
}

proptest! {
    /// Neither a charge nor the loss of a slot may be undone by an earlier reading.
    #[test]
    fn a_jumping_clock_keeps_the_limit(
        kind in 0..KINDS.len(),
        steps in prop::collection::vec((any::<bool>(), 0_u64..2_500, 1_u32..4), 1..300),
    ) {
        let rule = KINDS[kind]("rule", n(3), ns(1_000));
        let single = Single::new(&rule);
        let (mut log, mut latest) = (Log::default(), 0);
        for (back, by, units) in steps {
            if back { single.clock.rewind(ns(by)) } else { single.advance(by) }
            latest = latest.max(u64::try_from(single.clock.now().as_nanos()).unwrap());
            let allowed = single.check(units).allowed;
            if rule.algorithm() == Algorithm::ExactLog {
                prop_assert_eq!(allowed, log.admits(latest, 1_000, 3, units));
            }
            if allowed {
                log.charge(latest, units);
            }
        }
        prop_assert!(log.worst(1_000) <= bound(&rule));
    }
}

/// Shows the time of the last full ten nanoseconds.
struct Late(ManualClock);

impl Clock for Late {
    fn now(&self) -> Duration {
        let now = u64::try_from(self.0.now().as_nanos()).unwrap();
        ns(now / 10 * 10)
    }

    fn resolution(&self) -> Duration {
        ns(10)
    }
}

proptest! {
    #[test]
    fn a_late_clock_keeps_the_limit_in_true_time(
        kind in 0..KINDS.len(),
        steps in prop::collection::vec((0_u64..120, 1_u32..4), 1..300),
    ) {
        let (clock, rule) = (ManualClock::new(), KINDS[kind]("rule", n(3), ns(100)));
        let limiter = Limiter::builder().rule(rule.clone()).clock(Late(clock.clone())).build().unwrap();
        let (mut log, mut now) = (Log::default(), 0);
        for (gap, units) in steps {
            clock.advance(ns(gap));
            now += gap;
            if limiter.check(&[("rule", Key::text("k"))], cost(units)).unwrap().allowed {
                log.charge(now, units);
            }
        }
        prop_assert!(log.worst(100) <= bound(&rule));
    }
}

#[cfg(any(target_os = "android", target_os = "linux"))]
#[test]
fn the_coarse_clock_does_not_go_back_and_says_how_late_it_may_be() {
    let clock = stockade_ratelimit::CoarseClock::new();
    let readings: Vec<Duration> = (0..1_000).map(|_| clock.now()).collect();
    assert!(readings.is_sorted() && clock.is_monotonic());
    assert!(!clock.resolution().is_zero() && clock.resolution() < Duration::from_millis(100));
}

/// The ends of the range of time, and the longest window.
#[test]
fn no_reading_overflows() {
    for make in KINDS {
        let single = Single::new(&make("rule", n(2), Rule::WINDOW_MAX));
        assert!(single.check(1).allowed);
        single.clock.advance(Duration::MAX);
        for _ in 0..2 {
            assert!(single.check(1).allowed);
        }
        let refused = single.check(1);
        assert!(!refused.allowed && refused.retry_after <= Rule::WINDOW_MAX / 15 * 16 + ns(16));
    }
}

struct Faulty(Arc<AtomicBool>);

impl Clock for Faulty {
    fn now(&self) -> Duration {
        assert!(!self.0.load(Ordering::Relaxed), "the clock broke");
        Duration::from_secs(1)
    }
}

#[test]
fn a_clock_that_panics_does_not_harm_the_counts() {
    let broken = Arc::new(AtomicBool::new(false));
    let limiter = Limiter::builder()
        .rule(Rule::exact("rule", n(2), ns(1_000)))
        .clock(Faulty(Arc::clone(&broken)))
        .build()
        .unwrap();
    let check = || limiter.check(&[("rule", Key::text("k"))], cost(1)).unwrap();
    assert_eq!(check().remaining, 1);
    broken.store(true, Ordering::Relaxed);
    assert!(catch_unwind(AssertUnwindSafe(check)).is_err());
    broken.store(false, Ordering::Relaxed);
    assert_eq!(check().remaining, 0);
    assert!(!check().allowed);
}

#[test]
fn the_default_clock_does_not_go_back() {
    let clock = MonotonicClock::new();
    let readings: Vec<Duration> = (0..1_000).map(|_| clock.now()).collect();
    assert!(readings.is_sorted());
}
