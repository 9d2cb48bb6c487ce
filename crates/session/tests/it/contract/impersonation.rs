//! What every store must do with impersonations.

use std::num::NonZeroU32;

use chrono::{DateTime, TimeDelta, Utc};
use stockade_session::{
    ImpersonationId, ImpersonationPolicy, Scope, SessionId, Store, TenantId,
    store::{Ending, ImpersonationRecord, NewAccountRecord, SessionRecord, SweepBounds, Versions},
};
use uuid::Uuid;

use super::{account, digest, race, seconds, session};
use crate::{
    staff::staff,
    support::{client, races, start, tenant, user},
};

crate::on_every_store! {
    impersonations_come_back
    an_impersonation_begins_only_alive
    an_impersonation_ends_with_what_it_hangs_on
    an_impersonation_is_ended_once
    what_is_over_is_noticed
    a_tenant_refuses
    ended_impersonations_are_swept
}

fn platform() -> TenantId {
    Uuid::from_u128(0x57).into()
}

fn sid() -> SessionId {
    Uuid::from_u128(70).into()
}

fn id(n: u128) -> ImpersonationId {
    Uuid::from_u128(n).into()
}

fn record(n: u128) -> ImpersonationRecord {
    ImpersonationRecord {
        id: id(n),
        actor: staff(),
        session: sid(),
        target: user(),
        tenant: tenant(),
        versions: Versions::default(),
        reason: "ticket 4711".to_owned(),
        started_at: start(),
        expires_at: seconds(60),
        ended_at: None,
        ip: client().ip,
    }
}

/// Ana, and staff with a session.
async fn with_staff<S: Store>(store: &S) {
    store.insert_account(&account()).await.unwrap();
    let staff_account =
        NewAccountRecord { user: staff(), tenant: platform(), identifier: "staff".to_owned(), ..account() };
    store.insert_account(&staff_account).await.unwrap();
    let own = SessionRecord { user: staff(), tenant: platform(), ..session(70) };
    store.insert_session(&digest(70), &own).await.unwrap();
}

async fn begin<S: Store>(store: &S, n: u8) -> bool {
    store.insert_impersonation(&digest(n), &record(n.into())).await.unwrap()
}

/// By its token and by its name, which agree.
async fn live<S: Store>(store: &S, n: u8, now: DateTime<Utc>) -> bool {
    let found = store.impersonation(&digest(n), sid(), now).await.unwrap();
    let named = store.impersonation_by_id(id(n.into()), now).await.unwrap();
    assert_eq!(named, found.clone().map(|record| (digest(n), record)));
    found.is_some()
}

fn most(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

async fn impersonations_come_back<S: Store>(store: S) {
    with_staff(&store).await;
    assert!(begin(&store, 1).await);
    let later = ImpersonationRecord { started_at: seconds(5), ..record(2) };
    assert!(store.insert_impersonation(&digest(2), &later).await.unwrap());
    assert_eq!(store.impersonation(&digest(1), sid(), start()).await.unwrap().unwrap(), record(1));
    assert!(store.impersonation(&digest(3), sid(), start()).await.unwrap().is_none());
    assert_eq!(store.impersonation_by_id(id(2), start()).await.unwrap(), Some((digest(2), later.clone())));
    assert!(store.impersonation_by_id(id(3), start()).await.unwrap().is_none());
    let other_session = Uuid::from_u128(71).into();
    assert!(store.impersonation(&digest(1), other_session, start()).await.unwrap().is_none());
    assert_eq!(store.impersonations(tenant(), most(9)).await.unwrap(), [later.clone(), record(1)]);
    assert_eq!(store.impersonations(tenant(), most(1)).await.unwrap(), [later]);
    assert!(store.impersonations(platform(), most(9)).await.unwrap().is_empty());
    assert!(live(&store, 1, seconds(60) - TimeDelta::microseconds(1)).await);
    assert!(!live(&store, 1, seconds(60)).await);
}

async fn an_impersonation_begins_only_alive<S: Store>(store: S) {
    with_staff(&store).await;
    let begin = async |record: ImpersonationRecord| store.insert_impersonation(&digest(1), &record).await.unwrap();
    assert!(!begin(ImpersonationRecord { session: Uuid::from_u128(71).into(), ..record(1) }).await);
    assert!(!begin(ImpersonationRecord { actor: Uuid::from_u128(9).into(), ..record(1) }).await);
    assert!(!begin(ImpersonationRecord { target: Uuid::from_u128(9).into(), ..record(1) }).await);
    assert!(!begin(ImpersonationRecord { tenant: platform(), ..record(1) }).await);
    assert!(!begin(ImpersonationRecord { expires_at: start(), ..record(1) }).await);
    // The staff's session has been idle for too long.
    let late = ImpersonationRecord { started_at: seconds(100), expires_at: seconds(160), ..record(1) };
    assert!(!begin(late).await);
    for scope in [Scope::User(user()), Scope::Tenant(tenant())] {
        store.bump_version(scope).await.unwrap();
        assert!(!begin(record(1)).await, "{scope:?} was revoked since the versions were read");
    }
    let current = Versions { user: 1, tenant: 1, global: 0 };
    assert!(begin(ImpersonationRecord { versions: current, ..record(1) }).await);
    assert_eq!(store.impersonations(tenant(), most(9)).await.unwrap().len(), 1);
}

async fn an_impersonation_ends_with_what_it_hangs_on<S: Store>(store: S) {
    with_staff(&store).await;
    assert!(begin(&store, 1).await);
    let long = ImpersonationRecord { expires_at: seconds(200), ..record(2) };
    assert!(store.insert_impersonation(&digest(2), &long).await.unwrap());
    assert!(live(&store, 2, seconds(99)).await);
    assert!(!live(&store, 2, seconds(100)).await, "the session was idle");
    store.touch(sid(), seconds(99), seconds(99)).await.unwrap();
    assert!(live(&store, 2, seconds(100)).await);
    store.bump_version(Scope::User(user())).await.unwrap();
    assert!(!live(&store, 1, start()).await, "the target was signed out everywhere");

    let versions = Versions { user: 1, ..Versions::default() };
    let again = ImpersonationRecord { versions, ..record(3) };
    assert!(store.insert_impersonation(&digest(3), &again).await.unwrap());
    assert!(live(&store, 3, start()).await);
    store.bump_version(Scope::User(staff())).await.unwrap();
    assert!(!live(&store, 3, start()).await, "the staff were signed out everywhere");
    let other = SessionRecord { user: staff(), tenant: platform(), versions, ..session(71) };
    store.insert_session(&digest(71), &other).await.unwrap();
    assert!(!live(&store, 3, start()).await, "another session of theirs changes nothing");
}

async fn an_impersonation_is_ended_once<S: Store + Clone>(store: S) {
    with_staff(&store).await;
    for trial in 0..races(50) {
        let n = u128::try_from(trial + 1).unwrap();
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&n.to_be_bytes());
        assert!(store.insert_impersonation(&bytes.into(), &record(n)).await.unwrap());
        let wins = race(8, || {
            let store = store.clone();
            let ending = if n.is_multiple_of(2) { Ending::One(id(n)) } else { Ending::OfSession(sid()) };
            async move { store.end_impersonations(ending, seconds(3)).await.unwrap().len() == 1 }
        });
        assert_eq!(wins.await, 1);
        assert!(store.impersonation(&bytes.into(), sid(), seconds(4)).await.unwrap().is_none());
    }
    let newest = store.impersonations(tenant(), most(1)).await.unwrap();
    assert_eq!(newest[0].ended_at, Some(seconds(3)));
}

