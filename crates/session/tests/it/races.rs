//! Races of a store's compare-and-swaps. What the usual way loses in them is in `race_controls`.
//!
//! `STOCKADE_RACES=10000 cargo nextest run -p stockade-session --all-features races` for the full count.

use std::pin::Pin;

use chrono::TimeDelta;
use stockade_session::{
    Assurance, LockoutPolicy, Scope, SessionId, Store, TenantId, UserId,
    store::{Digest, Lookup, NewAccountRecord, Reservation, SessionRecord, TotpState, Versions},
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::{client, races, start};

crate::on_every_store! {
    revoked_sessions_stay_revoked
    no_change_is_lost
    one_code_counts_once
    limit_is_never_passed
}

const WORKERS: u64 = 4;

fn trials() -> u64 {
    u64::try_from(races(200)).unwrap()
}

/// Runs all trials, a few at a time.
async fn run<S: Store + Clone, F: Future<Output = ()> + Send>(
    store: S,
    trial: impl Fn(S, u64) -> F + Copy + Send + 'static,
) {
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let store = store.clone();
        workers.spawn(async move {
            for number in (0..trials()).filter(|number| number % WORKERS == worker) {
                trial(store.clone(), number).await;
            }
        });
    }
    workers.join_all().await;
}

type Racer<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

/// Starts all at once, another one first each time, and counts those that answered true.
async fn together(number: u64, mut racers: Vec<Racer<'static>>) -> usize {
    let first = usize::try_from(number).unwrap() % racers.len();
    racers.rotate_left(first);
    let mut tasks = JoinSet::new();
    for racer in racers {
        tasks.spawn(racer);
    }
    tasks.join_all().await.into_iter().filter(|won| *won).count()
}

/// Calls the store in a future of its own.
macro_rules! racer {
    ($store:ident, $call:expr) => {{
        let $store = $store.clone();
        Box::pin(async move { $call }) as Racer<'static>
    }};
}

fn user(number: u64) -> UserId {
    Uuid::from_u128(0xA000_0000_0000 + u128::from(number)).into()
}

fn tenant() -> TenantId {
    Uuid::from_u128(0xAC).into()
}

fn digest(kind: u8, number: u64) -> Digest {
    let mut bytes = [kind; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes.into()
}

async fn add_account(store: &impl Store, number: u64) {
    let identifier = format!("user {number}");
    let account =
        NewAccountRecord { user: user(number), tenant: tenant(), identifier, password_hash: "old".to_owned() };
    assert!(store.insert_account(&account).await.unwrap());
}

async fn add_session(store: &impl Store, number: u64) -> SessionId {
    let sid = Uuid::from_u128(0x5000_0000_0000 + u128::from(number)).into();
    let session = SessionRecord {
        sid,
        user: user(number % WORKERS),
        tenant: tenant(),
        versions: Versions::default(),
        assurance: Assurance::PasswordAndTotp,
        authenticated_at: start(),
        last_seen_at: start(),
        idle: TimeDelta::hours(1),
        expires_at: start() + TimeDelta::hours(12),
        ip: client().ip,
        user_agent: None,
        mfa_required_from: None,
    };
    store.insert_session(&digest(0, number), &session).await.unwrap();
    sid
}

/// A logout, a recorded use and a rotation of one session. Nothing opens it afterwards.
async fn revoked_sessions_stay_revoked<S: Store + Clone>(store: S) {
    for number in 0..WORKERS {
        add_account(&store, number).await;
    }
    run(store, async |store, number| {
        let sid = add_session(&store, number).await;
        let later = start() + TimeDelta::minutes(5);
        let racers = vec![
            racer!(store, store.revoke(sid, later).await.unwrap().is_some()),
            racer!(store, {
                store.touch(sid, later, start()).await.unwrap();
                false
            }),
            racer!(store, {
                store.rotate(&digest(0, number), &digest(1, number), later).await.unwrap();
                false
            }),
        ];
        assert_eq!(together(number, racers).await, 1, "{number}");
        for kind in [0, 1] {
            assert!(store.resolve(&digest(kind, number), later).await.unwrap().is_none(), "{number}");
        }
        assert!(store.revoke(sid, later).await.unwrap().is_none(), "{number}");
    })
    .await;
}

/// A second factor that becomes active, a password hash that is upgraded and a revocation, of one account. All three are there afterwards.
async fn no_change_is_lost<S: Store + Clone>(store: S) {
    run(store, async |store, number| {
        let user = user(number);
        add_account(&store, number).await;
        store.put_pending_totp(user, b"seed").await.unwrap();
        let racers = vec![
            racer!(store, store.activate_totp(user, b"seed", 1).await.unwrap()),
            racer!(store, store.replace_password_hash(user, "old", "new").await.unwrap()),
            racer!(store, store.bump_version(Scope::User(user)).await.unwrap()),
        ];
        assert_eq!(together(number, racers).await, 3, "{number}");
        let account = store.account(Lookup::User(user)).await.unwrap().unwrap();
        let found = (account.totp, &*account.password_hash, account.versions.user);
        assert_eq!(found, (Some(TotpState::Active), "new", 2), "{number}");
    })
    .await;
}

/// Four submissions of one code.
async fn one_code_counts_once<S: Store + Clone>(store: S) {
    for worker in 0..WORKERS {
        add_account(&store, worker).await;
        store.put_pending_totp(user(worker), b"seed").await.unwrap();
        assert!(store.activate_totp(user(worker), b"seed", -1).await.unwrap());
    }
    run(store, async |store, number| {
        let (user, step) = (user(number % WORKERS), i64::try_from(number).unwrap());
        let submit = || racer!(store, store.consume_totp_step(user, b"seed", step).await.unwrap());
        assert_eq!(together(number, (0..4).map(|_| submit()).collect()).await, 1, "{number}");
    })
    .await;
}

/// Eight guesses at once where five are allowed.
async fn limit_is_never_passed<S: Store + Clone>(store: S) {
    run(store, async |store, number| {
        let guess = || {
            racer!(store, {
                let policy = LockoutPolicy::default();
                store.reserve_attempt(&digest(2, number), &policy, start()).await.unwrap() != Reservation::Locked
            })
        };
        assert_eq!(together(number, (0..8).map(|_| guess()).collect()).await, 5, "{number}");
    })
    .await;
}
