//! The limiter over a store.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::clock::Clock;
use crate::cost::Cost;
use crate::decision::{Decision, Source};
use crate::error::{Error, Repr};
use crate::fingerprint::{Fingerprint, FingerprintKey};
use crate::key::Key;
use crate::limiter::{Catalogue, Limiter};
use crate::permit::{Permit, Reservation};
use crate::rule::{Rule, RuleId, RuleRef};
use crate::store::breaker::{Breaker, COOL_DOWN};
use crate::store::decided::Decided;
use crate::store::episodes::Episodes;
use crate::store::failure::OnStoreError;
use crate::store::health::{Health, HealthObserver};
use crate::store::permit::{Charged, SharedPermit};
use crate::store::request::{self, Entry, Target};
use crate::store::{Ask, Intent, SharedSnapshot, Store};

pub use self::builder::SharedLimiterBuilder;

mod batch;
mod builder;
#[cfg(feature = "postgres")]
mod durable;

/// Named rules whose counts are in a [`Store`], shared by all processes that use it. Clones share everything.
///
/// As [`Limiter`], with two differences: every question is a round trip, and the store can fail. It has a deadline to
/// answer; after three failures in a row it is left alone for a second at a time, and [`OnStoreError`] decides at once.
pub struct SharedLimiter<S: Store> {
    core: Arc<Core<S>>,
}

pub(super) struct Core<S> {
    pub(super) store: S,
    pub(super) catalogue: Catalogue,
    pub(super) entries: Box<[Entry]>,
    pub(super) fingerprints: FingerprintKey,
    on_error: OnStoreError,
    /// The limiter of [`OnStoreError::Local`].
    local: Option<Limiter>,
    deadline: Duration,
    pub(super) breaker: Breaker,
    pub(super) clock: Box<dyn Clock>,
    health: Box<dyn HealthObserver>,
    pub(super) episodes: Episodes,
    pub(super) allowed: AtomicU64,
    pub(super) refused: AtomicU64,
}

impl<S: Store> SharedLimiter<S> {
    /// A builder without rules. All processes must have the same `key`: it turns keys into what the store sees, so that
    /// the store holds no address and no account name.
    pub fn builder(store: S, key: FingerprintKey, on_store_error: OnStoreError) -> SharedLimiterBuilder<S> {
        SharedLimiterBuilder::new(store, key, on_store_error)
    }

    /// As [`Limiter::rule`].
    ///
    /// # Errors
    ///
    /// [`UnknownRule`](crate::ErrorKind::UnknownRule) if there is none of that name.
    pub fn rule(&self, name: &str) -> Result<RuleId, Error> {
        self.core.catalogue.id(name)
    }

    /// As [`Limiter::definition`].
    ///
    /// # Errors
    ///
    /// [`UnknownRule`](crate::ErrorKind::UnknownRule) if there is none.
    pub fn definition(&self, rule: impl RuleRef) -> Result<&Rule, Error> {
        let index = self.core.catalogue.resolve(rule)?;
        self.core.entries.get(index).map(|entry| &entry.rule).ok_or_else(|| Repr::ForeignRule.into())
    }

    /// As [`Limiter::check`]. Dropped while it waits, the cost may have been charged.
    ///
    /// # Errors
    ///
    /// As [`Limiter::check`]. A store that fails is no error: see [`OnStoreError`].
    pub async fn check<R: RuleRef + Send + Sync>(&self, keys: &[(R, Key)], cost: Cost) -> Result<Decision, Error> {
        let decided = self.core.decide(keys, cost, Intent::Charge).await?;
        Ok(self.core.count(decided, keys).0)
    }

    /// As [`Limiter::peek`].
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub async fn peek<R: RuleRef + Send + Sync>(&self, keys: &[(R, Key)], cost: Cost) -> Result<Decision, Error> {
        Ok(self.core.decide(keys, cost, Intent::Peek).await?.decision)
    }

