//! What every store must do, below `Auth`.

mod api_token;
pub(crate) mod connection;
mod credential;
mod impersonation;
mod network;
mod policy;
mod recovery;
mod refresh;
mod sweep;

use std::{num::NonZeroU32, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use stockade_session::{
    Assurance, LockoutPolicy, MemoryStore, Scope, SessionId, Store,
    store::{Digest, FlowRecord, Lookup, NewAccountRecord, Reservation, SessionRecord, TotpState, Versions},
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::{client, start, tenant, user};

crate::on_every_store! {
    accounts
    password_hash_is_swapped
    totp_states
    step_is_consumed_once
    reservations_never_exceed_the_limit
    reservations_agree_with_the_model
    flows
    flow_is_finished_once
    session_round_trip
    session_bounds
}

fn digest(byte: u8) -> Digest {
    [byte; 32].into()
}

fn account() -> NewAccountRecord {
    NewAccountRecord { user: user(), tenant: tenant(), identifier: "ana".to_owned(), password_hash: "hash".to_owned() }
}

fn session(sid: u128) -> SessionRecord {
    SessionRecord {
        sid: SessionId::from(Uuid::from_u128(sid)),
        user: user(),
        tenant: tenant(),
        versions: Versions::default(),
        assurance: Assurance::Password,
        authenticated_at: start(),
        last_seen_at: start(),
        idle: TimeDelta::seconds(100),
        expires_at: start() + TimeDelta::seconds(1000),
        ip: client().ip,
        user_agent: None,
        mfa_required_from: None,
    }
}

fn seconds(seconds: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(seconds)
}

async fn accounts<S: Store>(store: S) {
    assert!(store.account(Lookup::User(user())).await.unwrap().is_none());
    assert!(store.insert_account(&account()).await.unwrap());
    assert!(!store.insert_account(&account()).await.unwrap());
    let same_user = NewAccountRecord { identifier: "bo".to_owned(), ..account() };
    let same_identifier = NewAccountRecord { user: Uuid::from_u128(9).into(), ..account() };
    assert!(!store.insert_account(&same_user).await.unwrap());
    assert!(!store.insert_account(&same_identifier).await.unwrap());

    for lookup in [Lookup::User(user()), Lookup::Identifier("ana")] {
        let found = store.account(lookup).await.unwrap().unwrap();
        assert_eq!((found.user, found.tenant, found.totp), (user(), tenant(), None));
        assert_eq!((&*found.identifier, &*found.password_hash), ("ana", "hash"));
        assert_eq!(found.versions, Versions::default());
    }
    assert!(store.account(Lookup::Identifier("an")).await.unwrap().is_none());
    assert!(store.account(Lookup::Identifier("")).await.unwrap().is_none());

    for scope in [Scope::User(user()), Scope::Tenant(tenant()), Scope::Tenant(tenant()), Scope::Global] {
        assert!(store.bump_version(scope).await.unwrap());
    }
    assert!(!store.bump_version(Scope::User(Uuid::from_u128(9).into())).await.unwrap());
    let versions = store.account(Lookup::User(user())).await.unwrap().unwrap().versions;
    assert_eq!(versions, Versions { user: 1, tenant: 2, global: 1 });
}

async fn password_hash_is_swapped<S: Store>(store: S) {
    store.insert_account(&account()).await.unwrap();
    assert!(!store.replace_password_hash(user(), "other", "new").await.unwrap());
    assert!(store.replace_password_hash(user(), "hash", "new").await.unwrap());
    assert!(!store.replace_password_hash(user(), "hash", "newer").await.unwrap());
    assert_eq!(store.account(Lookup::User(user())).await.unwrap().unwrap().password_hash, "new");
}

async fn totp_states<S: Store>(store: S) {
    assert!(!store.put_pending_totp(user(), b"seed").await.unwrap(), "no account");
    store.insert_account(&account()).await.unwrap();
    assert!(!store.activate_totp(user(), b"seed", 5).await.unwrap());
    assert!(store.put_pending_totp(user(), b"old").await.unwrap());
    assert!(store.put_pending_totp(user(), b"seed").await.unwrap());
    assert!(!store.consume_totp_step(user(), b"seed", 5).await.unwrap(), "not active");
    assert!(!store.activate_totp(user(), b"old", 5).await.unwrap());
    assert_eq!(store.account(Lookup::User(user())).await.unwrap().unwrap().totp, Some(TotpState::Pending));
    assert!(store.activate_totp(user(), b"seed", 5).await.unwrap());
    assert!(!store.activate_totp(user(), b"seed", 6).await.unwrap());
    assert!(!store.put_pending_totp(user(), b"mine").await.unwrap());

    let found = store.account(Lookup::User(user())).await.unwrap().unwrap();
    assert_eq!((found.totp, found.versions.user), (Some(TotpState::Active), 1));
    assert!(!store.consume_totp_step(user(), b"seed", 5).await.unwrap(), "used to activate");
    assert!(!store.consume_totp_step(user(), b"old", 6).await.unwrap());
    assert!(store.consume_totp_step(user(), b"seed", 7).await.unwrap());
    assert!(!store.consume_totp_step(user(), b"seed", 6).await.unwrap(), "older than the last");
    let totp = store.totp(user()).await.unwrap().unwrap();
    assert_eq!((&*totp.sealed_seed, totp.state, totp.last_step), (&b"seed"[..], TotpState::Active, 7));
}

/// How many of `attempts` simultaneous calls answered true.
async fn race<F: Future<Output = bool> + Send + 'static>(attempts: usize, call: impl Fn() -> F) -> usize {
    let mut tasks = JoinSet::new();
    for _ in 0..attempts {
        tasks.spawn(call());
    }
    tasks.join_all().await.into_iter().filter(|won| *won).count()
}

async fn step_is_consumed_once<S: Store + Clone>(store: S) {
    store.insert_account(&account()).await.unwrap();
    store.put_pending_totp(user(), b"seed").await.unwrap();
    store.activate_totp(user(), b"seed", -1).await.unwrap();
    for step in 0..10 {
        let wins = race(64, || {
            let store = store.clone();
            async move { store.consume_totp_step(user(), b"seed", step).await.unwrap() }
        });
        assert_eq!(wins.await, 1);
    }
}

async fn reservations_never_exceed_the_limit<S: Store + Clone>(store: S) {
    for bucket in 0..10 {
        let wins = race(64, || {
            let store = store.clone();
            async move {
                let policy = LockoutPolicy::default();
                store.reserve_attempt(&digest(bucket), &policy, start()).await.unwrap() != Reservation::Locked
            }
        });
        assert_eq!(wins.await, 5);
    }
}

/// The store against a model of a few lines, over a thousand pseudo-random attempts, pauses and successes.
async fn reservations_agree_with_the_model<S: Store>(store: S) {
    let policy = LockoutPolicy::new(
        NonZeroU32::new(3).unwrap(),
        Duration::from_secs(10),
        Duration::from_secs(70),
        Duration::from_secs(200),
    )
    .unwrap();
    let (mut now, mut number, mut last) = (0_i64, 0_u32, 0_i64);
    let mut locked_until = None;
    let mut random = 42_u64;
    let (mut refused, mut repeated_cap) = (0, 0);
    for round in 0..1000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        now += [0, 1, 5, 10, 40, 70, 199, 200][usize::try_from(random >> 61).unwrap()];
        if (random >> 50).is_multiple_of(31) {
            store.clear_attempts(&digest(1)).await.unwrap();
            (number, locked_until) = (0, None);
            continue;
        }
        let expected = if locked_until.is_some_and(|until| until > now) {
            refused += 1;
            Reservation::Locked
        } else {
            number = if last <= now - 200 { 1 } else { number + 1 };
            last = now;
            let lock = [10, 20, 40, 70];
            let step = number.checked_sub(3).map(|n| usize::try_from(n).unwrap());
            repeated_cap += usize::from(step > Some(3));
            locked_until = step.map(|step| now + lock[step.min(3)]);
            Reservation::Granted { locked_until: locked_until.map(seconds) }
        };
        let answer = store.reserve_attempt(&digest(1), &policy, seconds(now)).await.unwrap();
        assert_eq!(answer, expected, "round {round}");
    }
    assert!(refused > 100 && repeated_cap > 0, "the sequence misses a case: {refused} {repeated_cap}");
}