async fn what_is_over_is_noticed<S: Store>(store: S) {
    with_staff(&store).await;
    assert!(begin(&store, 1).await);
    assert!(store.end_impersonations(Ending::Over, seconds(59)).await.unwrap().is_empty());
    let over = store.end_impersonations(Ending::Over, seconds(70)).await.unwrap();
    assert_eq!(over, [ImpersonationRecord { ended_at: Some(seconds(60)), ..record(1) }]);
    assert!(store.end_impersonations(Ending::Over, seconds(80)).await.unwrap().is_empty());
    assert!(begin(&store, 2).await);
    store.revoke(sid(), seconds(5)).await.unwrap();
    let over = store.end_impersonations(Ending::Over, seconds(6)).await.unwrap();
    assert_eq!(over[0].ended_at, Some(seconds(6)));
    assert!(!begin(&store, 3).await, "the session is revoked");
}

async fn a_tenant_refuses<S: Store>(store: S) {
    use ImpersonationPolicy::{Allowed, Refused};
    with_staff(&store).await;
    assert!(begin(&store, 1).await);
    assert_eq!(store.impersonation_policy(tenant()).await.unwrap(), Allowed);
    assert!(!store.set_impersonation_policy(tenant(), Allowed).await.unwrap());
    assert!(store.set_impersonation_policy(tenant(), Refused).await.unwrap());
    assert!(!store.set_impersonation_policy(tenant(), Refused).await.unwrap());
    assert_eq!(store.impersonation_policy(tenant()).await.unwrap(), Refused);
    assert_eq!(store.impersonation_policy(platform()).await.unwrap(), Allowed);
    assert!(!live(&store, 1, start()).await);
    assert!(!begin(&store, 2).await);
    assert!(store.set_impersonation_policy(tenant(), Allowed).await.unwrap());
    assert!(begin(&store, 3).await);
}

/// What has ended goes with its time, what goes on stays however old, and what nobody noticed stays until somebody does.
async fn ended_impersonations_are_swept<S: Store>(store: S) {
    with_staff(&store).await;
    for n in 1..=5 {
        assert!(begin(&store, n).await);
    }
    for (n, end) in [(1, 10), (2, 10), (3, 20)] {
        store.end_impersonations(Ending::One(id(n)), seconds(end)).await.unwrap();
    }
    let sweep = async |time: DateTime<Utc>, batch| {
        let bounds = SweepBounds { ended_before: time, attempts_before: start(), networks_before: start() };
        store.sweep(&bounds, batch).await.unwrap().impersonations
    };
    assert_eq!(sweep(seconds(10), 9).await, 0, "not before the end");
    assert_eq!(sweep(seconds(11), 1).await, 1, "bounded");
    assert_eq!(sweep(seconds(11), 9).await, 1);
    assert_eq!(sweep(seconds(11), 9).await, 0);
    assert_eq!(store.impersonations(tenant(), most(9)).await.unwrap().len(), 3);
    assert_eq!(sweep(seconds(30), 9).await, 1);
    assert!(live(&store, 4, seconds(30)).await);
    assert_eq!(sweep(seconds(90), 9).await, 0, "over, and not noted");
    store.end_impersonations(Ending::Over, seconds(90)).await.unwrap();
    assert_eq!(sweep(seconds(90), 9).await, 2);
    assert!(store.impersonations(tenant(), most(9)).await.unwrap().is_empty());
}
