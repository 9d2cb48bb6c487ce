//! The settings of an `Auth`.

use std::{fmt, sync::Arc, time::Duration};

use chrono::TimeDelta;

use super::{Auth, Inner, inner::Floor};
use crate::{
    api_token::ApiTokenPolicy,
    clock::{Clock, SystemClock},
    error::{Error, Result},
    event::Observer,
    key::KeyRing,
    lockout::LockoutPolicy,
    password::{HashPool, HashPoolConfig, PasswordRules},
    session::SessionLimits,
    store::{ErasedStore, Store},
    totp::SeedCipher,
};

/// Configures an [`Auth`]. Everything beyond the store and the keys has a default.
pub struct AuthBuilder {
    store: Box<dyn ErasedStore>,
    keys: KeyRing,
    pool: Option<HashPool>,
    lockout: LockoutPolicy,
    limits: SessionLimits,
    pending_life: Duration,
    clock: Box<dyn Clock>,
    seeds: Option<Box<dyn SeedCipher>>,
    observer: Option<Box<dyn Observer>>,
    issuer: String,
    identifier_lockout: LockoutPolicy,
    rules: PasswordRules,
    floor: Option<Floor>,
    api_tokens: Option<ApiTokenPolicy>,
}

impl AuthBuilder {
    pub(super) fn new(store: impl Store, keys: KeyRing) -> Self {
        Self {
            store: Box::new(store),
            keys,
            pool: None,
            lockout: LockoutPolicy::default(),
            limits: SessionLimits::default(),
            pending_life: Duration::from_secs(600),
            clock: Box::new(SystemClock),
            seeds: None,
            observer: None,
            issuer: "Stockade".to_owned(),
            identifier_lockout: LockoutPolicy::of_identifiers(),
            rules: PasswordRules::default(),
            floor: None,
            api_tokens: None,
        }
    }

    /// What seals TOTP seeds. Without it, an operation on TOTP fails with `Configuration`.
    #[must_use]
    pub fn seed_cipher(self, cipher: impl SeedCipher) -> Self {
        Self { seeds: Some(Box::new(cipher)), ..self }
    }

    /// What receives the events. The default is nobody.
    #[must_use]
    pub fn observer(self, observer: impl Observer) -> Self {
        Self { observer: Some(Box::new(observer)), ..self }
    }

    /// The source of time. The default is [`SystemClock`].
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        Self { clock: Box::new(clock), ..self }
    }

    /// The threads that hash passwords. The default is a pool of its own with [`HashPoolConfig::default`].
    #[must_use]
    pub fn hash_pool(self, pool: HashPool) -> Self {
        Self { pool: Some(pool), ..self }
    }

    /// How long sessions live. The default is 30 minutes idle and 12 hours in all.
    #[must_use]
    pub fn limits(self, limits: SessionLimits) -> Self {
        Self { limits, ..self }
    }

    /// When failed attempts lock an identifier for a network or a known device, and codes for a user. The default is
    /// [`LockoutPolicy::default`].
    #[must_use]
    pub fn lockout(self, lockout: LockoutPolicy) -> Self {
        Self { lockout, ..self }
    }

    /// When failed attempts lock an identifier for every client that comes neither from a network nor on a device that its owner signed in
    /// with. The default is 20 attempts, then 15 minutes, doubling to 4 hours, forgotten after 24 hours without an attempt.
    #[must_use]
    pub fn identifier_lockout(self, identifier_lockout: LockoutPolicy) -> Self {
        Self { identifier_lockout, ..self }
    }

    /// What a new password has to be. The default is [`PasswordRules::default`].
    #[must_use]
    pub fn password_rules(self, rules: PasswordRules) -> Self {
        Self { rules, ..self }
    }

    /// The least time from a credential to its refusal, and for asking for a reset, so that the time of an answer does not tell which work
    /// was done; at most 10 seconds. Choose more than the slowest stored hash takes when the pool is busy. `sleep` is the timer of the
    /// runtime, such as `tokio::time::sleep`: this crate has none of its own. The default is no such time.
    #[must_use]
    pub fn refusal_floor<F, Fut>(self, least: Duration, sleep: F) -> Self
    where
        F: Fn(Duration) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let least = TimeDelta::from_std(least).unwrap_or(TimeDelta::MAX);
        Self { floor: Some(Floor { least, sleep: Box::new(move |time| Box::pin(sleep(time))) }), ..self }
    }

    /// How long a sign-in waits for its second factor, between 1 second and 1 hour. The default is 10 minutes.
    #[must_use]
    pub fn pending_life(self, pending_life: Duration) -> Self {
        Self { pending_life, ..self }
    }

    /// The name that authenticator apps show, without a colon. The default is `Stockade`.
    #[must_use]
    pub fn issuer(self, issuer: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), ..self }
    }

    /// What API tokens look like and may be for. Without it, making or using one fails with `Configuration`.
    #[must_use]
    pub fn api_tokens(self, policy: ApiTokenPolicy) -> Self {
        Self { api_tokens: Some(policy), ..self }
    }

    /// Checks the settings and starts the threads. Takes the time of one hash.
    ///
    /// # Errors
    ///
    /// `Configuration` if a setting is outside its range or the system gives no threads, `Random` if it gives no random numbers.
    pub fn build(self) -> Result<Auth> {
        if self.issuer.is_empty() || self.issuer.contains(':') {
            return Err(Error::configuration("the issuer is empty or contains a colon"));
        }
        let pending_life = TimeDelta::from_std(self.pending_life).unwrap_or(TimeDelta::MAX);
        if pending_life < TimeDelta::seconds(1) || pending_life > TimeDelta::hours(1) {
            return Err(Error::configuration("a pending sign-in lives between 1 second and 1 hour"));
        }
        if self.floor.as_ref().is_some_and(|floor| floor.least > TimeDelta::seconds(10)) {
            return Err(Error::configuration("a refusal takes at most 10 seconds"));
        }
        let pool = match self.pool {
            Some(pool) => pool,
            None => HashPool::new(HashPoolConfig::default())?,
        };
        Ok(Auth(Arc::new(Inner {
            store: self.store,
            keys: self.keys,
            pool,
            lockout: self.lockout,
            limits: self.limits,
            pending_life,
            clock: self.clock,
            seeds: self.seeds,
            observer: self.observer,
            issuer: self.issuer,
            identifier_lockout: self.identifier_lockout,
            rules: self.rules,
            floor: self.floor,
            api_tokens: self.api_tokens,
        })))
    }
}

impl fmt::Debug for AuthBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthBuilder")
            .field("keys", &self.keys)
            .field("lockout", &self.lockout)
            .field("limits", &self.limits)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}
