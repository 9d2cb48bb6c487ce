//! Keyed limits in memory beside their peers, interleaved in one run.
//!
//! `scripts/bench ratelimit`. With `-- --test` everything runs once and small.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot run should stop, and says its results"
)]
#![expect(clippy::cast_possible_truncation, reason = "the numbers of a benchmark are small")]

use std::collections::{HashMap, VecDeque};
use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

use governor::clock::DefaultClock;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use stockade_benches::{Report, median, resident};
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

/// Counts in fixed windows, each beginning with its first request, and forgets the key that was asked least recently.
struct Limitador {
    limiter: limitador::RateLimiter,
    namespace: limitador::limit::Namespace,
}

impl Limitador {
    fn new(capacity: u64, limit: u64, window: Duration) -> Self {
        let variable = "key".try_into().expect("an expression");
        let limit = limitador::limit::Limit::new("bench", limit, window.as_secs(), Vec::new(), [variable]);
        let limiter = limitador::RateLimiter::new(capacity);
        limiter.add_limit(limit);
        Self { limiter, namespace: "bench".into() }
    }
}

impl Subject for Limitador {
    fn check(&self, key: u64) -> bool {
        let values = HashMap::from([("key".to_owned(), key.to_string())]);
        let answer = self.limiter.check_rate_limited_and_update(&self.namespace, &values.into(), 1);
        !answer.expect("a valid request").limited
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

/// Runs all subjects in turn, round after round.
fn compare(report: &Report, group: &str, subjects: &[(&str, Box<dyn Subject>)], keys: &[u64], rounds: usize) {
    for (_, subject) in subjects {
        race(subject.as_ref(), keys);
    }
    let mut times = vec![Vec::new(); subjects.len()];
    for _ in 0..rounds {
        for (times, (_, subject)) in times.iter_mut().zip(subjects) {
            times.push(race(subject.as_ref(), keys));
        }
    }
    let told: Vec<_> = subjects.iter().map(|(name, _)| *name).zip(times).collect();
    println!("\n{group}: ns of processor time of a check");
    for (name, times) in &told {
        println!("  {name:<34} {:>8.1}", median(times.clone()));
    }
    report.tell_rounds(group, &told);
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
        ("token bucket", Box::new(Ours::new(gcra(), capacity, MonotonicClock::new()))),
        ("token bucket, coarse clock", Box::new(Ours::new(gcra(), capacity, CoarseClock::new()))),
        ("window", Box::new(Ours::new(wide(), capacity, MonotonicClock::new()))),
        ("window, 16 bits", Box::new(Ours::new(narrow(), capacity, MonotonicClock::new()))),
        ("window, coarse clock", Box::new(Ours::new(wide(), capacity, CoarseClock::new()))),
        ("exact log of ten", Box::new(Ours::new(exact(), capacity, MonotonicClock::new()))),
        ("governor", Box::new(RateLimiter::dashmap(quota))),
        ("governor with ahash", Box::new(RateLimiter::dashmap_with_hasher(quota, ahash::RandomState::new()))),
        ("deques behind a lock", Box::new(log)),
        ("ratelimit in a map behind a lock", Box::new(Keyed(Mutex::default()))),
    ]
}

type Make<'a> = &'a dyn Fn() -> Box<dyn Subject>;

fn memory(report: &Report, keys: u64) {
    println!("\nmemory: bytes a key, at {keys} keys in use");
    let mut told = Vec::new();
    let hour = Duration::from_secs(3_600);
    let limiter = |rule| Box::new(Ours::new(rule, keys as usize, MonotonicClock::new())) as Box<dyn Subject>;
    let quota = Quota::per_hour(n(5));
    let makes: [(&str, Make<'_>); 5] = [
        ("token bucket", &|| limiter(Rule::gcra("rule", n(5), hour))),
        ("window, N < 65,536", &|| limiter(Rule::window("rule", n(5), hour))),
        ("exact log of twelve", &|| limiter(Rule::exact("rule", n(12), hour))),
        ("governor", &|| Box::new(RateLimiter::dashmap(quota))),
        ("deques behind a lock", &|| Box::new(MutexLog { limit: 12, window: hour, logs: Mutex::default() })),
    ];
    for (name, make) in makes {
        let before = resident();
        let subject = make();
        let mut admitted = 0;
        for _ in 0..if name.starts_with("deques") { 10 } else { 1 } {
            admitted += (0..keys).filter(|key| subject.check(*key)).count();
        }
        let grown = resident().saturating_sub(before);
        println!("  {name:<28} {:>8.1}   ({admitted} admitted)", grown as f64 / keys as f64);
        told.push((name, grown as f64 / keys as f64));
    }
    report.tell("memory of a key", &told);
}

/// A thousand keys have used up their limit; then so many other keys come, each once, all within the window. Growth is that of the last
/// four fifths, when tables that are made once have been written to everywhere.
fn flood(report: &Report, name: &str, subject: &dyn Subject, keys: u64) {
    for victim in 0..1_000_u64 {
        while subject.check(u64::MAX - victim) {}
    }
    let (began, mut longest) = (Instant::now(), Duration::ZERO);
    let (mut admitted, mut began_with) = (0_u64, 0);
    for key in 0..keys {
        if key == keys / 5 {
            began_with = resident();
        }
        let asked = Instant::now();
        admitted += u64::from(subject.check(key));
        longest = longest.max(asked.elapsed());
    }
    let each = began.elapsed().as_nanos() as f64 / keys as f64;
    let grown = resident().saturating_sub(began_with);
    let freed = (0..1_000).filter(|victim| subject.check(u64::MAX - victim)).count();
    let honest = (0..10_000).filter(|key| subject.check((1 << 40) + key)).count();
    println!("  {name:<28} {admitted:>10} {freed:>8} {honest:>8} {:>8} {each:>8.0} {longest:>12?}", grown >> 20);
    let told = [
        ("growth", grown as f64),
        ("of 1,000 victims, admitted again", freed as f64),
        ("of 10,000 honest keys, refused", (10_000 - honest) as f64),
        ("longest pause", longest.as_nanos() as f64),
    ];
    report.tell(&format!("ten times as many keys as the table holds, {name}"), &told);
}

fn floods(report: &Report, capacity: u64, keys: u64) {
    let window = Duration::from_secs(36_000);
    println!("\nflood of {keys} keys, tables for {capacity}, after 1,000 victims have used up their limit");
    let titles = ["admitted", "freed", "honest", "MiB", "ns each", "the longest"];
    println!(
        "  {:<28} {:>10} {:>8} {:>8} {:>8} {:>8} {:>12}",
        "", titles[0], titles[1], titles[2], titles[3], titles[4], titles[5]
    );
    for (name, overflow) in [("new ones refused", Overflow::Refuse), ("new ones share", Overflow::Share)] {
        let rule = Rule::gcra("rule", n(5), window).on_overflow(overflow);
        let limiter = Ours::new(rule, capacity as usize, MonotonicClock::new());
        flood(report, name, &limiter, keys);
    }
    let governor = RateLimiter::dashmap(Quota::with_period(window / 5).expect("not zero").allow_burst(n(5)));
    flood(report, "governor", &governor, keys);
    flood(report, "limitador", &Limitador::new(capacity, 5, window), keys);
}

/// The most that any window of a second sees of a limit of 1,000 a second, when a client asks once, waits until the first
/// window has almost passed, and then asks without a pause.
fn windows(report: &Report) {
    let mut told = Vec::new();
    let (limit, second) = (1_000, Duration::from_secs(1));
    println!("\nthe most that a second saw, at {limit} a second");
    let ours = |rule| Box::new(Ours::new(rule, 64, MonotonicClock::new())) as Box<dyn Subject>;
    let subjects: [(&str, Box<dyn Subject>); 5] = [
        ("window", ours(Rule::window("rule", n(limit), second))),
        ("token bucket, strict", ours(Rule::gcra_strict("rule", n(limit), second, n(limit / 2)))),
        ("token bucket", ours(Rule::gcra("rule", n(limit), second))),
        ("governor", Box::new(RateLimiter::dashmap(Quota::per_second(n(limit))))),
        ("limitador", Box::new(Limitador::new(64, u64::from(limit), second))),
    ];
    for (name, subject) in subjects {
        let began = Instant::now();
        let mut admitted = VecDeque::new();
        let mut most = 0;
        let mut ask = || {
            if subject.check(7) {
                let now = Instant::now();
                while admitted.front().is_some_and(|first: &Instant| now.duration_since(*first) >= second) {
                    admitted.pop_front();
                }
                admitted.push_back(now);
                most = most.max(admitted.len());
            }
        };
        ask();
        std::thread::sleep(second * 95 / 100);
        while began.elapsed() < second * 2 {
            ask();
        }
        println!("  {name:<28} {most:>8}");
        told.push((name, most as f64));
    }
    report.tell("the most of 1,000 a second that a second sees", &told);
}

fn main() {
    let asked = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    let (keys, draws, rounds) = match () {
        () if asked("--test") => (1_000, 10_000, 1),
        () if asked("--short") => (1_000_000, 300_000, 3),
        () => (1_000_000, 2_000_000, 7),
    };
    let report = Report::of("ratelimit");
    let many = subjects(keys, Duration::from_micros(1));
    compare(&report, "1,000,000 keys after Zipf, two threads", &many, &zipf(keys, draws), rounds);
    drop(many);
    let one = subjects(64, Duration::from_secs(1));
    compare(&report, "one key, two threads", &one, &vec![7; draws / 2], rounds);
    drop(one);
    memory(&report, keys as u64);
    floods(&report, keys as u64, keys as u64 * 10);
    windows(&report);
}
