//! A count that many threads add to.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const STRIPES: usize = 16;

/// A sum in parts, so that threads do not pass one cache line back and forth.
#[derive(Debug, Default)]
pub(super) struct Tally([Part; STRIPES]);

#[derive(Debug, Default)]
#[repr(align(64))]
struct Part(AtomicU64);

impl Tally {
    pub(super) fn add_one(&self) {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed) % STRIPES;
        }
        // A thread that is ending has no number any more.
        let thread = THREAD.try_with(|thread| *thread).unwrap_or_default();
        if let Some(part) = self.0.get(thread) {
            part.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn sum(&self) -> u64 {
        self.0.iter().map(|part| part.0.load(Ordering::Relaxed)).sum()
    }
}
