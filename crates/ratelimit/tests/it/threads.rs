//! Many threads at once.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use stockade_ratelimit::{Key, Limiter, Reservation, Rule};

use crate::bench::{KINDS, cost, n};

const HOUR: Duration = Duration::from_secs(3600);

fn limiter(rules: impl IntoIterator<Item = Rule>) -> Limiter {
    rules.into_iter().fold(Limiter::builder(), |builder, rule| builder.rule(rule)).build().unwrap()
}

/// Sign-in attempts that all start before the first of them has been answered.
#[test]
fn a_thousand_guesses_pass_five() {
    for make in KINDS {
        let limiter = limiter([make("login", n(5), HOUR)]);
        let (start, keys) = (Barrier::new(1_000), [("login", Key::account("ana@acme.test"))]);
        let permits: Vec<_> = thread::scope(|scope| {
            let guess = || {
                start.wait();
                match limiter.reserve(&keys, cost(1)).unwrap() {
                    Reservation::Granted(permit) => Some(permit),
                    Reservation::Refused(_) => None,
                }
            };
            let threads: Vec<_> = (0..1_000)
                .map(|_| thread::Builder::new().stack_size(1 << 17).spawn_scoped(scope, guess).unwrap())
                .collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(permits.len(), 5);
        let snapshot = limiter.snapshot();
        assert_eq!((snapshot.allowed, snapshot.refused), (5, 995));
        // One of the five was the right password.
        permits.into_iter().next().unwrap().refund();
        assert_eq!(limiter.peek(&keys, cost(1)).unwrap().remaining, 1);
    }
}

/// Two threads race for every key at a limit of 1: the check-then-count race.
#[test]
fn no_key_is_admitted_twice_in_lock_step() {
    const KEYS: u32 = 50_000;
    for make in KINDS {
        let builder = Limiter::builder().rule(make("rule", n(1), HOUR)).capacity(2 * KEYS as usize);
        let limiter = builder.build().unwrap();
        let admitted: Vec<AtomicU32> = (0..KEYS).map(|_| AtomicU32::new(0)).collect();
        let start = Barrier::new(2);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    start.wait();
                    for (key, admitted) in admitted.iter().enumerate() {
                        let keys = [("rule", Key::bytes(key.to_le_bytes()))];
                        let decision = limiter.check(&keys, cost(1)).unwrap();
                        admitted.fetch_add(u32::from(decision.allowed), Ordering::Relaxed);
                    }
                });
            }
        });
        assert!(admitted.iter().all(|count| count.load(Ordering::Relaxed) == 1));
    }
}

/// One thread's requests are always refused by `spent`. If their charge to `shared` showed for a moment, or stayed, the
/// other thread's only request for that key would be refused.
#[test]
fn no_partial_charge_is_left_or_seen() {
    let limiter = limiter([Rule::exact("shared", n(1), HOUR), Rule::exact("spent", n(1), HOUR)]);
    assert!(limiter.check(&[("spent", Key::text("s"))], cost(1)).unwrap().allowed);
    let (start, done) = (Barrier::new(2), AtomicBool::new(false));
    let current = AtomicU32::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            start.wait();
            while !done.load(Ordering::Relaxed) {
                let key = Key::bytes(current.load(Ordering::Relaxed).to_le_bytes());
                let keys = [("shared", key), ("spent", Key::text("s"))];
                assert!(!limiter.check(&keys, cost(1)).unwrap().allowed);
            }
        });
        start.wait();
        let refused = (0..20_000_u32).find(|key| {
            current.store(*key, Ordering::Relaxed);
            !limiter.check(&[("shared", Key::bytes(key.to_le_bytes()))], cost(1)).unwrap().allowed
        });
        done.store(true, Ordering::Relaxed);
        assert_eq!(refused, None);
    });
}

/// Requests name their rules in different orders; what is admitted is charged to both, and what is not to none.
#[test]
fn both_rules_agree_and_nobody_waits_for_ever() {
    let limiter = limiter([Rule::window("a", n(1_000_000), HOUR), Rule::window("b", n(3_000), HOUR)]);
    let admitted = AtomicU32::new(0);
    thread::scope(|scope| {
        for thread in 0..4_usize {
            let (limiter, admitted) = (&limiter, &admitted);
            scope.spawn(move || {
                let mut keys =
                    [("a", Key::text("x")), ("b", Key::text("x")), ("a", Key::text("y")), ("b", Key::text("y"))];
                keys.rotate_left(thread);
                for round in 0..2_000 {
                    let units = 1 + round % 3;
                    if limiter.check(&keys, cost(units)).unwrap().allowed {
                        admitted.fetch_add(units, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let admitted = admitted.into_inner();
    assert_eq!(admitted, 3_000);
    for key in ["x", "y"] {
        let left = |rule| limiter.peek(&[(rule, Key::text(key))], cost(1)).unwrap().remaining;
        assert_eq!((left("a"), left("b")), (1_000_000 - admitted, 3_000 - admitted));
    }
}

/// Refunds race with reservations; at the end nothing is charged, and at no time were more than five out.
#[test]
fn refunds_under_threads_add_up() {
    let limiter = limiter([Rule::exact("rule", n(5), HOUR)]);
    let (out, most) = (AtomicU32::new(0), AtomicU32::new(0));
    let keys = [("rule", Key::text("k"))];
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    if let Reservation::Granted(permit) = limiter.reserve(&keys, cost(2)).unwrap() {
                        most.fetch_max(out.fetch_add(2, Ordering::SeqCst) + 2, Ordering::SeqCst);
                        out.fetch_sub(2, Ordering::SeqCst);
                        permit.refund();
                    }
                }
            });
        }
    });
    assert!(most.into_inner() <= 5);
    assert_eq!(limiter.peek(&keys, cost(1)).unwrap().remaining, 5);
}

#[test]
fn handles_can_be_sent_and_shared() {
    fn assert<T: Send + Sync + 'static>() {}
    assert::<Limiter>();
    assert::<Reservation>();
    assert::<stockade_ratelimit::LimiterBuilder>();
    assert::<stockade_ratelimit::Error>();
}
