//! How a limiter over a store is put together.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::{Core, SharedLimiter};
use crate::clock::{Clock, MonotonicClock};
use crate::error::{Error, Repr};
use crate::event::{self, Observer};
use crate::fingerprint::FingerprintKey;
use crate::limiter::{Catalogue, Limiter, LimiterBuilder};
use crate::route::Route;
use crate::rule::{Algorithm, Rule};
use crate::store::Store;
use crate::store::breaker::Breaker;
use crate::store::episodes::Episodes;
use crate::store::failure::OnStoreError;
use crate::store::health::{self, HealthObserver};
use crate::store::request::Entry;
use crate::store::tiered::{Leases, Tiered};

/// Answers within a data centre take about a millisecond; a request should not wait much longer for one than this.
const DEADLINE: Duration = Duration::from_millis(50);

/// Builds a [`SharedLimiter`].
#[must_use = "a builder limits nothing until it is built"]
pub struct SharedLimiterBuilder<S> {
    store: S,
    fingerprints: FingerprintKey,
    on_error: OnStoreError,
    rules: Vec<Rule>,
    deadline: Duration,
    clock: Arc<dyn Clock>,
    health: Box<dyn HealthObserver>,
    observer: Box<dyn Observer>,
}

impl<S: Store> SharedLimiterBuilder<S> {
    pub(super) fn new(store: S, fingerprints: FingerprintKey, on_error: OnStoreError) -> Self {
        Self {
            store,
            fingerprints,
            on_error,
            rules: Vec::new(),
            deadline: DEADLINE,
            clock: Arc::new(MonotonicClock::new()),
            health: Box::new(health::Unobserved),
            observer: Box::new(event::Unobserved),
        }
    }

    /// Adds a rule. Every name may be used once.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Adds the rules of a route.
    pub fn route(self, route: &Route) -> Self {
        route.rules().iter().map(|rule| rule.limit().clone()).fold(self, Self::rule)
    }

    /// How long a request waits for the store, 50 milliseconds unless said otherwise. Needs a tokio runtime with time.
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// The clock of the circuit breaker and of local limits, instead of [`MonotonicClock`]. The store has its own.
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// Who is told when the store fails and when it is back.
    pub fn health_observer(self, observer: impl HealthObserver + 'static) -> Self {
        Self { health: Box::new(observer), ..self }
    }

    /// Who is told of episodes of refusal, as this process sees them: each process of an application that refuses a key
    /// reports an episode of its own, under the same fingerprint.
    pub fn observer(self, observer: impl Observer + 'static) -> Self {
        Self { observer: Box::new(observer), ..self }
    }

    /// A limiter that leases tokens from this one. The store's windows are longer by the lifetime of a lease.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), also if a window becomes longer than [`Rule::WINDOW_MAX`], or if a rule is a token bucket:
    /// a leased token that is used late would make a burst larger.
    pub fn tiered(mut self, leases: Leases) -> Result<Tiered<S>, Error> {
        let windows = [Algorithm::ExactLog, Algorithm::SlidingWindow];
        if let Some(rule) = self.rules.iter().find(|rule| !windows.contains(&rule.algorithm())) {
            let problem = "only exact and window rules can be leased";
            return Err(Repr::InvalidRule { rule: rule.name().to_owned(), problem }.into());
        }
        self.rules = self.rules.into_iter().map(|rule| rule.longer_by(leases.lifetime)).collect();
        self.build().map(|limiter| Tiered::new(limiter, leases))
    }

    /// The limiter. Does not contact the store.
    ///
    /// # Errors
    ///
    /// As [`LimiterBuilder::build`].
    pub fn build(self) -> Result<SharedLimiter<S>, Error> {
        if self.rules.is_empty() {
            return Err(Repr::EmptyLimiter.into());
        }
        self.rules.iter().try_for_each(Rule::validate)?;
        let catalogue = Catalogue::new(&self.rules)?;
        let local = match self.on_error {
            OnStoreError::Local { share } => {
                let rules = self.rules.iter().map(|rule| share.of(rule));
                Some(rules.fold(Limiter::builder(), LimiterBuilder::rule).clock(Arc::clone(&self.clock)).build()?)
            }
            OnStoreError::Closed | OnStoreError::Open { .. } => None,
        };
        let entries = self.rules.into_iter().map(Entry::new).collect::<Result<_, _>>()?;
        Ok(SharedLimiter {
            core: Arc::new(Core {
                store: self.store,
                catalogue,
                entries,
                fingerprints: self.fingerprints,
                on_error: self.on_error,
                local,
                deadline: self.deadline,
                breaker: Breaker::default(),
                clock: Box::new(self.clock),
                health: self.health,
                episodes: Episodes::new(self.observer),
                allowed: AtomicU64::new(0),
                refused: AtomicU64::new(0),
            }),
        })
    }
}

impl<S> fmt::Debug for SharedLimiterBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedLimiterBuilder")
            .field("rules", &self.rules)
            .field("on_error", &self.on_error)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
