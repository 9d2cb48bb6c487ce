//! What a change does to what is kept, in every process and under every look that is under way.

use std::{pin::Pin, sync::Arc};

use chrono::TimeDelta;
use stockade_session::{
    KeyRing, LockoutPolicy, MemoryStore, MfaRule, Scope, SessionLimits, Store, TenantPolicy,
    redis::{CachedStore, Staleness},
    store::{CredentialStore, Digest, FactorStore, IdentifierChangeRecord, PolicyStore, ResetRecord, SessionRecord},
};
use tokio::sync::Semaphore;

use super::*;

type Change = for<'a> fn(&'a Cached) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

macro_rules! changes {
    ($($name:literal: |$store:ident| $change:expr;)*) => {
        [$(($name, (|$store| Box::pin(async move { let _ = $change; })) as Change)),*]
    };
}

/// Every call that ends sessions or changes what they may do.
const CHANGES: [(&str, Change); 17] = changes! {
    "revoke": |store| store.revoke(record(1).sid, start()).await.unwrap();
    "revoke the user's": |store| store.bump_version(Scope::User(user())).await.unwrap();
    "revoke the tenant's": |store| store.bump_version(Scope::Tenant(tenant())).await.unwrap();
    "revoke everybody's": |store| store.bump_version(Scope::Global).await.unwrap();
    "rotate": |store| store.rotate(&digest(1), &digest(2), start()).await.unwrap();
    "step up": |store| store.step_up(&digest(1), &digest(2), start()).await.unwrap();
    "suspend": |store| store.suspend_account(user()).await.unwrap();
    "delete": |store| store.delete_account(user(), start()).await.unwrap();
    "change the password": |store| store.change_password(user(), "hash", "new").await.unwrap();
    "reset the password": |store| {
        let reset = ResetRecord { user: Some(user()), user_version: 0, expires_at: start() + TimeDelta::hours(1) };
        store.insert_reset(&digest(9), &reset).await.unwrap();
        assert!(store.redeem_reset(&digest(9), "new", start()).await.unwrap());
    };
    "change the identifier": |store| {
        let (identifier, new, expires_at) = ("bo".to_owned(), digest(9), start() + TimeDelta::hours(1));
        let change = IdentifierChangeRecord { user: user(), user_version: 0, identifier, old: None, new, expires_at };
        store.put_identifier_change(&change).await.unwrap();
        store.confirm_identifier_change(&digest(9), start()).await.unwrap();
    };
    "activate a factor": |store| {
        store.put_pending_totp(user(), b"seed").await.unwrap();
        assert!(store.activate_totp(user(), b"seed", 1).await.unwrap());
    };
    "remove a factor": |store| {
        store.put_pending_totp(user(), b"seed").await.unwrap();
        assert!(store.remove_totp(user()).await.unwrap());
    };
    "demand a factor of an account": |store| store.put_mfa_rule(user(), MfaRule::Required).await.unwrap();
    "demand a factor of a tenant": |store| {
        let policy = TenantPolicy { mfa: MfaRule::Required, ..TenantPolicy::default() };
        store.put_tenant_policy(tenant(), &policy).await.unwrap();
    };
    "tighten a tenant's limits": |store| {
        let minute = Duration::from_secs(60);
        let limits = Some(SessionLimits::new(minute, minute).unwrap());
        store.put_tenant_policy(tenant(), &TenantPolicy { limits, ..TenantPolicy::default() }).await.unwrap();
    };
    "record a use": |store| store.touch(record(1).sid, start() + TimeDelta::seconds(1), start()).await.unwrap();
};

#[tokio::test]
async fn every_change_holds_at_once_in_every_process() {
    for (name, change) in CHANGES {
        let (primary, namespace) = (MemoryStore::default(), namespace());
        fill(&primary).await;
        let here = over(primary.clone(), connect().await, &namespace);
        let there = over(primary.clone(), connect().await, &namespace);
        for store in [&here, &there, &here, &there] {
            assert!(found(store).await);
        }
        assert_eq!((here.stats().hits, there.stats().hits), (1, 2), "warm");
        change(&here).await;
        let now = start() + TimeDelta::seconds(2);
        let truth = primary.resolve(&digest(1), now).await.unwrap();
        assert_ne!(truth, Some(record(1)), "{name} changes something");
        for store in [&there, &here, &there] {
            assert_eq!(store.resolve(&digest(1), now).await.unwrap(), truth, "{name}");
        }
    }
}

