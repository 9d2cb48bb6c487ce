//! Leases, on fifty simulated processes with clocks of their own and a store that loses questions, answers and memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stockade_ratelimit::store::{Ask, Intent, Leases, OnStoreError, SharedLimiter, Standing, Store, Tiered};
use stockade_ratelimit::{Cost, Error, FingerprintKey, Key, ManualClock, Rule, Source};

use crate::bench::n;

const LIMIT: u32 = 10_000;
const WINDOW: u64 = 60_000_000;
const LIFETIME: Duration = Duration::from_secs(10);
const PROCESSES: usize = 50;

/// xorshift64*, Vigna 2016.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

/// A store in virtual time.
#[derive(Clone, Default)]
struct Simulated(Arc<Mutex<World>>);

#[derive(Default)]
struct World {
    now: u64,
    /// Costs by slot and bucket.
    slots: HashMap<[u8; 16], Vec<(u64, u32)>>,
    /// As it was when the replica last followed.
    replica: HashMap<[u8; 16], Vec<(u64, u32)>>,
    trips: u64,
    /// Of a thousand questions, so many are lost before and as many after they took effect.
    loss: u64,
    dice: Option<Dice>,
}

impl World {
    fn is_lost(&mut self) -> bool {
        let loss = self.loss;
        self.dice.as_mut().is_some_and(|dice| dice.below(1_000) < loss)
    }

    fn used(&self, ask: &Ask) -> u32 {
        let live = |bucket: u64| (bucket + ask.span) * ask.width > self.now;
        let log = self.slots.get(&ask.slot).into_iter().flatten();
        log.filter(|(bucket, _)| live(*bucket)).map(|(_, cost)| cost).sum()
    }

    /// As a call that may be lost on the way there or back.
    fn call<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> Result<T, Error> {
        self.trips += 1;
        if self.is_lost() {
            return Err(Error::store("lost on the way there"));
        }
        let done = work(self);
        if self.is_lost() { Err(Error::store("lost on the way back")) } else { Ok(done) }
    }
}

impl Store for Simulated {
    async fn decide(&self, asks: &[Ask], cost: u32, intent: Intent) -> Result<Vec<Standing>, Error> {
        self.0.lock().unwrap().call(|world| {
            let [ask] = asks else { panic!("one rule at a time") };
            let (used, bucket) = (world.used(ask), world.now / ask.width);
            if used + cost <= ask.limit && intent == Intent::Charge {
                world.slots.entry(ask.slot).or_default().push((bucket, cost));
            }
            let wait = if used + cost <= ask.limit { 0 } else { 1_000_000 };
            vec![Standing { used, wait, reset: 0, bucket }]
        })
    }

    async fn release(&self, charges: &[(Ask, u64)], cost: u32) -> Result<(), Error> {
        self.0.lock().unwrap().call(|world| {
            for (ask, at) in charges {
                let log = world.slots.entry(ask.slot).or_default();
                if let Some(charge) = log.iter_mut().find(|(bucket, units)| bucket == at && *units >= cost) {
                    charge.1 -= cost;
                }
            }
        })
    }

    async fn surcharge(&self, _: &[Ask], _: u32) -> Result<(), Error> {
        panic!("a lease never costs more than was charged")
    }
}

struct Fleet {
    store: Simulated,
    nodes: Vec<(Tiered<Simulated>, ManualClock)>,
    dice: Dice,
    /// Virtual times of admitted requests, in order.
    admitted: Vec<u64>,
    leased: u64,
    asked: u64,
}

impl Fleet {
    fn new(seed: u64, loss: u64) -> Self {
        let store = Simulated::default();
        store.0.lock().unwrap().loss = loss;
        store.0.lock().unwrap().dice = Some(Dice(seed + 100));
        store.0.lock().unwrap().now = WINDOW * 10;
        let mut fleet = Self { store, nodes: Vec::new(), dice: Dice(seed), admitted: Vec::new(), leased: 0, asked: 0 };
        fleet.nodes = (0..PROCESSES).map(|_| fleet.node()).collect();
        fleet
    }