fn flow() -> FlowRecord {
    FlowRecord {
        user: user(),
        tenant: tenant(),
        versions: Versions::default(),
        created_at: start(),
        expires_at: seconds(10),
    }
}

async fn flows<S: Store>(store: S) {
    store.insert_account(&account()).await.unwrap();
    store.insert_flow(&digest(1), &flow()).await.unwrap();
    assert_eq!(store.flow(&digest(1), start()).await.unwrap(), Some(flow()));
    assert_eq!(store.flow(&digest(2), start()).await.unwrap(), None);
    assert!(store.flow(&digest(1), seconds(9)).await.unwrap().is_some());
    assert!(store.flow(&digest(1), seconds(10)).await.unwrap().is_none());
    assert!(!store.finish_flow(&digest(1), seconds(10)).await.unwrap());
    for (byte, scope) in [(2, Scope::User(user())), (3, Scope::Tenant(tenant())), (4, Scope::Global)] {
        let versions = store.account(Lookup::User(user())).await.unwrap().unwrap().versions;
        store.insert_flow(&digest(byte), &FlowRecord { versions, ..flow() }).await.unwrap();
        assert!(store.flow(&digest(byte), start()).await.unwrap().is_some());
        store.bump_version(scope).await.unwrap();
        assert!(store.flow(&digest(byte), start()).await.unwrap().is_none(), "{scope:?}");
        assert!(!store.finish_flow(&digest(byte), start()).await.unwrap(), "{scope:?}");
    }
}

