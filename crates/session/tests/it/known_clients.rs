//! Strangers cannot lock an owner out, and owners learn of strangers.

use std::{
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU32,
};

use chrono::TimeDelta;
use stockade_session::{
    ClientInfo, DeviceToken, FailureReason, Issued, LockoutPolicy, NetworkStatus, SecurityEvent, Severity, Step, Store,
};
use uuid::Uuid;

use crate::support::*;

crate::on_every_store! {
    strangers_lock_strangers_and_nobody_else
    guesses_from_many_networks_are_bounded
    lockout_is_never_overshot
    known_device_has_its_own_lock
    device_of_another_user_vouches_for_nothing
    known_network_ages
    new_network_is_told
    first_factor_alone_makes_nothing_known
    unknown_identifiers_lock_over_all_networks
}

fn stranger(number: u8) -> IpAddr {
    Ipv4Addr::new(198, 51, 100, number).into()
}

/// Signs Ana in from an address.
async fn sign_in_from(desk: &Desk, ip: IpAddr) -> Issued {
    let Step::Done(flow) = desk.password_from(ip, PASSWORD).await else { panic!("refused") };
    desk.auth.issue(flow).await.unwrap()
}

/// Twenty wrong passwords from twenty networks: the identifier is locked for strangers.
async fn lock_strangers(desk: &Desk) {
    for number in 0..20 {
        assert!(is_rejected(&desk.password_from(stranger(number), "wrong").await));
    }
    assert!(is_rejected(&desk.password_from(stranger(99), PASSWORD).await));
    assert_eq!(desk.events.reasons().last(), Some(&FailureReason::Locked));
}

async fn password_on(desk: &Desk, device: Option<DeviceToken>, ip: IpAddr, password: &str) -> Step {
    let client = ClientInfo { ip, user_agent: None };
    let flow = desk.auth.begin(ANA, &client).await.unwrap().on_device(device);
    flow.verify_password(password.into()).await.unwrap()
}

fn copy(device: &DeviceToken) -> Option<DeviceToken> {
    Some(device.expose().parse().unwrap())
}

async fn strangers_lock_strangers_and_nobody_else<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let issued = sign_in_from(&desk, client().ip).await;
    let device = desk.auth.device_token(issued.session()).unwrap();
    lock_strangers(&desk).await;
    sign_in_from(&desk, client().ip).await; // her network
    assert!(matches!(password_on(&desk, copy(&device), stranger(99), PASSWORD).await, Step::Done(_)), "her device");
    // What she does does not unlock them.
    assert!(is_rejected(&desk.password_from(stranger(98), PASSWORD).await));
    desk.advance(TimeDelta::minutes(15));
    assert!(matches!(desk.password_from(stranger(98), PASSWORD).await, Step::Done(_)), "the lock ends");
}

/// However many networks they come from, strangers have 20 guesses, then one per lock.
async fn guesses_from_many_networks_are_bounded<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    for number in 0..60 {
        assert!(is_rejected(&desk.password_from(stranger(number), "wrong").await));
    }
    let reasons = desk.events.reasons();
    let evaluated = reasons.iter().filter(|reason| **reason == FailureReason::WrongPassword).count();
    assert_eq!((evaluated, reasons.len()), (20, 60));
    desk.advance(TimeDelta::minutes(15));
    for number in 60..64 {
        assert!(is_rejected(&desk.password_from(stranger(number), "wrong").await));
    }
    let evaluated = desk.events.reasons().iter().filter(|reason| **reason == FailureReason::WrongPassword).count();
    assert_eq!(evaluated, 1);
}

/// Guesses at once from as many networks, round after round at one account, with a day in between in which they are forgotten.
async fn lockout_is_never_overshot<S: Store>(store: S) {
    let seconds = std::time::Duration::from_secs;
    let three = LockoutPolicy::new(NonZeroU32::new(3).unwrap(), seconds(60), seconds(60), seconds(86_400)).unwrap();
    let desk = Desk::with(store, |builder| builder.identifier_lockout(three)).add_ana().await;
    for round in 0..races(20) {
        let guesses = (0..6).map(|number| {
            let auth = desk.auth.clone();
            async move {
                let client = ClientInfo { ip: stranger(number), user_agent: None };
                let flow = auth.begin(ANA, &client).await.unwrap();
                is_rejected(&flow.verify_password("wrong".into()).await.unwrap())
            }
        });
        assert_eq!(wins(guesses).await, 6);
        let reasons = desk.events.reasons();
        let evaluated = reasons.iter().filter(|reason| **reason == FailureReason::WrongPassword).count();
        assert_eq!((evaluated, reasons.len()), (3, 6), "round {round}");
        desk.advance(TimeDelta::days(1));
    }
}

