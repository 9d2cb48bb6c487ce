//! Not asking a store that does not answer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::store::health::Health;

/// So many failures in a row open the breaker: one lost packet is not an outage.
const FAILURES: u32 = 3;

/// How long the store is left alone before the next trial.
pub(super) const COOL_DOWN: Duration = Duration::from_secs(1);

/// Counts failures in a row, and lets one request at a time try a store that failed.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Failures since the last success, and the time of the first.
    failures: u32,
    since: Duration,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    /// When the next request may try.
    trial_at: Duration,
    decided: u64,
}

/// Leave to ask the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    Granted,
    Trial,
}

impl Breaker {
    /// Whether to ask the store now.
    pub(super) fn ask(&self, now: Duration) -> Option<Leave> {
        let mut state = self.lock();
        match &mut state.open {
            None => Some(Leave::Granted),
            Some(open) if now >= open.trial_at => {
                // If the trial is dropped half-way, another follows after the same time.
                open.trial_at = now.saturating_add(COOL_DOWN);
                Some(Leave::Trial)
            }
            Some(_) => None,
        }
    }

    pub(super) fn succeeded(&self, leave: Leave, now: Duration) -> Option<Health> {
        let mut state = self.lock();
        // An answer that was under way when the breaker opened proves nothing.
        if state.open.is_some() && leave == Leave::Granted {
            return None;
        }
        state.failures = 0;
        let lasted = now.saturating_sub(state.since);
        state.open.take().map(|open| Health::Recovered { lasted, decided: open.decided })
    }

    pub(super) fn failed(&self, now: Duration) -> Option<Health> {
        let mut state = self.lock();
        if state.failures == 0 {
            state.since = now;
        }
        state.failures = state.failures.saturating_add(1);
        if state.open.is_some() || state.failures < FAILURES {
            return None;
        }
        state.open = Some(Open { trial_at: now.saturating_add(COOL_DOWN), decided: 0 });
        Some(Health::Degraded)
    }

    pub(super) fn is_open(&self) -> bool {
        self.lock().open.is_some()
    }

    /// Counts a decision without the store, and says how long it has been failing.
    pub(super) fn decided_without(&self, now: Duration) -> Duration {
        let mut state = self.lock();
        if let Some(open) = &mut state.open {
            open.decided = open.decided.saturating_add(1);
        }
        now.saturating_sub(state.since)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
