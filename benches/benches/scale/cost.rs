//! What a piece of work took.

use std::time::{Duration, Instant};

use stockade_benches::{Meter, Spent, median, thread_time};

/// The median of some calls, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Of this process's processor time.
    pub(crate) client: f64,
    /// Of the processor time of the server's processes that worked for it.
    pub(crate) server: f64,
    /// By the clock.
    pub(crate) wall: f64,
}

/// Calls `most` times after a first call that does not count, and fewer times if two seconds are over; what takes longer than that is called
/// once, and counts.
pub(crate) async fn typical(meter: &Meter, most: usize, mut call: impl AsyncFnMut()) -> Cost {
    let (begun, mut costs) = (Instant::now(), Vec::new());
    while costs.is_empty() || costs.len() <= most && begun.elapsed() < Duration::from_secs(2) {
        let (began, before) = (Instant::now(), meter.read());
        call().await;
        costs.push((meter.read() - before, began.elapsed()));
    }
    if costs.len() > 1 {
        costs.remove(0);
    }
    let of = |part: fn(&(Spent, Duration)) -> f64| median(costs.iter().map(part).collect()) / 1e3;
    Cost {
        client: of(|(spent, _)| spent.client),
        server: of(|(spent, _)| spent.server),
        wall: of(|(_, wall)| wall.as_nanos() as f64),
    }
}

/// Nanoseconds of this thread's processor time a call: the median of `rounds` of so many calls.
pub(crate) fn nanoseconds(rounds: usize, calls: u32, mut call: impl FnMut()) -> f64 {
    let round = |_| {
        let began = thread_time();
        (0..calls).for_each(|_| call());
        (thread_time() - began) / f64::from(calls)
    };
    median((0..rounds).map(round).collect())
}
