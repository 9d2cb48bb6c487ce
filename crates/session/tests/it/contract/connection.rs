//! What every store must do with connections.

use chrono::TimeDelta;
use stockade_session::{
    ConnectionId, Scope, Store, TenantId, UserId,
    store::{ConnectionRecord, NewAccountRecord, SweepBounds},
};
use uuid::Uuid;

use super::{account, race, seconds};
use crate::support::{races, start, tenant, user};

crate::on_every_store! {
    connections_come_back
    a_connection_needs_an_active_account_in_its_tenant
    a_connection_is_within_its_users_scopes_alone
    a_lease_is_for_one_and_for_its_time
    what_a_refresh_brought_is_kept_under_its_generation_alone
    an_ended_connection_is_gone
    a_connection_is_leased_and_ended_once
    a_deleted_account_leaves_nothing_sealed
    ended_connections_are_swept_and_no_others
}

fn id(n: u128) -> ConnectionId {
    Uuid::from_u128(n).into()
}

fn other() -> UserId {
    Uuid::from_u128(0xB).into()
}

fn elsewhere() -> TenantId {
    Uuid::from_u128(0xBB).into()
}

pub(crate) fn record(n: u128) -> ConnectionRecord {
    ConnectionRecord {
        id: id(n),
        user: user(),
        tenant: tenant(),
        provider: "quickbooks \u{1F512}".to_owned(),
        sealed: vec![0, 255, 7],
        generation: 0,
        lease_until: None,
        created_at: start() + TimeDelta::microseconds(1),
        refreshed_at: start(),
        expires_at: Some(seconds(60)),
    }
}

/// Ana, and somebody in another tenant, with a connection each.
async fn with_two<S: Store>(store: &S) {
    store.insert_account(&account()).await.unwrap();
    let stranger = NewAccountRecord { user: other(), tenant: elsewhere(), identifier: "bo".to_owned(), ..account() };
    store.insert_account(&stranger).await.unwrap();
    assert!(store.insert_connection(&record(1)).await.unwrap());
    let theirs = ConnectionRecord { user: other(), tenant: elsewhere(), ..record(2) };
    assert!(store.insert_connection(&theirs).await.unwrap());
}

async fn get<S: Store>(store: &S, n: u128) -> Option<ConnectionRecord> {
    store.connection(Scope::Global, id(n)).await.unwrap()
}

async fn connections_come_back<S: Store>(store: S) {
    with_two(&store).await;
    assert_eq!(get(&store, 1).await, Some(record(1)));
    assert_eq!(get(&store, 9).await, None);
    assert!(!store.insert_connection(&record(1)).await.unwrap(), "an id is unique");
    let endless = ConnectionRecord { expires_at: None, sealed: Vec::new(), created_at: seconds(5), ..record(3) };
    assert!(store.insert_connection(&endless).await.unwrap());
    assert_eq!(store.connections(user().into()).await.unwrap(), [endless, record(1)], "newest first");
    assert_eq!(store.connections(Scope::Global).await.unwrap().len(), 3);
}

async fn a_connection_needs_an_active_account_in_its_tenant<S: Store>(store: S) {
    assert!(!store.insert_connection(&record(1)).await.unwrap(), "no account");
    store.insert_account(&account()).await.unwrap();
    let foreign = ConnectionRecord { tenant: elsewhere(), ..record(1) };
    assert!(!store.insert_connection(&foreign).await.unwrap());
    assert!(store.insert_connection(&record(1)).await.unwrap());
    store.suspend_account(user()).await.unwrap();
    assert!(!store.insert_connection(&record(2)).await.unwrap());
    assert_eq!(get(&store, 1).await, None, "out of use");
    store.reactivate_account(user()).await.unwrap();
    assert_eq!(get(&store, 1).await, Some(record(1)), "and back");
}

async fn a_connection_is_within_its_users_scopes_alone<S: Store>(store: S) {
    with_two(&store).await;
    for (scope, expected) in [
        (Scope::User(user()), true),
        (Scope::Tenant(tenant()), true),
        (Scope::Global, true),
        (Scope::User(other()), false),
        (Scope::Tenant(elsewhere()), false),
    ] {
        assert_eq!(store.connection(scope, id(1)).await.unwrap().is_some(), expected, "{scope:?}");
        let listed = store.connections(scope).await.unwrap();
        assert_eq!(listed.iter().any(|record| record.id == id(1)), expected, "{scope:?}");
    }
    for scope in [Scope::User(other()), Scope::Tenant(elsewhere())] {
        assert!(store.end_connection(scope, id(1), None, start()).await.unwrap().is_none());
    }
    assert!(get(&store, 1).await.is_some());
}

