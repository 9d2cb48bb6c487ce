//! Processor time of this process and of the server's processes that work for it, and memory.

use std::{fs, ops::Sub};

use rustix::time::{ClockId, clock_gettime};

/// Reads the processor time of this process and of backends of a PostgreSQL on the same machine, where the kernel is Linux.
#[derive(Clone, Debug, Default)]
pub struct Meter(Vec<i32>);

/// Processor time in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// Of this process.
    pub client: f64,
    /// Of the backends; zero if the kernel does not tell.
    pub server: f64,
}

impl Meter {
    /// A meter of this process and of the backends with these ids.
    #[must_use]
    pub fn new(backends: Vec<i32>) -> Self {
        Self(backends)
    }

    /// What they have had until now.
    #[must_use]
    pub fn read(&self) -> Spent {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        let client = time.tv_sec as f64 * 1e9 + time.tv_nsec as f64;
        let of = |backend: &i32| -> Option<f64> {
            // The first of three numbers; the others are about waiting.
            let text = fs::read_to_string(format!("/proc/{backend}/schedstat")).ok()?;
            text.split_whitespace().next()?.parse().ok()
        };
        Spent { client, server: self.0.iter().filter_map(of).sum() }
    }
}

impl Spent {
    /// Both together.
    #[must_use]
    pub fn total(self) -> f64 {
        self.client + self.server
    }
}

impl Sub for Spent {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { client: self.client - earlier.client, server: self.server - earlier.server }
    }
}

/// The resident memory of this process, in bytes; zero if the kernel does not tell.
#[must_use]
pub fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    status.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}