    /// As [`Limiter::reserve`]. Dropped while it waits, the cost may have been charged.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub async fn reserve<R: RuleRef + Send + Sync>(
        &self,
        keys: &[(R, Key)],
        cost: Cost,
    ) -> Result<Reservation<SharedPermit<S>>, Error> {
        let decided = self.core.decide(keys, cost, Intent::Charge).await?;
        let (decision, charged) = self.core.count(decided, keys);
        Ok(self.reservation(decision, charged, cost))
    }

    /// Ends the episodes of refusal that have been quiet for a window. Call it from a timer: nothing else notices the
    /// end of an episode whose key never comes back.
    pub fn sweep(&self) {
        self.core.episodes.sweep(&self.core.entries, self.core.clock.now());
    }

    /// What this process asked so far.
    #[must_use]
    pub fn snapshot(&self) -> SharedSnapshot {
        self.core.snapshot()
    }

    /// As [`Limiter::fingerprint`].
    ///
    /// # Errors
    ///
    /// [`UnknownRule`](crate::ErrorKind::UnknownRule) if there is none.
    pub fn fingerprint(&self, rule: impl RuleRef, key: &Key) -> Result<Fingerprint, Error> {
        Ok(self.core.fingerprints.fingerprint(self.definition(rule)?.name(), Some(key)))
    }

    /// As [`reserve`](Self::reserve), for a charge that nobody has asked for yet: its refusal is none.
    pub(super) async fn reserve_ahead(
        &self,
        keys: &[(RuleId, Key)],
        cost: Cost,
    ) -> Result<Reservation<SharedPermit<S>>, Error> {
        let Decided { decision, charged, .. } = self.core.decide(keys, cost, Intent::Charge).await?;
        Ok(self.reservation(decision, charged, cost))
    }

    fn reservation(&self, decision: Decision, charged: Charged, cost: Cost) -> Reservation<SharedPermit<S>> {
        if decision.allowed {
            Reservation::Granted(SharedPermit { core: Arc::clone(&self.core), decision, cost, charged })
        } else {
            Reservation::Refused(decision)
        }
    }
}

impl<S: Store> SharedLimiter<S> {
    pub(super) fn core(&self) -> &Core<S> {
        &self.core
    }
}

impl<S: Store> Core<S> {
    pub(super) fn now(&self) -> Duration {
        self.clock.now()
    }

    /// The handle of a rule, and its limit.
    pub(super) fn resolve(&self, rule: impl RuleRef) -> Result<(RuleId, u32), Error> {
        let index = self.catalogue.resolve(rule)?;
        let entry = self.entries.get(index).ok_or(Repr::ForeignRule)?;
        Ok((self.catalogue.id_at(index), entry.rule.burst().get()))
    }

    async fn decide<R: RuleRef + Send + Sync>(
        &self,
        keys: &[(R, Key)],
        cost: Cost,
        intent: Intent,
    ) -> Result<Decided, Error> {
        let targets = request::targets(&self.catalogue, &self.entries, &self.fingerprints, keys, cost)?;
        if targets.is_empty() {
            return self.unasked(keys);
        }
        let Some(leave) = self.breaker.ask(self.clock.now()) else {
            return self.without_store(keys, &targets, cost, intent);
        };
        let asks: Vec<Ask> = targets.iter().map(|target| target.ask).collect();
        let answer = self.within_deadline(self.store.decide(&asks, cost.units(), intent)).await;
        let decided = answer.and_then(|standings| {
            let charging = intent == Intent::Charge;
            let decision = request::decision(&self.catalogue, &targets, &standings, cost, charging)?;
            Ok((decision, standings))
        });
        match decided {
            Ok((decision, standings)) => {
                self.report(self.breaker.succeeded(leave, self.clock.now()));
                let charged = if decision.allowed && intent == Intent::Charge {
                    Charged::Store(request::charges(&targets, &standings, cost), self.mirror(keys, cost))
                } else {
                    Charged::Nowhere
                };
                Ok(Decided { decision, charged, exceeded: request::exceeded(&targets, &standings, cost) })
            }
            Err(_) => {
                self.report(self.breaker.failed(self.clock.now()));
                self.without_store(keys, &targets, cost, intent)
            }
        }
    }

    /// Keeps the local table warm with what the store admits.
    fn mirror<R: RuleRef>(&self, keys: &[(R, Key)], cost: Cost) -> Option<Permit> {
        let local = self.local.as_ref()?;
        match local.reserve(&self.local_keys(local, keys), cost) {
            Ok(Reservation::Granted(permit)) => Some(permit),
            Ok(Reservation::Refused(_)) | Err(_) => None,
        }
    }

    /// The same rules of the local limiter, which has them in the same order.
    fn local_keys<R: RuleRef>(&self, local: &Limiter, keys: &[(R, Key)]) -> Vec<(RuleId, Key)> {
        let resolve = |rule: R| self.catalogue.resolve(rule).map(|index| local.id_at(index));
        keys.iter().filter_map(|(rule, key)| Some((resolve(*rule).ok()?, key.clone()))).collect()
    }