#[tokio::test]
async fn replacing_a_factor_holds_at_once() {
    let (primary, namespace) = (MemoryStore::default(), namespace());
    fill(&primary).await;
    primary.put_pending_totp(user(), b"seed").await.unwrap();
    primary.activate_totp(user(), b"seed", 1).await.unwrap();
    let versions = stockade_session::store::Versions { user: 1, ..record(1).versions };
    primary.insert_session(&digest(3), &SessionRecord { versions, ..record(3) }).await.unwrap();
    let store = over(primary, connect().await, &namespace);
    let live = async || store.resolve(&digest(3), start()).await.unwrap().is_some();
    assert!(live().await && live().await);
    store.put_replacement_totp(user(), b"next").await.unwrap();
    assert!(store.swap_totp(user(), b"next", 2).await.unwrap());
    assert!(!live().await);
}

/// A look that found a live session in the primary store and comes to Redis after the change. What it brings is not kept.
#[tokio::test]
async fn what_was_looked_up_before_a_change_is_not_kept_after_it() {
    for (name, change) in CHANGES {
        if name == "record a use" {
            continue; // it takes nothing from anybody, and what is kept of it asks for the next touch
        }
        let (primary, namespace) = (MemoryStore::default(), namespace());
        fill(&primary).await;
        let gate = Arc::new(Semaphore::new(1));
        let slow = over(primary.clone(), Gate(connect().await, Arc::clone(&gate)), &namespace);
        let other = over(primary, connect().await, &namespace);
        let look = tokio::spawn(async move { found(&slow).await });
        while gate.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await; // it waits before the command that keeps
        change(&other).await;
        let before = keys(&namespace).await.len();
        gate.add_permits(10);
        assert!(look.await.unwrap(), "{name}: as of when it was asked");
        assert_eq!(keys(&namespace).await.len(), before, "{name}: nothing was added");
        let answer = other.resolve(&digest(1), start()).await.unwrap();
        assert_ne!(answer, Some(record(1)), "{name}");
        assert_eq!(other.stats().hits, 0, "{name}");
    }
}

/// The control: what is usually done, get and set with a removal at the revocation, keeps the answer of before.
#[tokio::test]
async fn without_the_ticket_a_late_look_undoes_a_revocation() {
    let (primary, mut redis) = (MemoryStore::default(), connect().await);
    fill(&primary).await;
    let key = format!("naive.{}", namespace());
    let looked = primary.resolve(&digest(1), start()).await.unwrap().is_some();
    primary.revoke(record(1).sid, start()).await.unwrap();
    let _: i64 = ::redis::cmd("DEL").arg(&key).query_async(&mut redis).await.unwrap();
    if looked {
        let _: () = ::redis::cmd("SET").arg(&key).arg("live").arg("EX").arg(60).query_async(&mut redis).await.unwrap();
    }
    let kept: Option<String> = ::redis::cmd("GET").arg(&key).query_async(&mut redis).await.unwrap();
    assert!(kept.is_some() && primary.resolve(&digest(1), start()).await.unwrap().is_none());
}

/// Whatever is missing is looked up, and what comes back afterwards counts for nothing.
#[tokio::test]
async fn a_lost_key_is_a_miss() {
    let (primary, namespace) = (MemoryStore::default(), namespace());
    fill(&primary).await;
    let store = over(primary.clone(), connect().await, &namespace);
    let mut redis = connect().await;
    assert!(found(&store).await);
    let all = keys(&namespace).await;
    assert_eq!(all.len(), 6);
    for key in all {
        assert!(found(&store).await);
        let hits = store.stats().hits;
        assert!(found(&store).await);
        assert_eq!(store.stats().hits, hits + 1, "warm");
        let _: i64 = ::redis::cmd("DEL").arg(&key).query_async(&mut redis).await.unwrap();
        assert!(found(&store).await);
        let latest = key.ends_with(b"latest");
        assert_eq!(store.stats().hits, hits + 1 + u64::from(latest), "the latest change is read by looks alone");
    }
    // A revocation, after which everything is lost but what was kept of the session.
    let entry = {
        let mut longest = (Vec::new(), Vec::new());
        for key in keys(&namespace).await {
            let value: Vec<u8> = ::redis::cmd("GET").arg(&key).query_async(&mut redis).await.unwrap();
            longest = if value.len() > longest.1.len() { (key, value) } else { longest };
        }
        longest
    };
    store.revoke(record(1).sid, start()).await.unwrap();
    for key in keys(&namespace).await {
        let _: i64 = ::redis::cmd("DEL").arg(&key).query_async(&mut redis).await.unwrap();
    }
    let _: () = ::redis::cmd("SET").arg(&entry.0).arg(&entry.1).query_async(&mut redis).await.unwrap();
    assert!(!found(&store).await);
}

