//! Keyed limits in memory beside their peers, interleaved in one run: medians of nanoseconds per check, and ratios.
//!
//! `cargo bench -p stockade-benches --bench ratelimit`. With `-- --test` everything runs once and small.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot run should stop, and says its results"
)]
#![expect(clippy::cast_possible_truncation, reason = "the numbers of a benchmark are small")]
#![expect(clippy::indexing_slicing, reason = "the indices are of the benchmark's own making")]

use std::collections::{HashMap, VecDeque};
use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

use governor::clock::DefaultClock;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use stockade_ratelimit::{Clock, CoarseClock, Cost, Key, Limiter, MonotonicClock, Overflow, Rule, RuleId};

/// Anything that can be asked about a key.
trait Subject: Sync {
    fn check(&self, key: u64) -> bool;
}

struct Ours {
    limiter: Limiter,
    rule: RuleId,
}

impl Ours {
    fn new(rule: Rule, capacity: usize, clock: impl Clock + 'static) -> Self {
        let limiter = Limiter::builder().rule(rule).capacity(capacity).clock(clock).build().expect("a limiter");
        let rule = limiter.rule("rule").expect("the rule");
        Self { limiter, rule }
    }
}

impl Subject for Ours {
    fn check(&self, key: u64) -> bool {
        let keys = [(self.rule, Key::bytes(key.to_le_bytes()))];
        self.limiter.check(&keys, Cost::ONE).expect("a valid request").allowed
    }
}

impl<S: std::hash::BuildHasher + Clone + Send + Sync> Subject
    for RateLimiter<u64, DashMapStateStore<u64, S>, DefaultClock>
{
    fn check(&self, key: u64) -> bool {
        self.check_key(&key).is_ok()
    }
}

/// What is written by hand: a list of admissions for each key behind one lock.
struct MutexLog {
    limit: usize,
    window: Duration,
    logs: Mutex<HashMap<u64, VecDeque<Instant>>>,
}

impl Subject for MutexLog {
    fn check(&self, key: u64) -> bool {
        let now = Instant::now();
        let mut logs = self.logs.lock().expect("no panic under the lock");
        let log = logs.entry(key).or_default();
        while log.front().is_some_and(|first| now.duration_since(*first) >= self.window) {
            log.pop_front();
        }
        let admitted = log.len() < self.limit;
        if admitted {
            log.push_back(now);
        }
        admitted
    }
}

/// The `ratelimit` crate has no keys of its own.
struct Keyed(Mutex<HashMap<u64, std::sync::Arc<ratelimit::Ratelimiter>>>);

impl Subject for Keyed {
    fn check(&self, key: u64) -> bool {
        let make = || {
            let bucket = ratelimit::Ratelimiter::builder(1_000_000, Duration::from_millis(1));
            bucket.max_tokens(1_000_000).initial_available(1_000_000).build().expect("a bucket").into()
        };
        let bucket = self.0.lock().expect("no panic under the lock").entry(key).or_insert_with(make).clone();
        bucket.try_wait().is_ok()
    }
}

fn n(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("not zero")
}

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Keys of which the k-th most frequent appears with a frequency of 1 / k^0.99.
fn zipf(keys: usize, draws: usize) -> Vec<u64> {
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=keys)
        .map(|rank| {
            sum += (rank as f64).powf(-0.99);
            sum
        })
        .collect();
    let mut state = 7;
    let mut draw = || {
        let point = (random(&mut state) >> 11) as f64 / (1_u64 << 53) as f64 * sum;
        let mut rank = sums.partition_point(|upto| *upto < point) as u64;
        random(&mut rank)
    };
    (0..draws).map(|_| draw()).collect()
}

/// Nanoseconds of processor time per check of two threads, each through all of `keys`, one from the middle on. Processor
/// time and not that of a clock on the wall, so that other work on the machine does not count.
fn race(subject: &dyn Subject, keys: &[u64]) -> f64 {
    let start = Barrier::new(2);
    let run = &|from: usize| {
        let (before, after) = keys.split_at(from);
        start.wait();
        let began = processor_time();
        for key in after.iter().chain(before) {
            black_box(subject.check(*key));
        }
        processor_time() - began
    };
    let total: f64 = std::thread::scope(|scope| {
        let threads = [0, keys.len() / 2].map(|from| scope.spawn(move || run(from)));
        threads.map(|thread| thread.join().expect("no panic")).iter().sum()
    });
    total / (2 * keys.len()) as f64
}