async fn flow_is_finished_once<S: Store + Clone>(store: S) {
    store.insert_account(&account()).await.unwrap();
    store.insert_flow(&digest(1), &flow()).await.unwrap();
    let wins = race(32, || {
        let store = store.clone();
        async move { store.finish_flow(&digest(1), start()).await.unwrap() }
    });
    assert_eq!(wins.await, 1);
}

async fn session_round_trip<S: Store>(store: S) {
    store.insert_account(&account()).await.unwrap();
    let full = SessionRecord {
        assurance: Assurance::PasswordAndTotp,
        ip: "2001:db8::1".parse().unwrap(),
        user_agent: Some("agent \u{1F512}".to_owned()),
        last_seen_at: start() + TimeDelta::microseconds(123_456),
        ..session(1)
    };
    for (byte, record) in [(1, full), (2, session(2))] {
        store.insert_session(&digest(byte), &record).await.unwrap();
        assert_eq!(store.resolve(&digest(byte), start()).await.unwrap(), Some(record.clone()));
        assert!(store.insert_session(&digest(byte), &session(99)).await.is_err(), "a digest is unique");
        assert!(store.insert_session(&digest(99), &record).await.is_err(), "a sid is unique");
    }
    assert_eq!(store.sessions(user(), start()).await.unwrap().len(), 2);
    let sid = session(1).sid;
    assert_eq!(store.revoke(sid, start()).await.unwrap().unwrap().sid, sid);
    assert!(store.revoke(sid, start()).await.unwrap().is_none());
    assert!(store.resolve(&digest(1), start()).await.unwrap().is_none());
    assert!(!store.touch(sid, seconds(9), seconds(9)).await.unwrap());
    assert!(store.rotate(&digest(1), &digest(7), start()).await.unwrap().is_none());
    assert!(store.resolve(&digest(7), start()).await.unwrap().is_none());
}

async fn session_bounds<S: Store>(store: S) {
    store.insert_account(&account()).await.unwrap();
    let expires_at = seconds(150);
    store.insert_session(&digest(1), &SessionRecord { expires_at, ..session(1) }).await.unwrap();
    let live = async |at| store.resolve(&digest(1), seconds(at)).await.unwrap().is_some();
    let listed = async |at| store.sessions(user(), seconds(at)).await.unwrap().len() == 1;
    for (at, expected) in [(0, true), (99, true), (100, false)] {
        assert_eq!((live(at).await, listed(at).await), (expected, expected), "{at}");
    }
    assert!(!store.touch(session(1).sid, seconds(99), seconds(-1)).await.unwrap(), "recorded since");
    assert!(store.touch(session(1).sid, seconds(99), seconds(0)).await.unwrap());
    for (at, expected) in [(149, true), (150, false)] {
        assert_eq!((live(at).await, listed(at).await), (expected, expected), "{at}");
    }
    assert!(store.rotate(&digest(1), &digest(2), seconds(150)).await.unwrap().is_none());
}

/// The model test above would be vacuous if the memory store were not a store of its own.
#[tokio::test]
async fn memory_clones_share() {
    let store = MemoryStore::default();
    store.clone().insert_account(&account()).await.unwrap();
    assert!(store.account(Lookup::User(user())).await.unwrap().is_some());
}
