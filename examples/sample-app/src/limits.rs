//! Who may try how often: `limits.toml`, counted in this process or, for several processes, in Redis.

use anyhow::{Context, Result};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use stockade::ratelimit::{
    self, Cost, Decision, FingerprintKey, Ipv6Prefix, Key, Limiter, Observer, Policy, Reservation, Rule,
    redis::RedisStore,
    store::{HealthObserver, OnStoreError, Share, SharedLimiter, SharedPermit},
};

/// Rule: sign-in attempts on one account.
pub const SIGN_IN_ACCOUNT: &str = "sign-in.account";
/// Rule: sign-in attempts from one address.
pub const SIGN_IN_ADDRESS: &str = "sign-in.address";
/// Rule: one-time codes from one address.
pub const CODE_ADDRESS: &str = "code.address";
/// Rule: messages for a forgotten password of one account.
pub const RESET_ACCOUNT: &str = "reset.account";
/// Rules: such messages that one address, or its network, asks for.
pub const RESET_ADDRESS: [(&str, Ipv6Prefix); 3] =
    [("reset.ip", Ipv6Prefix::P64), ("reset.net56", Ipv6Prefix::P56), ("reset.net48", Ipv6Prefix::P48)];
/// Rule: exports of one tenant.
pub const EXPORT_TENANT: &str = "export.tenant";
/// Rule: downloads of one person.
pub const DOWNLOAD_USER: &str = "download.user";

/// Rule: documents that one person downloads.
pub const DOCUMENT_USER: &str = "document.user";
/// Rule: documents that the people of one tenant download.
pub const DOCUMENT_TENANT: &str = "document.tenant";

/// Where attempts are counted.
#[derive(Clone, Debug)]
pub enum Counting {
    /// In this process: right for one.
    Memory,
    /// In Redis, at this URL: right for several.
    Redis(String),
}

type Shared = SharedLimiter<RedisStore<ConnectionManager>>;

/// The rules of `limits.toml`.
#[derive(Debug)]
pub enum Limits {
    /// Counted in this process.
    Memory(Limiter),
    /// Counted in Redis.
    Redis(Shared),
}

/// A charge that may still be taken back.
#[derive(Debug)]
#[must_use = "`refund` what was right; a permit that is dropped stays charged"]
pub enum Permit {
    /// In this process.
    Memory(ratelimit::Permit),
    /// In Redis.
    Redis(SharedPermit<RedisStore<ConnectionManager>>),
}

/// What the operator's page shows of a rule.
#[derive(Clone, Debug)]
pub struct Count {
    /// The rule.
    pub rule: Rule,
    /// Keys that have something charged now; unknown where Redis counts.
    pub keys: Option<usize>,
    /// Refusals by this process since it started.
    pub refusals: u64,
    /// Keys that are being refused.
    pub open_episodes: usize,
}

/// A whole process's account of its limits.
#[derive(Clone, Debug)]
pub struct Counts {
    /// Each rule.
    pub rules: Vec<Count>,
    /// Requests that were admitted.
    pub allowed: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Where they are counted.
    pub place: &'static str,
}

impl Limits {
    /// Reads the rules and, where they are counted in Redis, connects to it.
    ///
    /// While Redis is down each process counts for itself, by a quarter of the limits.
    ///
    /// # Errors
    /// When the rules are malformed or no Redis answers.
    pub async fn open(
        counting: &Counting,
        fingerprints: FingerprintKey,
        observer: impl Observer + HealthObserver + Clone + 'static,
    ) -> Result<Self> {
        let policy = Policy::parse(include_str!("limits.toml"))?;
        let Counting::Redis(url) = counting else {
            let limiter = policy.limiter().capacity(100_000).fingerprint_key(fingerprints).observer(observer);
            return Ok(Self::Memory(limiter.build()?));
        };
        let client = redis::Client::open(url.as_str()).context("REDIS_URL is not a Redis URL")?;
        // The limiter has a deadline of its own for each question.
        let config = ConnectionManagerConfig::new().set_number_of_retries(2).set_response_timeout(None);
        let connection =
            ConnectionManager::new_with_config(client, config).await.context("no Redis answers at REDIS_URL")?;
        let store = RedisStore::new(connection, "freight-desk")?;
        let quarter = OnStoreError::Local { share: Share::among(const { std::num::NonZeroU32::new(4).unwrap() }) };
        let builder = SharedLimiter::builder(store, fingerprints, quarter);
        let builder = policy.routes().iter().fold(builder, |builder, route| builder.route(route));
        Ok(Self::Redis(builder.health_observer(observer.clone()).observer(observer).build()?))
    }

    /// Charges one attempt to every key, or to none.
    ///
    /// # Errors
    /// When a rule is missing.
    pub async fn reserve(&self, keys: &[(&str, Key)]) -> Result<Reservation<Permit>> {
        Ok(match self {
            Self::Memory(limiter) => wrap(limiter.reserve(keys, Cost::ONE)?, Permit::Memory),
            Self::Redis(limiter) => wrap(limiter.reserve(keys, Cost::ONE).await?, Permit::Redis),
        })
    }

    /// As [`reserve`](Self::reserve), for what is not taken back.
    ///
    /// # Errors
    /// When a rule is missing.
    pub async fn check(&self, keys: &[(&str, Key)]) -> Result<Decision> {
        Ok(match self {
            Self::Memory(limiter) => limiter.check(keys, Cost::ONE)?,
            Self::Redis(limiter) => limiter.check(keys, Cost::ONE).await?,
        })
    }

    /// Reports the end of what has been quiet for a while.
    pub fn sweep(&self) {
        match self {
            Self::Memory(limiter) => limiter.sweep(),
            Self::Redis(limiter) => limiter.sweep(),
        }
    }

    /// What this process has counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        match self {
            Self::Memory(limiter) => {
                let snapshot = limiter.snapshot();
                let rules = snapshot.rules.into_iter().map(|rule| Count {
                    rule: rule.rule,
                    keys: Some(rule.keys_tracked),
                    refusals: rule.refusals,
                    open_episodes: rule.open_episodes,
                });
                let (allowed, refused) = (snapshot.allowed, snapshot.refused);
                Counts { rules: rules.collect(), allowed, refused, place: "in this process" }
            }
            Self::Redis(limiter) => {
                let snapshot = limiter.snapshot();
                let rules = snapshot.rules.into_iter().map(|rule| Count {
                    rule: rule.rule,
                    keys: None,
                    refusals: rule.refusals,
                    open_episodes: rule.open_episodes,
                });
                let place = if snapshot.degraded { "in this process, because Redis is down" } else { "in Redis" };
                Counts { rules: rules.collect(), allowed: snapshot.allowed, refused: snapshot.refused, place }
            }
        }
    }
}

impl Permit {
    /// Takes the charge back: the attempt was right. Where Redis fails it stays, which is the safe side.
    pub async fn refund(self) {
        match self {
            Self::Memory(permit) => permit.refund(),
            Self::Redis(permit) => drop(permit.refund().await),
        }
    }
}

fn wrap<P>(reservation: Reservation<P>, permit: impl FnOnce(P) -> Permit) -> Reservation<Permit> {
    match reservation {
        Reservation::Granted(granted) => Reservation::Granted(permit(granted)),
        Reservation::Refused(decision) => Reservation::Refused(decision),
    }
}
