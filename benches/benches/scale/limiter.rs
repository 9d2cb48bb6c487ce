//! A check of one key among many, and what a key takes of the memory.

use std::{hint::black_box, num::NonZeroU32, time::Duration};

use governor::{Quota, RateLimiter, clock::DefaultClock, state::keyed::DashMapStateStore};
use stockade_benches::{median, resident};
use stockade_ratelimit::{Cost, Key, Limiter, Rule, RuleId};

use crate::{Wanted, cost::nanoseconds};

const SIZES: [u64; 9] = [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000];
const HOUR: Duration = Duration::from_secs(3_600);

/// What limits keys.
enum Subject {
    Ours(Limiter, RuleId),
    Governor(RateLimiter<u64, DashMapStateStore<u64>, DefaultClock>),
}

impl Subject {
    fn ours(rule: Rule, keys: u64) -> Self {
        let capacity = usize::try_from(keys).expect("an address space that holds them");
        let limiter = Limiter::builder().rule(rule).capacity(capacity).build().expect("a limiter");
        let rule = limiter.rule("rule").expect("the rule");
        Self::Ours(limiter, rule)
    }

    /// One of the three, for so many keys, with limits that no key reaches here.
    fn make(kind: Kind, keys: u64) -> Self {
        match kind {
            Kind::Bucket => Self::ours(Rule::gcra("rule", n(10_000_000), HOUR), keys),
            Kind::Window => Self::ours(Rule::window("rule", n(60_000), HOUR), keys),
            Kind::Governor => Self::Governor(RateLimiter::dashmap(Quota::per_hour(n(10_000_000)))),
        }
    }

    fn check(&self, key: u64) -> bool {
        match self {
            Self::Ours(limiter, rule) => {
                let keys = [(*rule, Key::bytes(key.to_le_bytes()))];
                limiter.check(&keys, Cost::ONE).expect("a valid request").allowed
            }
            Self::Governor(limiter) => limiter.check_key(&key).is_ok(),
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Bucket,
    Window,
    Governor,
}

const KINDS: [(Kind, &str); 3] =
    [(Kind::Bucket, "token bucket"), (Kind::Window, "window"), (Kind::Governor, "governor 0.10")];

fn n(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("not zero")
}

pub(crate) fn measure(wanted: &Wanted) {
    let mut curve = wanted.curve("limiter", "in memory, one thread, keys drawn evenly, every key in use");
    let rounds = wanted.scale.times(7);
    // What was measured stays, so that nothing is built in memory that something else has given back.
    let mut kept = Vec::new();
    for keys in wanted.sizes(&SIZES) {
        let draws = draws(keys, wanted.scale.times(500_000));
        let mut subjects = Vec::new();
        for (kind, name) in KINDS {
            // Of what is small many, because memory is counted in pages.
            let copies = (1_000_000 / keys).clamp(1, wanted.scale.times(1_000) as u64);
            let before = resident() as f64;
            let made: Vec<_> = (0..copies).map(|_| filled(kind, keys)).collect();
            curve.point(keys, (resident() as f64 - before) / (copies * keys) as f64, "bytes", name);
            subjects.push((name, made));
        }
        let mut times = [const { Vec::new() }; KINDS.len()];
        for round in 0..rounds {
            // Nobody is always the first.
            for turn in 0..subjects.len() {
                let place = (round + turn) % subjects.len();
                let (Some((_, made)), Some(times)) = (subjects.get(place), times.get_mut(place)) else { continue };
                let subject = made.first().expect("a copy");
                times.push(
                    nanoseconds(1, 1, || {
                        for key in &draws {
                            black_box(subject.check(*key));
                        }
                    }) / draws.len() as f64,
                );
            }
        }
        for ((name, _), times) in subjects.iter().zip(times) {
            curve.point(keys, median(times), "ns", name);
        }
        curve.load(keys);
        kept.push(subjects);
    }
}

fn filled(kind: Kind, keys: u64) -> Subject {
    let subject = Subject::make(kind, keys);
    // Of as many keys as there is room for, one in five thousand finds no slot.
    let admitted = (0..keys).filter(|key| subject.check(*key)).count() as u64;
    assert!(admitted * 100 >= keys * 99, "{admitted} of {keys} found room");
    subject
}

/// So many keys, each as likely as another.
fn draws(keys: u64, count: usize) -> Vec<u64> {
    let mut state = 7;
    (0..count).map(|_| crate::scenario::draw(&mut state) % keys).collect()
}