    fn without_store<R: RuleRef>(
        &self,
        keys: &[(R, Key)],
        targets: &[Target],
        cost: Cost,
        intent: Intent,
    ) -> Result<Decided, Error> {
        let failing = self.breaker.decided_without(self.clock.now());
        let first = targets.first().ok_or(Repr::EmptyRequest)?;
        let verdict = |source: Source| {
            Decided::of(Decision {
                allowed: source == Source::Unchecked,
                rule: self.catalogue.id_at(first.index),
                limit: first.ask.limit,
                remaining: 0,
                retry_after: if source == Source::Unchecked { Duration::ZERO } else { COOL_DOWN },
                reset_after: COOL_DOWN,
                source,
            })
        };
        // A request that only shadow rules watch is never refused.
        let enforced = targets.iter().any(|target| target.ask.enforced);
        if !enforced {
            return Ok(verdict(Source::Unchecked));
        }
        Ok(match (self.on_error, &self.local) {
            (OnStoreError::Open { at_most }, _) if failing < at_most => verdict(Source::Unchecked),
            (OnStoreError::Local { .. }, Some(local)) => {
                self.locally(local, keys, targets, cost, intent).unwrap_or_else(|| verdict(Source::StoreDown))
            }
            _ => verdict(Source::StoreDown),
        })
    }

    /// The local limiter's answer. None if the cost is above this process's share, which no local answer admits.
    fn locally<R: RuleRef>(
        &self,
        local: &Limiter,
        keys: &[(R, Key)],
        targets: &[Target],
        cost: Cost,
        intent: Intent,
    ) -> Option<Decided> {
        let keys = self.local_keys(local, keys);
        let (decision, charged) = match intent {
            Intent::Peek => (local.peek(&keys, cost).ok()?, Charged::Nowhere),
            Intent::Charge => match local.reserve(&keys, cost).ok()? {
                Reservation::Granted(permit) => (permit.decision(), Charged::Local(permit)),
                Reservation::Refused(decision) => (decision, Charged::Nowhere),
            },
        };
        let rule = self.catalogue.id_at(decision.rule.index);
        let refusing = |target: &&Target| !decision.allowed && target.index == decision.rule.index;
        let exceeded = targets.iter().filter(refusing).copied().collect();
        Some(Decided { decision: Decision { rule, source: Source::Fallback, ..decision }, charged, exceeded })
    }

    /// The answer to a request all of whose rules are off.
    fn unasked<R: RuleRef>(&self, keys: &[(R, Key)]) -> Result<Decided, Error> {
        let (rule, _) = keys.first().ok_or(Repr::EmptyRequest)?;
        let index = self.catalogue.resolve(*rule)?;
        let limit = self.entries.get(index).ok_or(Repr::ForeignRule)?.rule.burst().get();
        Ok(Decided::of(Decision {
            allowed: true,
            rule: self.catalogue.id_at(index),
            limit,
            remaining: limit,
            retry_after: Duration::ZERO,
            reset_after: Duration::ZERO,
            source: Source::Off,
        }))
    }

    pub(super) async fn within_deadline<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match tokio::time::timeout(self.deadline, work).await {
            Ok(done) => done,
            Err(elapsed) => Err(Error::store(elapsed)),
        }
    }

    fn report(&self, health: Option<Health>) {
        if let Some(health) = health {
            self.health.observe(&health);
        }
    }
}

#[cfg(feature = "tower")]
impl<S: Store> crate::tower::Gate for SharedLimiter<S> {
    type Permit = SharedPermit<S>;

    fn rule(&self, name: &str) -> Result<RuleId, Error> {
        Self::rule(self, name)
    }

    fn definition(&self, rule: RuleId) -> Result<&Rule, Error> {
        Self::definition(self, rule)
    }

    async fn reserve(&self, keys: &[(RuleId, Key)], cost: Cost) -> Result<Reservation<SharedPermit<S>>, Error> {
        Self::reserve(self, keys, cost).await
    }
}

impl<S: Store> Clone for SharedLimiter<S> {
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core) }
    }
}

impl<S: Store> fmt::Debug for SharedLimiter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<&Rule> = self.core.entries.iter().map(|entry| &entry.rule).collect();
        f.debug_struct("SharedLimiter").field("rules", &rules).finish_non_exhaustive()
    }
}
