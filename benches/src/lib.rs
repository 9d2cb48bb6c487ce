//! What the benchmarks in `benches/` share: subjects that take turns, and ratios.

#![expect(clippy::print_stdout, reason = "a benchmark says its results")]

mod meter;

use std::fmt;

use rustix::time::{ClockId, clock_gettime};

pub use meter::{Meter, Spent};

/// One thing that is measured: it runs so many times.
pub struct Subject<'a> {
    name: &'static str,
    run: Box<dyn FnMut(u32) + 'a>,
}

/// The time of one subject over that of another, or in nanoseconds, and what it should be.
#[derive(Clone, Copy, Debug)]
pub struct Ratio {
    of: &'static str,
    over: Option<&'static str>,
    bar: Bar,
}

#[derive(Clone, Copy, Debug)]
enum Bar {
    None,
    AtMost(f64),
    AtLeast(f64),
}

/// A subject of which `once` is one run.
pub fn subject<'a>(name: &'static str, mut once: impl FnMut() + 'a) -> Subject<'a> {
    let run = Box::new(move |times| (0..times).for_each(|_| once()));
    Subject { name, run }
}

/// A ratio with a bar.
#[must_use]
pub const fn bar(of: &'static str, over: &'static str, bar: f64) -> Ratio {
    Ratio { of, over: Some(over), bar: Bar::AtMost(bar) }
}

/// A peer that should take at least so many times as long as ours.
#[must_use]
pub const fn slower(peer: &'static str, ours: &'static str, times: f64) -> Ratio {
    Ratio { of: peer, over: Some(ours), bar: Bar::AtLeast(times) }
}

/// A time with a bar in nanoseconds, for what is too small to have a floor.
#[must_use]
pub const fn within(of: &'static str, nanoseconds: f64) -> Ratio {
    Ratio { of, over: None, bar: Bar::AtMost(nanoseconds) }
}

/// A ratio that is told for comparison.
#[must_use]
pub const fn beside(of: &'static str, over: &'static str) -> Ratio {
    Ratio { of, over: Some(over), bar: Bar::None }
}

/// What this thread has had of a processor, in nanoseconds. The kernel's scheduler statistics are too coarse for short
/// operations.
fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// The 20th percentile: less of the machine's other work than in the median.
fn usual(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 5).copied().unwrap_or(f64::NAN)
}

/// Runs all subjects in turn, round after round, `times` in each, prints the times and the ratios, and gives the times in
/// nanoseconds. With `--test` among the program's arguments everything runs once and small.
pub fn compare(title: &str, mut subjects: Vec<Subject<'_>>, ratios: &[Ratio], times: u32) -> Vec<f64> {
    let test = std::env::args().any(|arg| arg == "--test");
    let (rounds, times) = if test { (1, 2) } else { (151, times) };
    let mut measured = vec![Vec::new(); subjects.len()];
    for round in 0..rounds {
        // Nobody is always the first.
        let turns = subjects.iter_mut().zip(&mut measured);
        let mut turns: Vec<_> = turns.collect();
        let first = round % turns.len().max(1);
        turns.rotate_left(first);
        for (subject, measured) in turns {
            let began = processor_time();
            (subject.run)(times);
            measured.push((processor_time() - began) / f64::from(times));
        }
    }
    let usually: Vec<f64> = measured.into_iter().map(usual).collect();
    let of = |name: &str| {
        subjects.iter().zip(&usually).find(|(subject, _)| subject.name == name).map_or(f64::NAN, |(_, time)| *time)
    };
    println!("\n{title}: ns of processor time");
    for (subject, time) in subjects.iter().zip(&usually) {
        println!("  {:<34} {time:>10.1}", subject.name);
    }
    for Ratio { of: name, over, bar } in ratios {
        let value = of(name) / over.map_or(1.0, of);
        let said = over.map_or_else(|| format!("{name}, ns"), |over| format!("{name} over {over}"));
        let (bar, met) = match *bar {
            Bar::AtMost(bar) => (format!("bar {bar:.2}"), value <= bar),
            Bar::AtLeast(bar) => (format!("bar {bar:.0} or more"), value >= bar),
            Bar::None => {
                println!("  {said}: {value:.2}");
                continue;
            }
        };
        println!("  {said}: {value:.2} ({bar}, {})", if met { "met" } else { "missed" });
    }
    usually
}

impl fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("name", &self.name).finish_non_exhaustive()
    }
}