async fn known_device_has_its_own_lock<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let issued = sign_in_from(&desk, client().ip).await;
    let (mine, other) =
        (desk.auth.device_token(issued.session()).unwrap(), desk.auth.device_token(issued.session()).unwrap());
    // A stolen token gives five guesses, whatever the network, and locks nobody but its own device.
    for number in 0..5 {
        assert!(is_rejected(&password_on(&desk, copy(&mine), stranger(number), "wrong").await));
    }
    assert!(is_rejected(&password_on(&desk, copy(&mine), stranger(9), PASSWORD).await));
    assert_eq!(desk.events.reasons().last(), Some(&FailureReason::Locked));
    assert!(matches!(password_on(&desk, copy(&other), stranger(9), PASSWORD).await, Step::Done(_)));
    assert!(matches!(password_on(&desk, None, client().ip, PASSWORD).await, Step::Done(_)));
    desk.advance(TimeDelta::minutes(1));
    assert!(matches!(password_on(&desk, copy(&mine), stranger(9), PASSWORD).await, Step::Done(_)));
}

async fn device_of_another_user_vouches_for_nothing<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let bo = stockade_session::NewAccount { user: Uuid::from_u128(0xB).into(), tenant: tenant(), identifier: "bo" };
    desk.auth.accounts().create(bo, PASSWORD.into()).await.unwrap();
    let Step::Done(flow) = desk.password("bo", PASSWORD).await else { panic!("refused") };
    let of_bo = desk.auth.device_token(desk.auth.issue(flow).await.unwrap().session()).unwrap();
    lock_strangers(&desk).await;
    assert!(is_rejected(&password_on(&desk, copy(&of_bo), stranger(99), PASSWORD).await));
    let forged = "A".repeat(76).parse().unwrap();
    assert!(is_rejected(&password_on(&desk, Some(forged), stranger(99), PASSWORD).await));
}

async fn known_network_ages<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    sign_in_from(&desk, client().ip).await;
    desk.advance(TimeDelta::days(90) - TimeDelta::microseconds(1));
    lock_strangers(&desk).await;
    let Step::Done(_unfinished) = desk.password(ANA, PASSWORD).await else { panic!("still known") };
    desk.advance(TimeDelta::microseconds(1));
    assert!(is_rejected(&desk.password(ANA, PASSWORD).await), "a stranger after 90 days");
}

async fn new_network_is_told<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let news = |desk: &Desk| {
        let events = desk.events.take();
        events.into_iter().filter(|event| matches!(event, SecurityEvent::NewNetwork { .. })).collect::<Vec<_>>()
    };
    assert_eq!(sign_in_from(&desk, client().ip).await.network(), Some(NetworkStatus::First));
    assert_eq!(sign_in_from(&desk, client().ip).await.network(), Some(NetworkStatus::Known));
    assert_eq!(news(&desk), []);
    let six = |last: u16| IpAddr::from([0x2001, 0xdb8, 1, 2, 0, 0, 0, last]);
    assert_eq!(sign_in_from(&desk, six(1)).await.network(), Some(NetworkStatus::New));
    let told = news(&desk);
    let [event @ SecurityEvent::NewNetwork { user: whose, network, client, .. }] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((*whose, network.to_string(), client.ip), (user(), "2001:db8:1:2::/64".to_owned(), six(1)));
    assert_eq!(event.severity(), Severity::Warning);
    assert_eq!(sign_in_from(&desk, six(2)).await.network(), Some(NetworkStatus::Known), "the same /64");
    assert_eq!(news(&desk), []);

    assert_eq!(desk.auth.networks(user()).await.unwrap().len(), 2);
    assert_eq!(desk.auth.forget_networks(user(), Some(six(7).into())).await.unwrap(), 1);
    assert_eq!(sign_in_from(&desk, six(2)).await.network(), Some(NetworkStatus::New), "forgotten");
    for number in 0..60 {
        desk.advance(TimeDelta::seconds(1));
        sign_in_from(&desk, stranger(number)).await;
    }
    assert_eq!(desk.auth.networks(user()).await.unwrap().len(), 50);
}

/// Who has the password alone makes neither a network known nor a lock avoidable.
async fn first_factor_alone_makes_nothing_known<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await.add_totp().await;
    let Step::TotpRequired(_) = desk.password_from(stranger(1), PASSWORD).await else { panic!("refused") };
    assert!(desk.auth.networks(user()).await.unwrap().is_empty());
}

async fn unknown_identifiers_lock_over_all_networks<S: Store>(store: S) {
    let desk = Desk::new(store);
    for number in 0..25 {
        assert!(is_rejected(&desk.password_from(stranger(number), "wrong").await));
    }
    let reasons = desk.events.reasons();
    assert_eq!(reasons[..20], [FailureReason::UnknownIdentifier; 20]);
    assert_eq!(reasons[20..], [FailureReason::Locked; 5]);
}
