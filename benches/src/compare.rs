//! Subjects that take turns.

use std::fmt;

use rustix::time::{ClockId, clock_gettime};

use crate::Report;

/// One thing that is measured: it runs so many times.
pub struct Subject<'a> {
    name: &'static str,
    run: Box<dyn FnMut(u32) + 'a>,
}

/// A subject of which `once` is one run.
pub fn subject<'a>(name: &'static str, mut once: impl FnMut() + 'a) -> Subject<'a> {
    let run = Box::new(move |times| (0..times).for_each(|_| once()));
    Subject { name, run }
}

/// What this thread has had of a processor, in nanoseconds. The kernel's scheduler statistics are too coarse for short
/// operations.
#[must_use]
pub fn thread_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// The 20th percentile: less of the machine's other work than in the median.
fn usual(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 5).copied().unwrap_or(f64::NAN)
}

/// Runs all subjects in turn, as [`measure`], and tells the rows of the group.
pub fn compare(report: &Report, group: &str, subjects: Vec<Subject<'_>>, times: u32) {
    report.tell(group, &measure(group, subjects, times));
}

/// Runs all subjects in turn, round after round, `times` in each, and gives the nanoseconds of one time. With `--test`
/// among the program's arguments everything runs once and small.
#[must_use]
pub fn measure(title: &str, mut subjects: Vec<Subject<'_>>, times: u32) -> Vec<(&'static str, f64)> {
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
            let began = thread_time();
            (subject.run)(times);
            measured.push((thread_time() - began) / f64::from(times));
        }
    }
    let usually = measured.into_iter().map(usual);
    let usually: Vec<_> = subjects.iter().map(|subject| subject.name).zip(usually).collect();
    println!("\n{title}: ns of processor time");
    for (name, time) in &usually {
        println!("  {name:<34} {time:>10.1}");
    }
    usually
}

impl fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("name", &self.name).finish_non_exhaustive()
    }
}
