//! Episodes of refusal over a store, as one process sees them.

use std::time::Duration;

use stockade_ratelimit::store::{Ask, Intent, Leases, OnStoreError, Share, SharedLimiter, Standing, Store};
use stockade_ratelimit::{
    Cause, Cost, Error, Event, EventKind, FingerprintKey, Key, Limiter, ManualClock, Mode, Rule, Source,
};

use crate::bench::{Recorder, n};
use crate::redis::with_clock;

const MINUTE: Duration = Duration::from_secs(60);

fn key() -> FingerprintKey {
    FingerprintKey::new([3; 32])
}

fn limiter<S: Store>(store: S, clock: &ManualClock, recorder: &Recorder, on_error: OnStoreError) -> SharedLimiter<S> {
    SharedLimiter::builder(store, key(), on_error)
        .rule(Rule::exact("login.account", n(2), MINUTE))
        .rule(Rule::exact("tried", n(1), MINUTE).in_mode(Mode::Shadow))
        .deadline(Duration::from_secs(30))
        .clock(clock.clone())
        .observer(recorder.clone())
        .build()
        .unwrap()
}

async fn ask<S: Store>(limiter: &SharedLimiter<S>, account: &str) -> bool {
    limiter.check(&[("login.account", Key::account(account))], Cost::ONE).await.unwrap().allowed
}

#[tokio::test]
async fn one_pair_of_events_per_episode_and_process() {
    let ((store, clock), recorder) = (with_clock("episodes").await, Recorder::default());
    clock.advance(MINUTE);
    let shared = limiter(store, &clock, &recorder, OnStoreError::Closed);
    for _ in 0..10 {
        ask(&shared, "ana").await;
    }
    let [opened] = &recorder.events()[..] else { panic!("{:?}", recorder.events()) };
    assert_eq!((&*opened.rule, opened.cause, opened.kind), ("login.account", Cause::LimitExceeded, EventKind::Opened));
    let in_memory = Limiter::builder().rule(Rule::exact("login.account", n(9), MINUTE)).fingerprint_key(key());
    let same = in_memory.build().unwrap().fingerprint("login.account", &Key::account("ana")).unwrap();
    assert_eq!(opened.fingerprint, same, "an alert knows the key again, wherever it was counted");
    assert_eq!(shared.fingerprint("login.account", &Key::account("ana")).unwrap(), same);

    clock.advance(MINUTE - Duration::from_secs(1));
    shared.sweep();
    assert_eq!(recorder.events().len(), 1, "an episode does not end before it has been quiet for a window");
    let snapshot = shared.snapshot();
    assert_eq!((snapshot.allowed, snapshot.refused, snapshot.degraded), (2, 8, false));
    assert_eq!((snapshot.rules[0].refusals, snapshot.rules[0].open_episodes), (8, 1));
    clock.advance(Duration::from_secs(1));
    shared.sweep();
    let [_, Event { kind: EventKind::Closed { refusals: 8, .. }, .. }] = recorder.events()[..] else {
        panic!("{:?}", recorder.events())
    };
    assert_eq!(shared.snapshot().rules[0].open_episodes, 0);
}

#[tokio::test]
async fn a_shadow_rule_reports_and_a_peek_does_not() {
    let ((store, clock), recorder) = (with_clock("shadow").await, Recorder::default());
    let shared = limiter(store, &clock, &recorder, OnStoreError::Closed);
    for _ in 0..3 {
        assert!(shared.check(&[("tried", Key::text("k"))], Cost::ONE).await.unwrap().allowed);
        let _ = shared.peek(&[("tried", Key::text("k"))], Cost::ONE).await.unwrap();
    }
    let [Event { mode: Mode::Shadow, kind: EventKind::Opened, .. }] = recorder.events()[..] else {
        panic!("{:?}", recorder.events())
    };
    let snapshot = shared.snapshot();
    assert_eq!((snapshot.allowed, snapshot.refused, snapshot.rules[1].refusals), (3, 0, 2));
}

/// A store that is never there.
struct Dead;

impl Store for Dead {
    async fn decide(&self, _: &[Ask], _: u32, _: Intent) -> Result<Vec<Standing>, Error> {
        Err(Error::store("dead"))
    }

    async fn release(&self, _: &[(Ask, u64)], _: u32) -> Result<(), Error> {
        Err(Error::store("dead"))
    }

    async fn surcharge(&self, _: &[Ask], _: u32) -> Result<(), Error> {
        Err(Error::store("dead"))
    }
}

/// A guess that is refused without the store is an episode like any other; an outage that refuses everybody is none.
#[tokio::test]
async fn the_fallback_reports_and_an_outage_does_not() {
    let (clock, recorder) = (ManualClock::new(), Recorder::default());
    let local = limiter(Dead, &clock, &recorder, OnStoreError::Local { share: Share::among(n(1)) });
    for allowed in [true, true, false, false] {
        assert_eq!(ask(&local, "ana").await, allowed);
    }
    assert_eq!(recorder.events().len(), 1);
    assert_eq!((local.snapshot().refused, local.snapshot().degraded), (2, true));

    let recorder = Recorder::default();
    let closed = limiter(Dead, &clock, &recorder, OnStoreError::Closed);
    let refused = closed.check(&[("login.account", Key::account("ana"))], Cost::ONE).await.unwrap();
    assert_eq!((refused.allowed, refused.source), (false, Source::StoreDown));
    assert_eq!((recorder.events().len(), closed.snapshot().refused), (0, 1));
}

/// A lease that the store has no room for is a question that nobody asked.
#[tokio::test]
async fn a_refused_lease_is_no_refusal() {
    let ((store, clock), recorder) = (with_clock("leases").await, Recorder::default());
    let tiered = SharedLimiter::builder(store, key(), OnStoreError::Closed)
        .rule(Rule::window("export", n(100), MINUTE))
        .clock(clock.clone())
        .deadline(Duration::from_secs(30))
        .observer(recorder.clone())
        .tiered(Leases { processes: n(2), lifetime: Duration::from_secs(1) })
        .unwrap();
    let tenant = Key::tenant([1; 16]);
    let mut refused = 0;
    for _ in 0..150 {
        refused += u64::from(!tiered.check("export", &tenant, Cost::ONE).await.unwrap().allowed);
    }
    assert_eq!(refused, 50);
    // What the deny cache answers does not reach the limiter behind.
    let seen = tiered.store().snapshot().refused;
    assert!((1..=refused).contains(&seen), "{seen}");
    assert_eq!(recorder.events().len(), 1);
}
