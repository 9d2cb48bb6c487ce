//! Sessions from their issue to their end.

use chrono::TimeDelta;
use stockade_session::{KeyRing, NewAccount, Scope, SecurityEvent, SessionToken, Store, TenantId};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::*;

crate::on_every_store! {
    idle_limit
    absolute_limit
    touch_is_throttled
    revoke_ends_one
    revoke_all_scopes
    revocation_wins_over_touch_and_rotation
    rotation_has_one_winner
    rotation_keeps_the_session
    key_rotation_keeps_sessions
    unknown_tokens_resolve_to_nothing
}

async fn idle_limit<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let issued = desk.sign_in().await;
    for _ in 0..3 {
        desk.advance(TimeDelta::minutes(30) - TimeDelta::microseconds(1));
        assert!(desk.is_live(&issued).await);
    }
    desk.advance(TimeDelta::minutes(30));
    assert!(!desk.is_live(&issued).await);
    assert!(desk.auth.sessions(user()).await.unwrap().is_empty());
    assert!(desk.auth.rotate(issued.token()).await.unwrap().is_none());
}

async fn absolute_limit<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let issued = desk.sign_in().await;
    for _ in 0..47 {
        desk.advance(TimeDelta::minutes(15));
        assert!(desk.is_live(&issued).await);
    }
    desk.advance(TimeDelta::minutes(15) - TimeDelta::microseconds(1));
    let rotated = desk.auth.rotate(issued.token()).await.unwrap().unwrap();
    assert!(desk.is_live(&rotated).await);
    desk.advance(TimeDelta::microseconds(1));
    assert!(!desk.is_live(&rotated).await, "a rotation does not prolong");
    assert!(desk.auth.sessions(user()).await.unwrap().is_empty());
}

async fn touch_is_throttled<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let issued = desk.sign_in().await;
    let recorded = async || desk.auth.sessions(user()).await.unwrap()[0].last_seen_at - start();
    desk.advance(TimeDelta::seconds(59));
    assert!(desk.is_live(&issued).await);
    assert_eq!(recorded().await, TimeDelta::zero());
    desk.advance(TimeDelta::seconds(1));
    assert!(desk.is_live(&issued).await);
    assert_eq!(recorded().await, TimeDelta::seconds(60));
    desk.advance(TimeDelta::seconds(59));
    assert!(desk.is_live(&issued).await);
    assert_eq!(recorded().await, TimeDelta::seconds(60));
}

async fn revoke_ends_one<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let (first, second) = (desk.sign_in().await, desk.sign_in().await);
    assert_eq!(desk.auth.sessions(user()).await.unwrap().len(), 2);
    desk.events.take();
    for _ in 0..2 {
        desk.auth.revoke(first.session().sid).await.unwrap();
    }
    assert!(!desk.is_live(&first).await);
    assert!(desk.is_live(&second).await);
    let listed = desk.auth.sessions(user()).await.unwrap();
    assert_eq!(listed.iter().map(|session| session.sid).collect::<Vec<_>>(), [second.session().sid]);
    let events = desk.events.take();
    assert!(matches!(events[..], [SecurityEvent::SessionRevoked { .. }]), "{events:?}");
}

async fn revoke_all_scopes<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let other: TenantId = Uuid::from_u128(0xB0).into();
    let bo = NewAccount { user: Uuid::from_u128(0xB).into(), tenant: other, identifier: "bo" };
    desk.auth.accounts().create(bo, PASSWORD.into()).await.unwrap();
    let sign_in_bo = async || {
        let stockade_session::Step::Done(flow) = desk.password("bo", PASSWORD).await else { panic!("refused") };
        desk.auth.issue(flow).await.unwrap()
    };
    for (scope, bo_lives) in [
        (Scope::User(user()), true),
        (Scope::Tenant(tenant()), true),
        (Scope::Tenant(tenant()), true),
        (Scope::Global, false),
        (Scope::Global, false),
    ] {
        let (a, b, bos) = (desk.sign_in().await, desk.sign_in().await, sign_in_bo().await);
        desk.auth.revoke_all(scope).await.unwrap();
        assert!(!desk.is_live(&a).await && !desk.is_live(&b).await, "{scope:?}");
        assert_eq!(desk.is_live(&bos).await, bo_lives, "{scope:?}");
        assert!(desk.auth.sessions(user()).await.unwrap().is_empty());
        let later = desk.sign_in().await;
        assert!(desk.is_live(&later).await, "a sign-in after {scope:?} lives");
    }
    let nobody = stockade_session::UserId::from(Uuid::from_u128(0xDEAD));
    let error = desk.auth.revoke_all(nobody).await.unwrap_err();
    assert_eq!(error.kind(), stockade_session::ErrorKind::NotFound);
}

