//! Known networks.

use std::net::{IpAddr, Ipv4Addr};

use stockade_session::{Network, NetworkStatus, Store, UserId};
use uuid::Uuid;

use super::{account, seconds};
use crate::support::{start, user};

crate::on_both_stores! {
    networks_are_noted
    networks_are_bounded
    networks_are_forgotten
}

fn network(last: u8) -> Network {
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, last)).into()
}

async fn networks_are_noted<S: Store>(store: S) {
    let nobody = UserId::from(Uuid::from_u128(9));
    let since = seconds(-100);
    assert!(!store.is_known_network(nobody, network(1), since).await.unwrap());
    assert_eq!(store.note_network(nobody, network(1), start(), since, 9).await.unwrap(), NetworkStatus::First);
    assert!(store.networks(nobody).await.unwrap().is_empty(), "nobody has no networks");

    store.insert_account(&account()).await.unwrap();
    let six: Network = "2001:db8:1:2:3::9".parse::<IpAddr>().unwrap().into();
    let note =
        async |network, at| store.note_network(user(), network, seconds(at), seconds(at - 100), 9).await.unwrap();
    assert_eq!(note(network(1), 0).await, NetworkStatus::First);
    assert_eq!(note(network(1), 1).await, NetworkStatus::Known);
    assert_eq!(note(six, 2).await, NetworkStatus::New);
    assert_eq!(note("2001:db8:1:2::1".parse::<IpAddr>().unwrap().into(), 3).await, NetworkStatus::Known);
    assert_eq!(note(network(1), 101).await, NetworkStatus::New, "too long ago");
    for (at, known) in [(100, true), (101, false)] {
        assert_eq!(store.is_known_network(user(), network(1), seconds(at)).await.unwrap(), known);
    }
    assert!(!store.is_known_network(user(), network(2), since).await.unwrap());
    let all = store.networks(user()).await.unwrap();
    let times: Vec<_> = all.iter().map(|known| (known.network, known.first_seen_at, known.last_seen_at)).collect();
    assert_eq!(times, [(network(1), start(), seconds(101)), (six, seconds(2), seconds(3))]);
}

async fn networks_are_bounded<S: Store>(store: S) {
    store.insert_account(&account()).await.unwrap();
    for last in 0..10 {
        store.note_network(user(), network(last), seconds(last.into()), seconds(-100), 3).await.unwrap();
    }
    let kept = |all: Vec<stockade_session::KnownNetwork>| all.iter().map(|known| known.network).collect::<Vec<_>>();
    assert_eq!(kept(store.networks(user()).await.unwrap()), [9, 8, 7].map(network));
    store.note_network(user(), network(7), seconds(20), seconds(-100), 3).await.unwrap();
    store.note_network(user(), network(1), seconds(21), seconds(-100), 3).await.unwrap();
    assert_eq!(kept(store.networks(user()).await.unwrap()), [1, 7, 9].map(network));
}

async fn networks_are_forgotten<S: Store>(store: S) {
    store.insert_account(&account()).await.unwrap();
    for last in 0..4 {
        store.note_network(user(), network(last), start(), seconds(-100), 9).await.unwrap();
    }
    assert_eq!(store.forget_networks(user(), Some(network(9))).await.unwrap(), 0);
    assert_eq!(store.forget_networks(user(), Some(network(0))).await.unwrap(), 1);
    assert!(!store.is_known_network(user(), network(0), seconds(-100)).await.unwrap());
    assert_eq!(store.forget_networks(user(), None).await.unwrap(), 3);
    assert_eq!(store.forget_networks(user(), None).await.unwrap(), 0);
    let status = store.note_network(user(), network(1), start(), seconds(-100), 9).await.unwrap();
    assert_eq!(status, NetworkStatus::First);
}
