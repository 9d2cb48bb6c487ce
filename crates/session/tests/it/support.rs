//! What the tests share.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use stockade_session::{
    ApiTokenPolicy, Argon2Params, Auth, AuthBuilder, ClientInfo, DangerouslyPlainSeeds, FailureReason, Flow, Fresh,
    FullyVerified, HashPool, HashPoolConfig, Issued, KeyRing, LockoutPolicy, ManualClock, NewAccount, Observer,
    PasswordVerified, SecurityEvent, Step, Store, TenantId, TotpSeed, TotpStep, UserId,
};
use uuid::Uuid;

pub(crate) const ANA: &str = "ana@acme.test";
pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const SEED: [u8; 20] = *b"12345678901234567890";

/// Runs each test on the memory store, on PostgreSQL, there with a login that has nothing but `stockade_auth`, on SQLite, and on a
/// cache in Redis in front of a memory store.
#[macro_export]
macro_rules! on_every_store {
    ($($test:ident)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $test() {
                super::$test(stockade_session::MemoryStore::default()).await;
            })*
        }

        #[cfg(feature = "postgres")]
        mod postgres {
            $(#[sqlx::test(migrations = false)]
            async fn $test(pool: sqlx::postgres::PgPoolOptions, options: sqlx::postgres::PgConnectOptions) {
                let database = $crate::postgres::Database::install(pool, options).await;
                super::$test(database.store()).await;
            })*
        }

        #[cfg(feature = "sqlite")]
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let file = $crate::sqlite::File::new().await;
                super::$test(file.store()).await;
            })*
        }

        #[cfg(feature = "redis")]
        mod cached {
            $(#[tokio::test]
            async fn $test() {
                super::$test($crate::cached::store().await).await;
            })*
        }
    };
}

/// An `Auth` with a manual clock, cheap hashes and a record of its events.
pub(crate) struct Desk {
    pub(crate) auth: Auth,
    pub(crate) clock: ManualClock,
    pub(crate) pool: HashPool,
    pub(crate) events: Arc<Events>,
}

#[derive(Default)]
pub(crate) struct Events(Mutex<Vec<SecurityEvent>>);