    /// A process whose clock shows any time of the day.
    fn node(&mut self) -> (Tiered<Simulated>, ManualClock) {
        let clock = ManualClock::new();
        clock.advance(Duration::from_secs(self.dice.below(86_400)));
        let leases = Leases { processes: n(50), lifetime: LIFETIME };
        let tiered = SharedLimiter::builder(self.store.clone(), FingerprintKey::new([1; 32]), OnStoreError::Closed)
            .rule(Rule::window("api", n(LIMIT), Duration::from_micros(WINDOW)))
            .clock(clock.clone())
            .deadline(Duration::from_secs(60))
            .tiered(leases)
            .unwrap();
        (tiered, clock)
    }

    fn pass(&mut self, micros: u64) {
        self.store.0.lock().unwrap().now += micros;
        self.nodes.iter().for_each(|(_, clock)| clock.advance(Duration::from_micros(micros)));
    }

    async fn request(&mut self) {
        let node = usize::try_from(self.dice.below(PROCESSES as u64)).unwrap();
        let decision = self.nodes[node].0.check("api", &Key::tenant([1]), Cost::ONE).await.unwrap();
        self.asked += 1;
        self.leased += u64::from(decision.source == Source::Lease);
        if decision.allowed {
            let now = self.store.0.lock().unwrap().now;
            self.admitted.push(now);
        }
    }

    fn worst(&self) -> usize {
        worst(&self.admitted)
    }
}

/// The most that any window held of what was admitted at these times.
fn worst(times: &[u64]) -> usize {
    let (mut start, mut worst) = (0, 0);
    for (index, time) in times.iter().enumerate() {
        while time - times[start] >= WINDOW {
            start += 1;
        }
        worst = worst.max(index + 1 - start);
    }
    worst
}

#[tokio::test]
async fn fifty_processes_never_exceed_the_limit_and_use_most_of_it() {
    for seed in [1, 2] {
        let mut fleet = Fleet::new(seed, 0);
        for _ in 0..60_000 {
            let gap = fleet.dice.below(5_000);
            fleet.pass(gap);
            fleet.request().await;
        }
        let worst = fleet.worst();
        assert!(worst <= LIMIT as usize, "{worst}");
        // Processes times the largest lease: 50 * 10_000 / 200.
        assert!(worst >= (LIMIT - LIMIT / 4) as usize, "under-use is bounded: {worst}");
        assert!(fleet.leased > 0);
    }
}

#[tokio::test]
async fn lost_questions_answers_and_processes_admit_nothing_more() {
    for seed in [3, 4] {
        let mut fleet = Fleet::new(seed, 30);
        for step in 0..60_000_u64 {
            let gap = fleet.dice.below(4_000);
            fleet.pass(gap);
            fleet.request().await;
            if step % 500 == 0 {
                // A process dies with its leases, and another takes its place.
                let node = usize::try_from(fleet.dice.below(PROCESSES as u64)).unwrap();
                fleet.nodes[node] = fleet.node();
            }
        }
        let worst = fleet.worst();
        assert!(worst <= LIMIT as usize && worst > LIMIT as usize / 2, "{worst}");
    }
}

/// A replica that takes over has not heard of the last charges: those may be admitted once more, and no others.
#[tokio::test]
async fn a_failover_admits_at_most_what_it_forgot_again() {
    let mut fleet = Fleet::new(5, 0);
    let mut forgotten = 0;
    for step in 0..60_000_u64 {
        let gap = fleet.dice.below(4_000);
        fleet.pass(gap);
        fleet.request().await;
        let mut world = fleet.store.0.lock().unwrap();
        if step % 400 == 0 {
            world.replica = world.slots.clone();
        }
        if step == 5_300 {
            let sum = |slots: &HashMap<_, Vec<(u64, u32)>>| slots.values().flatten().map(|(_, cost)| cost).sum::<u32>();
            forgotten = sum(&world.slots) - sum(&world.replica).min(sum(&world.slots));
            world.slots = world.replica.clone();
        }
    }
    assert!(forgotten > 0, "the failover must lose something");
    let (worst, bound) = (fleet.worst(), (LIMIT + forgotten) as usize);
    assert!(worst <= bound, "{worst} of {bound}");
}

