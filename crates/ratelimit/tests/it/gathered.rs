//! Decisions that travel together, over a store that answers when it is told to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use stockade_ratelimit::store::{Ask, Gathered, Intent, OnStoreError, SharedLimiter, Standing, Store};
use stockade_ratelimit::{Cost, Decision, Error, FingerprintKey, Key, Rule, Source};
use tokio::sync::Semaphore;

use crate::bench::n;

const LONG: Duration = Duration::from_secs(600);

/// A store that counts its calls, and answers each for a permit.
#[derive(Clone)]
struct Slow {
    calls: Arc<Mutex<Vec<usize>>>,
    answers: Arc<Semaphore>,
    fails: Arc<Mutex<Failure>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Failure {
    None,
    Error,
    Panic,
}

impl Slow {
    fn new() -> Self {
        let fails = Arc::new(Mutex::new(Failure::None));
        Self { calls: Arc::default(), answers: Arc::new(Semaphore::new(0)), fails }
    }

    fn limiter(&self, patience: Duration) -> SharedLimiter<Gathered<Self>> {
        let store = Gathered::new(self.clone(), patience);
        let builder = SharedLimiter::builder(store, FingerprintKey::new([7; 32]), OnStoreError::Closed);
        builder.rule(Rule::window("api", n(1_000), LONG)).deadline(LONG).build().unwrap()
    }

    fn calls(&self) -> Vec<usize> {
        self.calls.lock().unwrap().clone()
    }

    async fn until_calls(&self, number: usize) {
        while self.calls().len() < number {
            tokio::task::yield_now().await;
        }
    }
}

impl Store for Slow {
    async fn decide(&self, _: &[Ask], _: u32, _: Intent) -> Result<Vec<Standing>, Error> {
        unreachable!("every decision is gathered")
    }

    async fn decide_all(&self, decisions: &[(Vec<Ask>, u32)]) -> Result<Vec<Vec<Standing>>, Error> {
        self.calls.lock().unwrap().push(decisions.len());
        self.answers.acquire().await.unwrap().forget();
        let failure = *self.fails.lock().unwrap();
        match failure {
            Failure::None => Ok(decisions.iter().map(|(asks, _)| vec![Standing::default(); asks.len()]).collect()),
            Failure::Error => Err(Error::store("it fails")),
            Failure::Panic => panic!("it panics"),
        }
    }

    async fn release(&self, _: &[(Ask, u64)], _: u32) -> Result<(), Error> {
        Ok(())
    }

    async fn surcharge(&self, _: &[Ask], _: u32) -> Result<(), Error> {
        Ok(())
    }
}

fn ask(limiter: &SharedLimiter<Gathered<Slow>>, name: usize) -> tokio::task::JoinHandle<Decision> {
    let limiter = limiter.clone();
    tokio::spawn(async move { limiter.check(&[("api", Key::text(&name.to_string()))], Cost::ONE).await.unwrap() })
}

#[tokio::test]
async fn what_waits_while_a_call_is_under_way_goes_together() {
    let store = Slow::new();
    let limiter = store.limiter(LONG);
    let mut tasks = vec![ask(&limiter, 0)];
    store.until_calls(1).await;
    tasks.extend((1..=300).map(|name| ask(&limiter, name)));
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.calls(), [1], "one call at a time");
    store.answers.add_permits(100);
    for task in tasks {
        assert!(task.await.unwrap().allowed);
    }
    assert_eq!(store.calls(), [1, 128, 128, 44]);
    // Nobody waits now; the next one is not forgotten.
    assert!(ask(&limiter, 0).await.unwrap().allowed);
}

#[tokio::test]
async fn who_gave_up_waiting_is_not_charged() {
    let store = Slow::new();
    let limiter = store.limiter(LONG);
    let first = ask(&limiter, 0);
    store.until_calls(1).await;
    let others: Vec<_> = (1..=10).map(|name| ask(&limiter, name)).collect();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    for gone in &others[..7] {
        gone.abort();
    }
    // The one whose call is under way gives up too: the call goes on without it, and so do the others.
    first.abort();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    store.answers.add_permits(100);
    for task in others.into_iter().skip(7) {
        assert!(task.await.unwrap().allowed);
    }
    assert_eq!(store.calls(), [1, 3]);
}

#[tokio::test]
async fn a_call_that_fails_or_panics_fails_its_own_requests_and_no_later_ones() {
    for failure in [Failure::Error, Failure::Panic] {
        let store = Slow::new();
        let limiter = store.limiter(LONG);
        *store.fails.lock().unwrap() = failure;
        let failing = ask(&limiter, 0);
        store.until_calls(1).await;
        store.answers.add_permits(1);
        let decision = failing.await.unwrap();
        assert_eq!((decision.allowed, decision.source), (false, Source::StoreDown));
        *store.fails.lock().unwrap() = Failure::None;
        store.answers.add_permits(1);
        assert_eq!(ask(&limiter, 1).await.unwrap().source, Source::Store);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_is_given_up() {
    let store = Slow::new();
    let limiter = store.limiter(Duration::from_millis(50));
    assert_eq!(ask(&limiter, 0).await.unwrap().source, Source::StoreDown);
    store.answers.add_permits(1);
    assert_eq!(ask(&limiter, 1).await.unwrap().source, Source::Store);
}
