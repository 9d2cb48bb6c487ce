//! What every store must do with API tokens.

use std::net::IpAddr;

use ipnet::IpNet;
use stockade_session::{
    ApiTokenId, Scope, Store,
    store::{ApiTokenLookup, ApiTokenRecord, ApiTokenSuccessor, ApiTokenVerifier, Digest, NewAccountRecord},
};
use uuid::Uuid;

use super::{account, digest, race, seconds};
use crate::support::{races, start, tenant, user};

crate::on_both_stores! {
    tokens_come_back
    tokens_need_an_account
    tokens_of_others_are_out_of_reach
    uses_are_recorded
    networks_are_bounded
    verifiers_are_swapped
    rotation_leaves_a_successor
    rotation_of_a_token_has_one_winner
    scopes_only_narrow
    revoked_tokens_do_not_change
    all_of_a_scope_are_revoked
}

fn id(n: u128) -> ApiTokenId {
    Uuid::from_u128(n).into()
}

fn keyed(byte: u8) -> ApiTokenVerifier {
    ApiTokenVerifier::Keyed { key: 255, digest: digest(byte) }
}

fn token(n: u8) -> ApiTokenRecord {
    ApiTokenRecord {
        id: id(n.into()),
        user: user(),
        tenant: tenant(),
        name: "nightly export".to_owned(),
        scopes: vec!["loads:read".to_owned(), "loads:write".to_owned()],
        networks: vec!["203.0.113.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
        legacy_lookup: None,
        verifier: keyed(n),
        created_at: seconds(n.into()),
        expires_at: Some(seconds(1000)),
        last_used_at: None,
        last_used_ip: None,
        seen: Vec::new(),
        rotated_to: None,
        revoked_at: None,
    }
}

fn ip(n: u8) -> IpAddr {
    [203, 0, 113, n].into()
}

async fn found<S: Store>(store: &S, n: u128) -> ApiTokenRecord {
    store.api_token(ApiTokenLookup::Id(id(n))).await.unwrap().unwrap().token
}

async fn with_ana<S: Store>(store: &S, tokens: &[ApiTokenRecord]) {
    store.insert_account(&account()).await.unwrap();
    for token in tokens {
        assert!(store.insert_api_token(token).await.unwrap());
    }
}

async fn tokens_come_back<S: Store>(store: S) {
    let legacy = ApiTokenRecord {
        legacy_lookup: Some("wh_123".to_owned()),
        verifier: ApiTokenVerifier::LegacyBcrypt("$2b$04$".to_owned()),
        expires_at: None,
        networks: Vec::new(),
        ..token(2)
    };
    with_ana(&store, &[token(1), legacy.clone()]).await;
    assert_eq!(found(&store, 1).await, token(1));
    let by_name = store.api_token(ApiTokenLookup::Legacy("wh_123")).await.unwrap().unwrap();
    assert_eq!((by_name.token, by_name.owner_is_active), (legacy.clone(), true));
    assert!(store.api_token(ApiTokenLookup::Legacy("")).await.unwrap().is_none());
    assert!(store.api_token(ApiTokenLookup::Id(id(9))).await.unwrap().is_none());
    assert!(!store.insert_api_token(&token(1)).await.unwrap(), "the id is taken");
    let same_name = ApiTokenRecord { id: id(3), ..legacy.clone() };
    assert!(!store.insert_api_token(&same_name).await.unwrap(), "the name is taken");
    assert_eq!(store.api_tokens(Scope::User(user())).await.unwrap(), [legacy, token(1)], "newest first");
}

async fn tokens_need_an_account<S: Store>(store: S) {
    assert!(!store.insert_api_token(&token(1)).await.unwrap());
    store.insert_account(&account()).await.unwrap();
    let elsewhere = ApiTokenRecord { tenant: Uuid::from_u128(9).into(), ..token(1) };
    assert!(!store.insert_api_token(&elsewhere).await.unwrap(), "the account is of another tenant");
    assert!(store.api_token(ApiTokenLookup::Id(id(1))).await.unwrap().is_none());
}

async fn tokens_of_others_are_out_of_reach<S: Store>(store: S) {
    with_ana(&store, &[token(1)]).await;
    let bo = NewAccountRecord {
        user: Uuid::from_u128(0xB).into(),
        tenant: Uuid::from_u128(0xB0).into(),
        identifier: "bo".to_owned(),
        ..account()
    };
    store.insert_account(&bo).await.unwrap();
    for other in [Scope::User(bo.user), Scope::Tenant(bo.tenant)] {
        assert!(store.api_tokens(other).await.unwrap().is_empty());
        assert!(store.revoke_api_token(other, id(1), start()).await.unwrap().is_none());
        assert_eq!(store.revoke_api_tokens(other, start()).await.unwrap(), 0);
        assert!(store.narrow_api_token(other, id(1), &["loads:read".to_owned()]).await.unwrap().is_none());
        let rotated = store.rotate_api_token(other, id(1), &successor(2), seconds(10), start()).await.unwrap();
        assert!(rotated.is_none());
    }
    assert_eq!(found(&store, 1).await, token(1));
    for own in [Scope::User(user()), Scope::Tenant(tenant()), Scope::Global] {
        assert_eq!(store.api_tokens(own).await.unwrap(), [token(1)]);
    }
}

async fn uses_are_recorded<S: Store>(store: S) {
    with_ana(&store, &[token(1)]).await;
    assert!(store.touch_api_token(id(1), seconds(5), ip(1), seconds(-55)).await.unwrap(), "never used");
    assert!(!store.touch_api_token(id(1), seconds(6), ip(2), seconds(4)).await.unwrap());
    let token = found(&store, 1).await;
    assert_eq!((token.last_used_at, token.last_used_ip), (Some(seconds(5)), Some(ip(1))));
    assert!(store.touch_api_token(id(1), seconds(65), "2001:db8::1".parse().unwrap(), seconds(5)).await.unwrap());
    let token = found(&store, 1).await;
    assert_eq!((token.last_used_at, token.last_used_ip), (Some(seconds(65)), Some("2001:db8::1".parse().unwrap())));
    assert!(!store.touch_api_token(id(9), seconds(5), ip(1), seconds(5)).await.unwrap());
}

async fn networks_are_bounded<S: Store>(store: S) {
    with_ana(&store, &[token(1)]).await;
    let network = |n| IpNet::from(ip(n));
    for n in 1..=4 {
        assert!(store.note_api_token_network(id(1), network(n), 3).await.unwrap());
        assert!(!store.note_api_token_network(id(1), network(n), 3).await.unwrap(), "known");
    }
    assert_eq!(found(&store, 1).await.seen, [network(2), network(3), network(4)]);
}

async fn verifiers_are_swapped<S: Store>(store: S) {
    with_ana(&store, &[token(1)]).await;
    let bcrypt = ApiTokenVerifier::LegacyBcrypt("$2b$".to_owned());
    let legacy = ApiTokenRecord { legacy_lookup: Some("old".to_owned()), verifier: bcrypt.clone(), ..token(2) };
    store.insert_api_token(&legacy).await.unwrap();
    assert!(!store.replace_api_token_verifier(id(1), &keyed(9), &keyed(5)).await.unwrap());
    assert!(store.replace_api_token_verifier(id(1), &keyed(1), &keyed(5)).await.unwrap());
    assert!(!store.replace_api_token_verifier(id(1), &keyed(1), &keyed(6)).await.unwrap());
    assert_eq!(found(&store, 1).await.verifier, keyed(5));
    assert!(store.replace_api_token_verifier(id(2), &bcrypt, &keyed(7)).await.unwrap());
    assert!(!store.replace_api_token_verifier(id(2), &bcrypt, &keyed(8)).await.unwrap());
    assert_eq!(found(&store, 2).await, ApiTokenRecord { verifier: keyed(7), ..legacy });
}

fn successor(n: u8) -> ApiTokenSuccessor {
    ApiTokenSuccessor { id: id(n.into()), verifier: keyed(n), expires_at: None }
}

async fn rotation_leaves_a_successor<S: Store>(store: S) {
    with_ana(&store, &[token(1)]).await;
    store.note_api_token_network(id(1), ip(1).into(), 3).await.unwrap();
    let rotate = async |n, successor: &ApiTokenSuccessor, ends, now| {
        store.rotate_api_token(Scope::Global, id(n), successor, ends, now).await.unwrap()
    };
    assert!(rotate(9, &successor(2), seconds(50), seconds(40)).await.is_none(), "there is none");
    assert!(rotate(1, &successor(2), seconds(1050), seconds(1000)).await.is_none(), "expired");
    let new = rotate(1, &successor(2), seconds(50), seconds(40)).await.unwrap();
    let expected = ApiTokenRecord {
        id: id(2),
        verifier: keyed(2),
        created_at: seconds(40),
        expires_at: None,
        seen: vec![ip(1).into()],
        ..token(1)
    };
    assert_eq!(new, expected);
    assert_eq!(found(&store, 2).await, expected);
    let old = found(&store, 1).await;
    assert_eq!((old.rotated_to, old.expires_at), (Some(id(2)), Some(seconds(50))));
    assert!(rotate(1, &successor(3), seconds(50), seconds(41)).await.is_none(), "rotated before");
    assert!(rotate(2, &successor(3), seconds(60), seconds(41)).await.is_some());
    assert_eq!(found(&store, 2).await.expires_at, Some(seconds(60)), "one without an end gets one");
    let early = ApiTokenRecord { expires_at: Some(seconds(45)), ..token(4) };
    store.insert_api_token(&early).await.unwrap();
    rotate(4, &successor(5), seconds(90), seconds(41)).await.unwrap();
    assert_eq!(found(&store, 4).await.expires_at, Some(seconds(45)), "a rotation does not prolong");
}

async fn rotation_of_a_token_has_one_winner<S: Store + Clone>(store: S) {
    with_ana(&store, &[]).await;
    for trial in 0..races(50) {
        let bytes = |n: u8| {
            Digest::from({
                let mut bytes = [n; 32];
                bytes[..8].copy_from_slice(&trial.to_be_bytes());
                bytes
            })
        };
        let old = ApiTokenRecord {
            id: Uuid::from_u128(u128::try_from((trial + 1) << 8).unwrap()).into(),
            verifier: ApiTokenVerifier::Keyed { key: 1, digest: bytes(0) },
            ..token(1)
        };
        assert!(store.insert_api_token(&old).await.unwrap());
        let number = std::sync::atomic::AtomicU8::new(1);
        let wins = race(8, || {
            let n = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let successor = ApiTokenSuccessor {
                id: Uuid::from_u128(u128::try_from((trial + 1) << 8 | usize::from(n)).unwrap()).into(),
                verifier: ApiTokenVerifier::Keyed { key: 1, digest: bytes(n) },
                expires_at: None,
            };
            let (store, id) = (store.clone(), old.id);
            async move {
                let rotated = store.rotate_api_token(Scope::Global, id, &successor, seconds(50), seconds(40)).await;
                rotated.unwrap().is_some()
            }
        });
        assert_eq!(wins.await, 1);
    }
    let live = store.api_tokens(Scope::Global).await.unwrap();
    assert_eq!(live.iter().filter(|token| token.rotated_to.is_none()).count(), races(50));
}

async fn scopes_only_narrow<S: Store>(store: S) {
    with_ana(&store, &[token(1)]).await;
    let narrow = async |scopes: &[&str]| {
        let scopes: Vec<_> = scopes.iter().map(|&scope| scope.to_owned()).collect();
        store.narrow_api_token(Scope::Global, id(1), &scopes).await.unwrap()
    };
    assert!(narrow(&["drivers:read", "loads:read"]).await.is_none());
    assert_eq!(narrow(&["loads:read"]).await.unwrap().scopes, ["loads:read"]);
    assert!(narrow(&["loads:read", "loads:write"]).await.is_none(), "taken away for good");
    assert_eq!(found(&store, 1).await.scopes, ["loads:read"]);
}

async fn revoked_tokens_do_not_change<S: Store>(store: S) {
    with_ana(&store, &[token(1)]).await;
    assert!(store.revoke_api_token(Scope::Global, id(1), seconds(7)).await.unwrap().is_some());
    assert!(store.revoke_api_token(Scope::Global, id(1), seconds(8)).await.unwrap().is_none());
    assert!(!store.touch_api_token(id(1), seconds(9), ip(1), seconds(9)).await.unwrap());
    assert!(!store.note_api_token_network(id(1), ip(1).into(), 3).await.unwrap());
    assert!(!store.replace_api_token_verifier(id(1), &keyed(1), &keyed(2)).await.unwrap());
    assert!(store.narrow_api_token(Scope::Global, id(1), &token(1).scopes).await.unwrap().is_none());
    let rotated = store.rotate_api_token(Scope::Global, id(1), &successor(2), seconds(90), seconds(9)).await;
    assert!(rotated.unwrap().is_none());
    assert_eq!(found(&store, 1).await, ApiTokenRecord { revoked_at: Some(seconds(7)), ..token(1) });
    assert!(store.api_tokens(Scope::Global).await.unwrap().is_empty());
}

async fn all_of_a_scope_are_revoked<S: Store>(store: S) {
    with_ana(&store, &[token(1), token(2), token(3)]).await;
    store.revoke_api_token(Scope::Global, id(2), seconds(7)).await.unwrap();
    assert_eq!(store.revoke_api_tokens(Scope::User(user()), seconds(8)).await.unwrap(), 2);
    assert_eq!(store.revoke_api_tokens(Scope::Global, seconds(9)).await.unwrap(), 0);
    assert_eq!(found(&store, 2).await.revoked_at, Some(seconds(7)));
    assert_eq!(found(&store, 3).await.revoked_at, Some(seconds(8)));
    store.insert_api_token(&token(4)).await.unwrap();
    store.bump_version(Scope::User(user())).await.unwrap();
    assert_eq!(found(&store, 4).await, token(4), "versions end sessions, not tokens");
}