impl Observer for Events {
    fn observe(&self, event: &SecurityEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Events {
    pub(crate) fn take(&self) -> Vec<SecurityEvent> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    pub(crate) fn reasons(&self) -> Vec<FailureReason> {
        self.take()
            .iter()
            .filter_map(|event| match event {
                SecurityEvent::SignInFailed { reason, .. } => Some(*reason),
                _ => None,
            })
            .collect()
    }
}

impl Desk {
    pub(crate) fn new(store: impl Store) -> Self {
        Self::with(store, |builder| builder)
    }

    pub(crate) fn with(store: impl Store, configure: impl FnOnce(AuthBuilder) -> AuthBuilder) -> Self {
        let clock = ManualClock::new(start());
        Self::at(clock, store, KeyRing::single(1, key(1)).unwrap(), configure)
    }

    pub(crate) fn at(
        clock: ManualClock,
        store: impl Store,
        keys: KeyRing,
        configure: impl FnOnce(AuthBuilder) -> AuthBuilder,
    ) -> Self {
        let pool = weak_pool();
        let events = Arc::new(Events::default());
        let builder = Auth::builder(store, keys)
            .clock(clock.clone())
            .hash_pool(pool.clone())
            .seed_cipher(DangerouslyPlainSeeds)
            .api_tokens(api_token_policy())
            .observer(Arc::clone(&events));
        let auth = configure(builder).build().unwrap();
        Self { auth, clock, pool, events }
    }

    /// A desk with Ana's account.
    pub(crate) async fn with_ana(store: impl Store) -> Self {
        Self::new(store).add_ana().await
    }

    pub(crate) async fn add_ana(self) -> Self {
        self.auth.accounts().create(ana(), PASSWORD.into()).await.unwrap();
        self
    }

    /// Gives Ana the seed of the RFCs.
    pub(crate) async fn add_totp(self) -> Self {
        self.auth.accounts().import_totp(user(), TotpSeed::from_bytes(SEED).unwrap()).await.unwrap();
        self
    }

    pub(crate) fn advance(&self, by: TimeDelta) {
        self.clock.advance(by);
    }

    pub(crate) async fn password(&self, identifier: &str, password: &str) -> Step {
        let flow = self.auth.begin(identifier, &client()).await.unwrap();
        flow.verify_password(SecretString::from(password)).await.unwrap()
    }

    /// Ana's password from another address.
    pub(crate) async fn password_from(&self, ip: impl Into<std::net::IpAddr>, password: &str) -> Step {
        let client = ClientInfo { ip: ip.into(), user_agent: None };
        self.auth.begin(ANA, &client).await.unwrap().verify_password(SecretString::from(password)).await.unwrap()
    }

    pub(crate) async fn pending(&self) -> Flow<PasswordVerified> {
        match self.password(ANA, PASSWORD).await {
            Step::TotpRequired(flow) => flow,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn verified(&self) -> Flow<FullyVerified> {
        match self.password(ANA, PASSWORD).await {
            Step::Done(flow) => flow,
            other => panic!("{other:?}"),
        }
    }

    /// Signs Ana in with a second factor, by the code of the step that is `offset` steps from now.
    pub(crate) async fn sign_in_with(&self, offset: i64) -> Issued {
        let TotpStep::Done(flow) = self.pending().await.verify_totp(&self.code(offset)).await.unwrap() else {
            panic!("refused")
        };
        self.auth.issue(flow).await.unwrap()
    }

    /// A session of Ana's, by a second factor if she has one, that proves her presence.
    pub(crate) async fn fresh(&self, issued: &Issued) -> Fresh {
        let session = self.auth.resolve(issued.token()).await.unwrap().unwrap();
        self.auth.fresh(&session, Duration::from_secs(300)).unwrap()
    }

    /// Signs Ana in, without a second factor.
    pub(crate) async fn sign_in(&self) -> Issued {
        self.auth.issue(self.verified().await).await.unwrap()
    }

    /// The code of the step that is `offset` steps from now.
    pub(crate) fn code(&self, offset: i64) -> String {
        use stockade_session::Clock;
        code_at(&SEED, self.clock.now() + TimeDelta::seconds(30 * offset))
    }

    pub(crate) async fn is_live(&self, issued: &Issued) -> bool {
        self.auth.resolve(issued.token()).await.unwrap().is_some()
    }
}

/// How often a race is run: a few seconds' worth, or what `STOCKADE_RACES` says.
pub(crate) fn races(usual: usize) -> usize {
    std::env::var("STOCKADE_RACES").ok().map_or(usual, |count| count.parse().unwrap())
}

/// Runs all calls at once and counts those that answered true.
pub(crate) async fn wins<F: Future<Output = bool> + Send + 'static>(calls: impl IntoIterator<Item = F>) -> usize {
    let tasks: tokio::task::JoinSet<bool> = calls.into_iter().collect();
    tasks.join_all().await.into_iter().filter(|won| *won).count()
}

pub(crate) fn code_at(seed: &[u8], time: DateTime<Utc>) -> String {
    let totp = totp_rs::Builder::new().with_secret(seed).build().unwrap();
    totp.generate(time.timestamp().try_into().unwrap()).to_string()
}

pub(crate) fn is_rejected(step: &Step) -> bool {
    matches!(step, Step::Rejected(_))
}

pub(crate) fn is_done(step: &TotpStep) -> bool {
    matches!(step, TotpStep::Done(_))
}

pub(crate) fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_010, 0).unwrap()
}

pub(crate) fn user() -> UserId {
    Uuid::from_u128(0xA).into()
}

pub(crate) fn tenant() -> TenantId {
    Uuid::from_u128(0xAC).into()
}

pub(crate) fn ana() -> NewAccount<'static> {
    NewAccount { user: user(), tenant: tenant(), identifier: ANA }
}

pub(crate) fn client() -> ClientInfo {
    ClientInfo { ip: "203.0.113.7".parse().unwrap(), user_agent: Some("test".to_owned()) }
}

pub(crate) fn api_token_policy() -> ApiTokenPolicy {
    ApiTokenPolicy::new("acme", |scope| ["drivers:read", "loads:read", "loads:write"].contains(&scope)).unwrap()
}

pub(crate) fn from(ip: &str) -> ClientInfo {
    ClientInfo { ip: ip.parse().unwrap(), user_agent: None }
}

pub(crate) fn key(first: u8) -> Vec<u8> {
    (first..first + 32).collect()
}

pub(crate) fn weak_pool() -> HashPool {
    let config =
        HashPoolConfig { params: Argon2Params::dangerously_weak(), workers: NonZeroUsize::new(2).unwrap(), queue: 256 };
    HashPool::new(config).unwrap()
}

/// A policy that never locks within a test.
pub(crate) fn patient() -> LockoutPolicy {
    let day = Duration::from_secs(86_400);
    LockoutPolicy::new(NonZeroU32::new(1_000_000).unwrap(), day, day, day).unwrap()
}
