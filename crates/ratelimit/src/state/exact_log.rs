//! Every admission until it leaves the window.

use crate::state::{Charge, Terms, Tick};

/// The log of one key, oldest first, at most one entry a tick. Because every entry costs at least 1 and their sum is at
/// most the limit, there are at most as many as the limit allows.
#[derive(Debug, Default)]
pub(crate) struct ExactLog {
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Tick,
    cost: u32,
}

impl ExactLog {
    pub(super) fn charges(&self, terms: &Terms) -> impl Iterator<Item = Charge> + Clone {
        let window = terms.window;
        self.entries.iter().map(move |entry| Charge { until: entry.at.saturating_add(window), cost: entry.cost })
    }

    pub(super) fn charge(&mut self, terms: &Terms, now: Tick, cost: u32) {
        self.entries.retain(|entry| entry.at.saturating_add(terms.window) > now);
        match self.entries.last_mut() {
            Some(entry) if entry.at == now => entry.cost = entry.cost.saturating_add(cost),
            _ => {
                // `push` alone would double the memory at each growth.
                self.entries.reserve_exact(1);
                self.entries.push(Entry { at: now, cost });
            }
        }
    }

    pub(super) fn release(&mut self, at: Tick, cost: u32) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.at == at) {
            entry.cost = entry.cost.saturating_sub(cost);
        }
        self.entries.retain(|entry| entry.cost > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::ExactLog;
    use crate::rule::Algorithm;
    use crate::state::Terms;

    #[test]
    fn memory_is_bounded_by_the_limit() {
        let terms = Terms { algorithm: Algorithm::ExactLog, limit: 5, window: 10 };
        let mut log = ExactLog::default();
        // One unit every other tick is what the limit admits for ever.
        for now in (0..1_000).step_by(2) {
            log.charge(&terms, now, 1);
            assert!(log.entries.capacity() <= 5, "at {now}");
        }
        assert_eq!(log.charges(&terms).count(), 5);
    }
}
