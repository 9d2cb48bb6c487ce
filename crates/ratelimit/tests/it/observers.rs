//! Observers that do more than listen.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use stockade_ratelimit::{Event, Key, Limiter, ManualClock, Observer, Rule};

use crate::bench::{build, cost, n};

const HOUR: Duration = Duration::from_secs(3600);

/// Asks the limiter that called it about the very key that was refused.
#[derive(Default)]
struct Curious {
    limiter: OnceLock<Limiter>,
    seen: OnceLock<u64>,
}

impl Observer for Curious {
    fn observe(&self, event: &Event) {
        let limiter = self.limiter.get().unwrap();
        assert!(!limiter.check(&[("rule", Key::text("k"))], cost(1)).unwrap().allowed);
        limiter.sweep();
        self.seen.set(limiter.snapshot().refused).unwrap();
        assert_eq!(event.episode, 0);
    }
}

#[test]
fn an_observer_may_use_the_limiter() {
    let curious = Arc::new(Curious::default());
    let limiter = build(&ManualClock::new(), &[Rule::exact("rule", n(1), HOUR)], |builder| {
        builder.observer(Arc::clone(&curious))
    });
    curious.limiter.set(limiter.clone()).unwrap();
    for _ in 0..2 {
        let _ = limiter.check(&[("rule", Key::text("k"))], cost(1)).unwrap();
    }
    // The refusal that opened the episode, and the observer's own.
    assert_eq!(curious.seen.get(), Some(&2));
}

struct Faulty;

impl Observer for Faulty {
    fn observe(&self, _: &Event) {
        panic!("the observer broke");
    }
}

#[test]
fn an_observer_that_panics_does_not_harm_the_counts() {
    let limiter = build(&ManualClock::new(), &[Rule::exact("rule", n(1), HOUR)], |builder| builder.observer(Faulty));
    let check = || limiter.check(&[("rule", Key::text("k"))], cost(1)).unwrap();
    assert!(check().allowed);
    assert!(catch_unwind(AssertUnwindSafe(check)).is_err());
    assert!(!check().allowed);
    assert_eq!((limiter.snapshot().refused, limiter.snapshot().rules[0].refusals), (2, 2));
}