/// A hundred sessions, each touched, rotated and revoked at the same time; none may be alive afterwards, by any token.
async fn revocation_wins_over_touch_and_rotation<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let mut sessions = Vec::new();
    for _ in 0..100 {
        sessions.push(desk.sign_in().await);
    }
    desk.advance(TimeDelta::minutes(5)); // everyone is due for a touch
    let mut tasks = JoinSet::new();
    for issued in sessions {
        let auth = desk.auth.clone();
        tasks.spawn(async move {
            let (_, rotated, revoked) = tokio::join!(
                auth.resolve(issued.token()),
                auth.rotate(issued.token()),
                auth.revoke(issued.session().sid)
            );
            revoked.unwrap();
            (issued, rotated.unwrap())
        });
    }
    for (issued, rotated) in tasks.join_all().await {
        assert!(!desk.is_live(&issued).await);
        if let Some(rotated) = rotated {
            assert!(!desk.is_live(&rotated).await);
        }
    }
    assert!(desk.auth.sessions(user()).await.unwrap().is_empty());
}

async fn rotation_has_one_winner<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let issued = desk.sign_in().await;
    let text = issued.token().expose();
    let mut tasks = JoinSet::new();
    for _ in 0..32 {
        let (auth, token) = (desk.auth.clone(), text.parse::<SessionToken>().unwrap());
        tasks.spawn(async move { auth.rotate(&token).await.unwrap() });
    }
    let winners: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    assert!(desk.is_live(&winners[0]).await);
    assert!(!desk.is_live(&issued).await);
}

async fn rotation_keeps_the_session<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let issued = desk.sign_in().await;
    desk.advance(TimeDelta::seconds(10));
    let rotated = desk.auth.rotate(issued.token()).await.unwrap().unwrap();
    assert_ne!(*issued.token().expose(), *rotated.token().expose());
    let mut expected = issued.session().clone();
    expected.last_seen_at += TimeDelta::seconds(10);
    assert_eq!(rotated.session(), &expected);
    assert_eq!(desk.auth.resolve(rotated.token()).await.unwrap().unwrap(), expected);
}

async fn key_rotation_keeps_sessions<S: Store + Clone>(store: S) {
    let desk = Desk::with_ana(store.clone()).await;
    let (issued, other) = (desk.sign_in().await, desk.sign_in().await);
    let with = |keys| Desk::at(desk.clock.clone(), store.clone(), keys, |builder| builder);

    let both = with(KeyRing::single(2, key(2)).unwrap().verify_only(1, key(1)).unwrap());
    assert!(both.is_live(&issued).await);
    let rotated = both.auth.rotate(issued.token()).await.unwrap().unwrap();

    let new_only = with(KeyRing::single(2, key(2)).unwrap());
    assert!(new_only.is_live(&rotated).await, "a rotation moves a session to the active key");
    assert!(!new_only.is_live(&other).await, "a key that is gone takes its tokens with it");
    let old_only = with(KeyRing::single(1, key(1)).unwrap());
    assert!(!old_only.is_live(&rotated).await);
    let same_id = with(KeyRing::single(2, key(3)).unwrap());
    assert!(!same_id.is_live(&rotated).await);
}

async fn unknown_tokens_resolve_to_nothing<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let issued = desk.sign_in().await;
    let text = issued.token().expose();
    for position in 0..text.len() {
        let mut changed: Vec<u8> = text.bytes().collect();
        changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
        let token: SessionToken = String::from_utf8(changed).unwrap().parse().unwrap();
        assert!(desk.auth.resolve(&token).await.unwrap().is_none(), "{position}");
    }
    assert!(desk.is_live(&issued).await);
}