/// A change past the cache holds after the bound, and at once when the cache is told.
#[tokio::test]
async fn what_happens_past_the_cache_can_be_told() {
    let (primary, namespace) = (MemoryStore::default(), namespace());
    fill(&primary).await;
    let store = over(primary.clone(), connect().await, &namespace);
    let tell: [(&str, Change); 4] = changes! {
        "the session": |store| store.forget_session(record(1).sid).await;
        "the user": |store| store.forget_all(user()).await;
        "the tenant": |store| store.forget_all(tenant()).await;
        "everybody": |store| store.forget_all(Scope::Global).await;
    };
    for (name, tell) in tell {
        primary.touch(record(1).sid, start(), start()).await.unwrap();
        assert!(found(&store).await);
        let hits = store.stats().hits;
        assert!(found(&store).await);
        assert_eq!(store.stats().hits, hits + 1, "{name}");
        tell(&store).await;
        assert!(found(&store).await);
        assert_eq!(store.stats().hits, hits + 1, "{name} is looked up anew");
    }
    store.forget_session(Uuid::from_u128(9).into()).await;
    let hits = store.stats().hits;
    assert!(found(&store).await);
    assert_eq!(store.stats().hits, hits + 1, "another session's end concerns only looks under way");
}

/// In the middle of a rotation of keys, processes keep entries under different names, and each tells all of them.
#[tokio::test]
async fn a_revocation_reaches_processes_with_another_active_key() {
    for scope in [Scope::User(user()), Scope::Tenant(tenant()), Scope::Global] {
        let (primary, namespace) = (MemoryStore::default(), namespace());
        fill(&primary).await;
        let with = async |keys: KeyRing| {
            CachedStore::new(primary.clone(), connect().await, &keys, &namespace, Staleness::default()).unwrap()
        };
        let old = with(ring().pending(2, key(2)).unwrap()).await;
        let new = with(KeyRing::single(2, key(2)).unwrap().verify_only(1, key(1)).unwrap()).await;
        for _ in 0..2 {
            assert!(found(&old).await && found(&new).await);
        }
        assert_eq!((old.stats().hits, new.stats().hits), (1, 1), "each has its own");
        match scope {
            Scope::User(_) => old.bump_version(scope).await.unwrap(),
            _ => new.bump_version(scope).await.unwrap(),
        };
        assert!(!found(&old).await && !found(&new).await, "{scope:?}");
    }
}

/// A busy session is touched once a minute and not with every answer from Redis, and it ends at its idle limit.
#[tokio::test]
async fn a_session_that_redis_answers_for_idles_out_as_any_other() {
    let primary = MemoryStore::default();
    let store = over(primary.clone(), connect().await, &namespace());
    let desk = Desk::with(store.clone(), |builder| builder.lockout(LockoutPolicy::default())).add_ana().await;
    let issued = desk.sign_in().await;
    let recorded = async || primary.sessions(user(), start()).await.unwrap()[0].last_seen_at - start();
    for second in 1..=2400 {
        desk.advance(TimeDelta::seconds(1));
        assert!(desk.is_live(&issued).await, "{second}");
        assert_eq!(recorded().await, TimeDelta::seconds(second / 60 * 60), "{second}");
    }
    assert!(store.stats().hits > 1_500, "{:?}", store.stats());
    desk.advance(TimeDelta::minutes(30) - TimeDelta::microseconds(1));
    assert!(desk.is_live(&issued).await);
    assert!(desk.is_live(&issued).await);
    desk.advance(TimeDelta::minutes(30));
    assert!(!desk.is_live(&issued).await);
}

/// What is kept says that the session is idle, but another process has recorded a use since.
#[tokio::test]
async fn what_is_kept_ends_no_session() {
    let (primary, namespace) = (MemoryStore::default(), namespace());
    fill(&primary).await;
    let short = SessionRecord { idle: TimeDelta::seconds(3), ..record(5) };
    primary.insert_session(&digest(5), &short).await.unwrap();
    let store = over(primary.clone(), connect().await, &namespace);
    let at = async |second| store.resolve(&digest(5), start() + TimeDelta::seconds(second)).await.unwrap().is_some();
    assert!(at(0).await && at(2).await);
    primary.touch(short.sid, start() + TimeDelta::seconds(2), start()).await.unwrap();
    assert!(at(4).await);
    assert!(!at(5).await, "and lets none live longer");
}

/// The absolute limit is checked against the clock of each request.
#[tokio::test]
async fn what_is_kept_lasts_no_longer_than_its_session() {
    let (primary, namespace) = (MemoryStore::default(), namespace());
    fill(&primary).await;
    let short = SessionRecord { expires_at: start() + TimeDelta::seconds(2), ..record(5) };
    let demanded = SessionRecord { ..record(6) };
    primary.insert_session(&digest(5), &short).await.unwrap();
    primary.insert_session(&digest(6), &demanded).await.unwrap();
    let store = over(primary, connect().await, &namespace);
    let at = async |byte, second| {
        let digest: Digest = digest(byte);
        store.resolve(&digest, start() + TimeDelta::seconds(second)).await.unwrap().is_some()
    };
    assert!(at(5, 0).await && at(5, 1).await && !at(5, 2).await);
    assert!(at(6, 0).await && at(6, 2).await);
}
