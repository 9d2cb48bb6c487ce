//! A count that many threads add to.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Parts that belong to one thread each. Whoever comes later shares one more.
const OWN: usize = 63;

/// A sum in parts, so that threads do not pass one cache line back and forth.
#[derive(Debug)]
pub(super) struct Tally {
    own: Box<[Part]>,
    shared: Part,
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Part(AtomicU64);

impl Tally {
    pub(super) fn add_one(&self) {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
        }
        // A thread that is ending has no number any more.
        let thread = THREAD.try_with(|thread| *thread).unwrap_or(usize::MAX);
        match self.own.get(thread) {
            // No number is given twice, so nobody else writes here: a load and a store lose nothing.
            Some(Part(own)) => own.store(own.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed),
            None => drop(self.shared.0.fetch_add(1, Ordering::Relaxed)),
        }
    }

    pub(super) fn sum(&self) -> u64 {
        self.own.iter().chain([&self.shared]).map(|part| part.0.load(Ordering::Relaxed)).sum()
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self { own: (0..OWN).map(|_| Part::default()).collect(), shared: Part::default() }
    }
}