/// Leased at once and used ten seconds later, a token is still to count for a whole window after that. With the rule's own
/// window in the store, the budget would be had again too early.
#[tokio::test]
async fn a_token_that_is_used_late_counts_for_a_whole_window() {
    let (store, clock) = (Simulated::default(), ManualClock::new());
    store.0.lock().unwrap().now = WINDOW * 10;
    let tiered = SharedLimiter::builder(store.clone(), FingerprintKey::new([1; 32]), OnStoreError::Closed)
        .rule(Rule::window("api", n(100), Duration::from_micros(WINDOW)))
        .clock(clock.clone())
        .tiered(Leases { processes: n(1), lifetime: LIFETIME })
        .unwrap();
    let pass = |time: Duration| {
        clock.advance(time);
        store.0.lock().unwrap().now += u64::try_from(time.as_micros()).unwrap();
    };
    let mut admitted = Vec::new();
    let mut late = 0;
    for second in 0..200 {
        // Two requests take a lease; the rest waits until it is nearly over.
        let most = if second == 0 { 2 } else { 1_000 };
        for _ in 0..most {
            let decision = tiered.check("api", &Key::tenant([1]), Cost::ONE).await.unwrap();
            if !decision.allowed {
                break;
            }
            late += u32::from(second == 1 && decision.source == Source::Lease);
            admitted.push(store.0.lock().unwrap().now);
        }
        pass(if second == 0 { LIFETIME - Duration::from_millis(100) } else { Duration::from_secs(1) });
    }
    assert!(late >= 20, "the lease was used late: {late}");
    assert!(admitted.len() > 200, "the budget comes back: {}", admitted.len());
    assert!(worst(&admitted) <= 100, "{}", worst(&admitted));
}

/// What a busy process saves, with the same traffic on the limiter without leases as the floor.
#[tokio::test]
async fn a_lease_saves_fifty_round_trips() {
    let store = Simulated::default();
    store.0.lock().unwrap().now = WINDOW * 10;
    let tiered = SharedLimiter::builder(store.clone(), FingerprintKey::new([1; 32]), OnStoreError::Closed)
        .rule(Rule::window("api", n(LIMIT), Duration::from_micros(WINDOW)))
        .clock(ManualClock::new())
        .tiered(Leases { processes: n(4), lifetime: LIFETIME })
        .unwrap();
    for _ in 0..LIMIT / 2 {
        assert!(tiered.check("api", &Key::tenant([1]), Cost::ONE).await.unwrap().allowed);
    }
    let trips = store.0.lock().unwrap().trips;
    assert!(u64::from(LIMIT / 2) >= 50 * trips, "{trips} trips for {} checks", LIMIT / 2);
}

#[tokio::test]
async fn refusals_are_remembered_for_a_second_and_leases_given_back() {
    let (store, clock) = (Simulated::default(), ManualClock::new());
    store.0.lock().unwrap().now = WINDOW * 10;
    let tiered = SharedLimiter::builder(store.clone(), FingerprintKey::new([1; 32]), OnStoreError::Closed)
        .rule(Rule::window("api", n(100), Duration::from_micros(WINDOW)))
        .clock(clock.clone())
        .tiered(Leases { processes: n(1), lifetime: LIFETIME })
        .unwrap();
    let key = Key::tenant([1]);
    let remaining = async || tiered.store().peek(&[("api", key.clone())], Cost::ONE).await.unwrap().remaining;
    for _ in 0..3 {
        assert!(tiered.check("api", &key, Cost::ONE).await.unwrap().allowed);
    }
    assert_eq!(remaining().await, 74, "one, and a lease of 25");
    tiered.give_back().await;
    assert_eq!(remaining().await, 97, "three were used");

    while tiered.check("api", &key, Cost::ONE).await.unwrap().allowed {}
    let trips = store.0.lock().unwrap().trips;
    for _ in 0..50 {
        assert_eq!(tiered.check("api", &key, Cost::ONE).await.unwrap().source, Source::DenyCache);
    }
    assert_eq!(store.0.lock().unwrap().trips, trips);
    clock.advance(Duration::from_secs(1));
    assert_eq!(tiered.check("api", &key, Cost::ONE).await.unwrap().source, Source::Store);
}