async fn a_lease_is_for_one_and_for_its_time<S: Store>(store: S) {
    with_two(&store).await;
    let lease =
        async |generation, now| store.lease_connection(id(1), generation, seconds(now), seconds(now + 10)).await;
    assert!(!lease(1, 0).await.unwrap(), "another generation");
    assert!(lease(0, 0).await.unwrap());
    assert!(!lease(0, 0).await.unwrap());
    let leased = get(&store, 1).await.unwrap();
    assert_eq!((leased.generation, leased.lease_until), (1, Some(seconds(10))));
    assert!(!lease(1, 9).await.unwrap(), "somebody has it");
    assert!(lease(1, 10).await.unwrap(), "it is over");
    assert!(!store.release_connection(id(1), 1).await.unwrap(), "the one before");
    assert!(store.release_connection(id(1), 2).await.unwrap());
    assert_eq!(get(&store, 1).await.unwrap().lease_until, None);
    assert!(lease(2, 11).await.unwrap());
    assert!(!store.lease_connection(id(9), 0, start(), seconds(9)).await.unwrap());
    assert_eq!(get(&store, 2).await.unwrap().generation, 0, "nobody else's");
}

async fn what_a_refresh_brought_is_kept_under_its_generation_alone<S: Store>(store: S) {
    with_two(&store).await;
    assert!(store.lease_connection(id(1), 0, start(), seconds(10)).await.unwrap());
    let keep = async |generation, sealed: &[u8]| {
        store.keep_connection(id(1), generation, sealed, Some(seconds(99)), seconds(2)).await.unwrap()
    };
    assert!(!keep(0, b"late").await);
    assert!(keep(1, b"new").await);
    let kept = get(&store, 1).await.unwrap();
    let expected = ConnectionRecord {
        sealed: b"new".to_vec(),
        generation: 2,
        refreshed_at: seconds(2),
        expires_at: Some(seconds(99)),
        ..record(1)
    };
    assert_eq!(kept, expected);
    assert!(!keep(1, b"again").await);
    assert!(!store.keep_connection(id(9), 0, b"x", None, start()).await.unwrap());
}

async fn an_ended_connection_is_gone<S: Store>(store: S) {
    with_two(&store).await;
    assert!(store.end_connection(Scope::Global, id(1), Some(7), start()).await.unwrap().is_none(), "a generation");
    let ended = store.end_connection(tenant().into(), id(1), Some(0), seconds(3)).await.unwrap().unwrap();
    assert_eq!((ended.id, ended.user, ended.sealed), (id(1), user(), Vec::new()));
    assert!(store.end_connection(Scope::Global, id(1), None, seconds(3)).await.unwrap().is_none());
    assert_eq!(get(&store, 1).await, None);
    assert!(!store.lease_connection(id(1), 0, seconds(4), seconds(9)).await.unwrap());
    assert!(!store.keep_connection(id(1), 0, b"back", None, seconds(4)).await.unwrap());
    assert!(!store.release_connection(id(1), 0).await.unwrap());
    assert!(store.connections(user().into()).await.unwrap().is_empty());
    assert!(get(&store, 2).await.is_some());
}

async fn a_connection_is_leased_and_ended_once<S: Store + Clone>(store: S) {
    with_two(&store).await;
    for trial in 0..races(20) {
        let n = u128::try_from(trial).unwrap() + 100;
        assert!(store.insert_connection(&record(n)).await.unwrap());
        let leases = race(8, || {
            let store = store.clone();
            async move { store.lease_connection(id(n), 0, start(), seconds(10)).await.unwrap() }
        });
        assert_eq!(leases.await, 1);
        let ends = race(8, || {
            let store = store.clone();
            async move { store.end_connection(Scope::Global, id(n), None, start()).await.unwrap().is_some() }
        });
        assert_eq!(ends.await, 1);
    }
}

async fn a_deleted_account_leaves_nothing_sealed<S: Store>(store: S) {
    with_two(&store).await;
    assert!(store.delete_account(user(), start()).await.unwrap());
    assert!(store.connections(user().into()).await.unwrap().is_empty());
    assert!(store.end_connection(Scope::Global, id(1), None, start()).await.unwrap().is_none());
    assert!(!store.keep_connection(id(1), 0, b"back", None, start()).await.unwrap());
    assert!(get(&store, 2).await.is_some(), "nobody else's");
}

async fn ended_connections_are_swept_and_no_others<S: Store>(store: S) {
    with_two(&store).await;
    let expired = ConnectionRecord { expires_at: Some(start()), ..record(3) };
    assert!(store.insert_connection(&expired).await.unwrap());
    store.end_connection(Scope::Global, id(1), None, seconds(10)).await.unwrap();
    let sweep = async |at| {
        let bounds = SweepBounds { ended_before: seconds(at), attempts_before: start(), networks_before: start() };
        store.sweep(&bounds, 9).await.unwrap().connections
    };
    assert_eq!(sweep(10).await, 0, "not before the end");
    assert!(sweep(11).await <= 1, "the memory store forgets it when it ends");
    assert_eq!(sweep(5000).await, 0);
    assert!(get(&store, 2).await.is_some());
    assert_eq!(get(&store, 3).await, Some(expired), "another service may still renew it");
    // The id is free again, so nothing of it is left.
    assert!(store.insert_connection(&record(1)).await.unwrap());
}
