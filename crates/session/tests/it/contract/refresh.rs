//! What every store must do with sessions by name and with refresh tokens.

use chrono::TimeDelta;
use stockade_session::{
    MfaRule, Scope, SessionId, Store, TenantPolicy,
    store::{Digest, SessionRecord, SweepBounds},
};
use uuid::Uuid;

use super::{account, digest, race, seconds, session};
use crate::support::{races, start, tenant, user};

crate::on_every_store! {
    a_session_by_name_is_the_session
    a_refresh_token_begins_with_a_live_session
    a_refresh_token_is_used_once
    a_use_needs_a_live_session
    a_used_token_is_known_as_long_as_its_session
    one_of_many_uses_wins
}

fn sid() -> SessionId {
    session(1).sid
}

/// Ana, with a session under `digest(1)`.
async fn with_session<S: Store>(store: &S) {
    store.insert_account(&account()).await.unwrap();
    store.insert_session(&digest(1), &session(1)).await.unwrap();
}

async fn a_session_by_name_is_the_session<S: Store>(store: S) {
    with_session(&store).await;
    store.insert_session(&digest(2), &session(2)).await.unwrap();
    let named = async |at| store.session_by_id(sid(), seconds(at)).await.unwrap();
    assert_eq!(named(0).await, Some((digest(1), session(1))));
    assert_eq!(store.session_by_id(Uuid::from_u128(9).into(), start()).await.unwrap(), None);
    assert!(named(99).await.is_some());
    assert!(named(100).await.is_none(), "idle");
    store.touch(sid(), seconds(99), seconds(99)).await.unwrap();
    assert_eq!(named(100).await.unwrap().1.last_seen_at, seconds(99));
    store.rotate(&digest(1), &digest(3), seconds(99)).await.unwrap().unwrap();
    assert_eq!(named(100).await.unwrap().0, digest(3));
    let policy = TenantPolicy { mfa: MfaRule::RequiredFrom(seconds(500)), ..TenantPolicy::default() };
    store.put_tenant_policy(tenant(), &policy).await.unwrap();
    assert_eq!(named(100).await.unwrap().1.mfa_required_from, Some(seconds(500)));
    let agrees =
        async || named(100).await.map(|(_, record)| record) == store.resolve(&digest(3), seconds(100)).await.unwrap();
    assert!(agrees().await);
    for scope in [Scope::User(user()), Scope::Tenant(tenant()), Scope::Global] {
        let (byte, n) = match scope {
            Scope::User(_) => (11, 11),
            Scope::Tenant(_) => (12, 12),
            _ => (13, 13),
        };
        let versions = store.account(stockade_session::store::Lookup::User(user())).await.unwrap().unwrap().versions;
        let record = SessionRecord { versions, ..session(n) };
        store.insert_session(&digest(byte), &record).await.unwrap();
        assert!(store.session_by_id(record.sid, start()).await.unwrap().is_some());
        store.bump_version(scope).await.unwrap();
        assert!(store.session_by_id(record.sid, start()).await.unwrap().is_none(), "{scope:?}");
    }
    store.revoke(session(2).sid, start()).await.unwrap();
    assert!(store.session_by_id(session(2).sid, start()).await.unwrap().is_none());
}

async fn a_refresh_token_begins_with_a_live_session<S: Store>(store: S) {
    with_session(&store).await;
    assert!(store.insert_refresh(&digest(50), sid(), start()).await.unwrap());
    assert!(!store.insert_refresh(&digest(51), Uuid::from_u128(9).into(), start()).await.unwrap(), "no session");
    assert!(!store.insert_refresh(&digest(51), sid(), seconds(100)).await.unwrap(), "idle");
    store.revoke(sid(), start()).await.unwrap();
    assert!(!store.insert_refresh(&digest(51), sid(), start()).await.unwrap(), "revoked");
    assert_eq!(store.used_refresh(&digest(51)).await.unwrap(), None);
}

async fn a_refresh_token_is_used_once<S: Store>(store: S) {
    with_session(&store).await;
    store.insert_refresh(&digest(50), sid(), start()).await.unwrap();
    let renew = async |old, new| store.use_refresh(&digest(old), &digest(new), start()).await.unwrap();
    assert_eq!(renew(49, 60).await, None, "unknown");
    assert_eq!(store.used_refresh(&digest(50)).await.unwrap(), None, "not used yet");
    assert_eq!(renew(50, 51).await, Some(sid()));
    assert_eq!(renew(50, 52).await, None, "used");
    assert_eq!(store.used_refresh(&digest(50)).await.unwrap(), Some(sid()));
    assert_eq!(renew(52, 53).await, None, "a use that lost leaves no token");
    assert_eq!(renew(51, 52).await, Some(sid()));
    assert_eq!(store.used_refresh(&digest(52)).await.unwrap(), None);
}

async fn a_use_needs_a_live_session<S: Store>(store: S) {
    with_session(&store).await;
    store.insert_refresh(&digest(50), sid(), start()).await.unwrap();
    let late = seconds(100);
    assert_eq!(store.use_refresh(&digest(50), &digest(51), late).await.unwrap(), None, "idle");
    assert_eq!(store.used_refresh(&digest(50)).await.unwrap(), None, "and not used up");
    assert_eq!(store.use_refresh(&digest(50), &digest(51), start()).await.unwrap(), Some(sid()));
    store.revoke(sid(), start()).await.unwrap();
    assert_eq!(store.use_refresh(&digest(51), &digest(52), start()).await.unwrap(), None);
    assert_eq!(store.used_refresh(&digest(50)).await.unwrap(), Some(sid()), "whatever became of the session");
}

async fn a_used_token_is_known_as_long_as_its_session<S: Store>(store: S) {
    with_session(&store).await;
    store.insert_refresh(&digest(50), sid(), start()).await.unwrap();
    store.use_refresh(&digest(50), &digest(51), start()).await.unwrap();
    store.revoke(sid(), seconds(5)).await.unwrap();
    let bounds = |time| SweepBounds { ended_before: time, attempts_before: time, networks_before: time };
    store.sweep(&bounds(seconds(5)), 100).await.unwrap();
    assert_eq!(store.used_refresh(&digest(50)).await.unwrap(), Some(sid()));
    assert_eq!(store.sweep(&bounds(seconds(5) + TimeDelta::microseconds(1)), 100).await.unwrap().sessions, 1);
    assert_eq!(store.used_refresh(&digest(50)).await.unwrap(), None);
}

async fn one_of_many_uses_wins<S: Store + Clone>(store: S) {
    with_session(&store).await;
    let numbered = |kind: u8, trial: usize| -> Digest {
        let mut bytes = [kind; 32];
        bytes[..8].copy_from_slice(&trial.to_be_bytes());
        bytes.into()
    };
    for trial in 0..races(20) {
        store.insert_refresh(&numbered(0, trial), sid(), start()).await.unwrap();
        let next = std::sync::atomic::AtomicU8::new(1);
        let wins = race(8, || {
            let (store, to) = (store.clone(), next.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
            let (old, new) = (numbered(0, trial), numbered(to, trial));
            async move { store.use_refresh(&old, &new, start()).await.unwrap().is_some() }
        });
        assert_eq!(wins.await, 1);
        let mut heirs = 0;
        for to in 1..=8 {
            let heir = store.use_refresh(&numbered(to, trial), &numbered(to + 100, trial), start()).await.unwrap();
            heirs += usize::from(heir.is_some());
        }
        assert_eq!(heirs, 1, "one token goes on");
    }
}