/// What this thread has had of a processor, in nanoseconds.
fn processor_time() -> f64 {
    let read = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux with scheduler statistics");
    read.split_whitespace().next().and_then(|time| time.parse().ok()).expect("a number")
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Runs all subjects in turn, round after round, and prints the medians beside those of the subject named `base`.
fn compare(title: &str, subjects: &[(&str, Box<dyn Subject>)], keys: &[u64], rounds: usize) {
    for (_, subject) in subjects {
        race(subject.as_ref(), keys);
    }
    let mut times = vec![Vec::new(); subjects.len()];
    for _ in 0..rounds {
        for (times, (_, subject)) in times.iter_mut().zip(subjects) {
            times.push(race(subject.as_ref(), keys));
        }
    }
    let medians: Vec<f64> = times.into_iter().map(median).collect();
    let of = |name| subjects.iter().position(|(other, _)| *other == name).map_or(f64::NAN, |index| medians[index]);
    let (governor, ahash, log) = (of("governor"), of("governor + ahash"), of("mutex log"));
    println!(
        "\n{title}: ns of processor time per check; how many times faster than governor, governor + ahash, mutex log"
    );
    for ((name, _), time) in subjects.iter().zip(&medians) {
        println!("  {name:<28} {time:>8.1}   {:>6.2} {:>6.2} {:>6.2}", governor / time, ahash / time, log / time);
    }
}

/// `window` is that of the two logs of ten. On a hot key it is long, because in a short one each refusal would begin an
/// episode of its own.
fn subjects(capacity: usize, window: Duration) -> Vec<(&'static str, Box<dyn Subject>)> {
    let second = Duration::from_secs(1);
    let gcra = || Rule::gcra("rule", n(1_000_000_000), second);
    let wide = || Rule::window("rule", n(4_000_000_000), second);
    let narrow = || Rule::window("rule", n(60_000), Duration::from_micros(100));
    let exact = || Rule::exact("rule", n(10), window);
    let quota = Quota::with_period(Duration::from_nanos(1)).expect("not zero").allow_burst(n(u32::MAX));
    let log = MutexLog { limit: 10, window, logs: Mutex::default() };
    vec![
        ("gcra", Box::new(Ours::new(gcra(), capacity, MonotonicClock::new()))),
        ("gcra, coarse clock", Box::new(Ours::new(gcra(), capacity, CoarseClock::new()))),
        ("window, 32 bits", Box::new(Ours::new(wide(), capacity, MonotonicClock::new()))),
        ("window, 16 bits", Box::new(Ours::new(narrow(), capacity, MonotonicClock::new()))),
        ("window, coarse clock", Box::new(Ours::new(wide(), capacity, CoarseClock::new()))),
        ("exact, N = 10", Box::new(Ours::new(exact(), capacity, MonotonicClock::new()))),
        ("governor", Box::new(RateLimiter::dashmap(quota))),
        ("governor + ahash", Box::new(RateLimiter::dashmap_with_hasher(quota, ahash::RandomState::new()))),
        ("mutex log", Box::new(log)),
        ("ratelimit in a mutex map", Box::new(Keyed(Mutex::default()))),
    ]
}

/// The resident memory of this process, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    status.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

type Make<'a> = &'a dyn Fn() -> Box<dyn Subject>;

fn memory(keys: u64) {
    println!("\nmemory: bytes a key, at {keys} keys in use");
    let hour = Duration::from_secs(3_600);
    let limiter = |rule| Box::new(Ours::new(rule, keys as usize, MonotonicClock::new())) as Box<dyn Subject>;
    let quota = Quota::per_hour(n(5));
    let makes: [(&str, Make<'_>); 5] = [
        ("gcra", &|| limiter(Rule::gcra("rule", n(5), hour))),
        ("window, N < 65,536", &|| limiter(Rule::window("rule", n(5), hour))),
        ("exact, N = 12", &|| limiter(Rule::exact("rule", n(12), hour))),
        ("governor", &|| Box::new(RateLimiter::dashmap(quota))),
        ("mutex log, N = 12, 10 in use", &|| Box::new(MutexLog { limit: 12, window: hour, logs: Mutex::default() })),
    ];
    for (name, make) in makes {
        let before = resident();
        let subject = make();
        let mut admitted = 0;
        for _ in 0..if name.starts_with("mutex") { 10 } else { 1 } {
            admitted += (0..keys).filter(|key| subject.check(*key)).count();
        }
        let grown = resident().saturating_sub(before);
        println!("  {name:<28} {:>8.1}   ({admitted} admitted)", grown as f64 / keys as f64);
    }
}

/// A thousand keys have used up their limit; then so many other keys come, each once, all within the window.
fn flood(capacity: u64, keys: u64, overflow: Overflow) {
    println!("\nflood of {keys} keys on a table for {capacity}, 1,000 victims, {overflow:?}");
    let rule = Rule::gcra("rule", n(5), Duration::from_secs(36_000)).on_overflow(overflow);
    let limiter = Ours::new(rule, capacity as usize, MonotonicClock::new());
    for victim in 0..1_000_u64 {
        while limiter.check(u64::MAX - victim) {}
    }
    let (before, began, mut longest) = (resident(), Instant::now(), Duration::ZERO);
    let mut admitted = 0_u64;
    for key in 0..keys {
        let asked = Instant::now();
        admitted += u64::from(limiter.check(key));
        longest = longest.max(asked.elapsed());
    }
    let each = began.elapsed().as_nanos() as f64 / keys as f64;
    let freed = (0..1_000).filter(|victim| limiter.check(u64::MAX - victim)).count();
    let honest = (0..10_000).filter(|key| limiter.check((1 << 40) + key)).count();
    println!(
        "  admitted {admitted}, victims admitted again {freed} of 1000, honest new keys admitted {honest} of 10000"
    );
    println!(
        "  memory grew by {} bytes, {each:.0} ns a check, the longest {longest:?}",
        resident().saturating_sub(before)
    );
}

fn main() {
    let asked = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    let (keys, draws, rounds) = match () {
        () if asked("--test") => (1_000, 10_000, 1),
        () if asked("--short") => (1_000_000, 300_000, 3),
        () => (1_000_000, 2_000_000, 7),
    };
    compare(
        &format!("{keys} keys, Zipf 0.99, two threads"),
        &subjects(keys, Duration::from_micros(1)),
        &zipf(keys, draws),
        rounds,
    );
    compare("one hot key, two threads", &subjects(64, Duration::from_secs(1)), &vec![7; draws / 2], rounds);
    memory(keys as u64);
    for overflow in [Overflow::Refuse, Overflow::Share] {
        flood(keys as u64, keys as u64 * 10, overflow);
    }
}
