//! JWTs and refresh tokens on top of sessions.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use stockade_session::{
    ErrorKind, Issued, JwtCheck, JwtPair, JwtPolicy, JwtRefresh, KeyRing, MemoryStore, MfaRule, RefreshToken, Scope,
    SecurityEvent, SessionLimits, Severity, Store, TenantPolicy, store::Digest,
};
use tokio::task::JoinSet;

use crate::support::*;

crate::on_every_store! {
    a_revocation_holds_at_once_where_the_row_is_looked_up
    a_cached_answer_is_at_most_five_seconds_old
    a_stateless_token_lives_for_its_fifteen_minutes
    a_jwt_never_outlives_its_session
    a_rotation_ends_the_jwts_before_it
    jwts_of_another_key_or_place_are_refused
    a_used_jwt_keeps_its_session_alive
    a_refresh_token_works_once
    reuse_revokes_the_family_and_warns
    one_of_many_refreshes_wins
    without_compare_and_swap_many_refreshes_win
    refresh_ends_with_the_session
    a_session_that_must_enrol_has_no_jwt
}

fn policy(minutes: u64, check: JwtCheck) -> JwtPolicy {
    JwtPolicy::new("https://acme.test", "api", Duration::from_secs(60 * minutes), check).unwrap()
}

async fn office<S: Store>(store: S, minutes: u64, check: JwtCheck) -> (Desk, Issued) {
    let day = Duration::from_secs(86_400);
    let limits = SessionLimits::new(day, day).unwrap();
    let desk = Desk::with(store, |builder| builder.jwts(policy(minutes, check)).limits(limits)).add_ana().await;
    let issued = desk.sign_in().await;
    (desk, issued)
}

async fn accepts(desk: &Desk, text: &str) -> bool {
    desk.auth.jwts().verify(text).await.unwrap().is_some()
}

async fn a_revocation_holds_at_once_where_the_row_is_looked_up<S: Store>(store: S) {
    let (desk, first) = office(store, 60, JwtCheck::Strict).await;
    let mut issued = first;
    for ending in 0..4 {
        let text = desk.auth.jwts().issue(&issued).unwrap();
        let claims = desk.auth.jwts().verify(&text).await.unwrap().unwrap();
        assert_eq!((claims.sid, claims.user, claims.tenant), (issued.session().sid, user(), tenant()));
        assert_eq!(desk.auth.jwts().session(&text).await.unwrap().unwrap(), *issued.session());
        match ending {
            0 => desk.auth.revoke(issued.session().sid).await.unwrap(),
            1 => desk.auth.revoke_all(user()).await.unwrap(),
            2 => desk.auth.revoke_all(tenant()).await.unwrap(),
            _ => desk.auth.revoke_all(Scope::Global).await.unwrap(),
        }
        assert!(!accepts(&desk, &text).await, "{ending}");
        assert!(desk.auth.jwts().session(&text).await.unwrap().is_none());
        issued = desk.sign_in().await;
        assert!(!accepts(&desk, &text).await, "another session changes nothing");
    }
}

async fn a_cached_answer_is_at_most_five_seconds_old<S: Store>(store: S) {
    let (desk, issued) = office(store, 60, JwtCheck::Cached(Duration::from_secs(5))).await;
    let text = desk.auth.jwts().issue(&issued).unwrap();
    assert!(accepts(&desk, &text).await);
    desk.auth.revoke(issued.session().sid).await.unwrap();
    desk.advance(TimeDelta::seconds(5) - TimeDelta::microseconds(1));
    assert!(accepts(&desk, &text).await, "not looked up");
    assert!(desk.auth.jwts().session(&text).await.unwrap().is_none(), "looked up on demand");
    desk.advance(TimeDelta::microseconds(1));
    assert!(!accepts(&desk, &text).await);
    desk.advance(TimeDelta::seconds(-5));
    assert!(!accepts(&desk, &text).await, "a refusal is not remembered as an answer");
}

async fn a_stateless_token_lives_for_its_fifteen_minutes<S: Store>(store: S) {
    let (desk, issued) = office(store, 15, JwtCheck::Stateless).await;
    let text = desk.auth.jwts().issue(&issued).unwrap();
    desk.auth.revoke_all(Scope::Global).await.unwrap();
    desk.advance(TimeDelta::minutes(15) - TimeDelta::microseconds(1));
    assert!(accepts(&desk, &text).await, "as documented");
    assert!(desk.auth.jwts().session(&text).await.unwrap().is_none());
    desk.advance(TimeDelta::microseconds(1));
    assert!(!accepts(&desk, &text).await);
}

async fn a_jwt_never_outlives_its_session<S: Store>(store: S) {
    let (desk, issued) = office(store, 60 * 24 * 30, JwtCheck::Strict).await;
    let text = desk.auth.jwts().issue(&issued).unwrap();
    let claims = desk.auth.jwts().verify(&text).await.unwrap().unwrap();
    assert_eq!(claims.expires_at, issued.session().expires_at);
    desk.advance(TimeDelta::hours(24) - TimeDelta::microseconds(1));
    assert!(accepts(&desk, &text).await);
    desk.advance(TimeDelta::microseconds(1));
    assert!(!accepts(&desk, &text).await);
}

async fn a_rotation_ends_the_jwts_before_it<S: Store>(store: S) {
    let (desk, issued) = office(store, 60, JwtCheck::Strict).await;
    let old = desk.auth.jwts().issue(&issued).unwrap();
    let rotated = desk.auth.rotate(issued.token()).await.unwrap().unwrap();
    assert!(!accepts(&desk, &old).await);
    assert!(accepts(&desk, &desk.auth.jwts().issue(&rotated).unwrap()).await);
    let late = desk.auth.jwts().issue(&issued).unwrap();
    assert!(!accepts(&desk, &late).await, "made of a token that is over");
}

async fn jwts_of_another_key_or_place_are_refused<S: Store + Clone>(store: S) {
    let (desk, issued) = office(store.clone(), 60, JwtCheck::Strict).await;
    let text = desk.auth.jwts().issue(&issued).unwrap();
    let with = |keys, policy| Desk::at(desk.clock.clone(), store.clone(), keys, |builder| builder.jwts(policy));
    let ring = || KeyRing::single(1, key(1)).unwrap();
    let here = || policy(60, JwtCheck::Strict);
    assert!(accepts(&with(ring(), here()), &text).await);
    let elsewhere = JwtPolicy::new("https://acme.test", "other", Duration::from_secs(60), JwtCheck::Strict).unwrap();
    assert!(!accepts(&with(ring(), elsewhere), &text).await);
    assert!(!accepts(&with(KeyRing::single(1, key(2)).unwrap(), here()), &text).await);
    let next = || KeyRing::single(2, key(2)).unwrap();
    assert!(!accepts(&with(next().retired(1).unwrap(), here()), &text).await, "retired");
    assert!(!accepts(&with(next(), here()), &text).await);
    let after = with(next().verify_only(1, key(1)).unwrap(), here());
    assert!(accepts(&after, &text).await);
    // In the middle of a rotation, a process that is not as far accepts what the others make.
    let new = desk.sign_in().await;
    let new = after.auth.rotate(new.token()).await.unwrap().unwrap();
    let made_after = after.auth.jwts().issue(&new).unwrap();
    assert!(accepts(&with(ring().pending(2, key(2)).unwrap(), here()), &made_after).await);
    assert!(!accepts(&desk, &made_after).await);
    // A session's token is no JWT, and a JWT no session's token.
    assert!(!accepts(&desk, &issued.token().expose()).await);
    assert!(text.parse::<stockade_session::SessionToken>().is_err());
    // Nor does the payload of another user's token go with this one's tag.
    let payload = |text: &str| URL_SAFE_NO_PAD.decode(text.split('.').nth(1).unwrap()).unwrap();
    let changed = String::from_utf8(payload(&text)).unwrap().replace("\"aal\":1", "\"aal\":2");
    let parts: Vec<_> = text.split('.').collect();
    assert!(!accepts(&desk, &[parts[0], &URL_SAFE_NO_PAD.encode(changed), parts[2]].join(".")).await);
}

async fn a_used_jwt_keeps_its_session_alive<S: Store>(store: S) {
    let desk = Desk::with(store, |builder| builder.jwts(policy(600, JwtCheck::Strict))).add_ana().await;
    let issued = desk.sign_in().await;
    let text = desk.auth.jwts().issue(&issued).unwrap();
    for _ in 0..3 {
        desk.advance(TimeDelta::minutes(29));
        assert!(accepts(&desk, &text).await);
    }
    desk.advance(TimeDelta::minutes(30));
    assert!(!accepts(&desk, &text).await, "idle");
}

async fn pair(desk: &Desk, issued: &Issued) -> JwtPair {
    desk.auth.jwts().issue_pair(issued).await.unwrap().unwrap()
}

async fn renew(desk: &Desk, pair: &JwtPair) -> Option<JwtPair> {
    match desk.auth.jwts().refresh(pair.refresh()).await.unwrap() {
        JwtRefresh::Renewed(pair) => Some(pair),
        JwtRefresh::Rejected => None,
    }
}

async fn a_refresh_token_works_once<S: Store>(store: S) {
    let (desk, issued) = office(store, 15, JwtCheck::Stateless).await;
    let mut current = pair(&desk, &issued).await;
    for _ in 0..5 {
        desk.advance(TimeDelta::minutes(15));
        assert!(!accepts(&desk, current.access()).await);
        current = renew(&desk, &current).await.unwrap();
        assert!(accepts(&desk, current.access()).await);
    }
    assert_eq!(format!("{current:?}"), "JwtPair(..)");
    // Other tokens of the crate with the same text are none.
    let session: RefreshToken = issued.token().expose().parse().unwrap();
    assert!(matches!(desk.auth.jwts().refresh(&session).await.unwrap(), JwtRefresh::Rejected));
    assert!(desk.is_live(&issued).await, "an unknown one ends nothing");
}

async fn reuse_revokes_the_family_and_warns<S: Store>(store: S) {
    let (desk, issued) = office(store, 60, JwtCheck::Strict).await;
    let stolen = pair(&desk, &issued).await;
    let other = pair(&desk, &desk.sign_in().await).await;
    let next = renew(&desk, &stolen).await.unwrap();
    let newest = renew(&desk, &next).await.unwrap();
    assert!(accepts(&desk, newest.access()).await);
    desk.events.take();
    assert!(renew(&desk, &stolen).await.is_none());
    let events = desk.events.take();
    let [event @ SecurityEvent::RefreshReused { sid, .. }, SecurityEvent::SessionRevoked { .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((*sid, event.severity()), (issued.session().sid, Severity::Warning));
    assert!(!accepts(&desk, newest.access()).await);
    assert!(renew(&desk, &newest).await.is_none(), "not even the newest");
    assert!(!desk.is_live(&issued).await);
    assert!(renew(&desk, &stolen).await.is_none());
    assert!(desk.events.take().is_empty(), "one warning");
    assert!(renew(&desk, &other).await.is_some(), "the same user's other session goes on");
}

async fn one_of_many_refreshes_wins<S: Store>(store: S) {
    let (desk, _) = office(store, 15, JwtCheck::Strict).await;
    for trial in 0..races(50) {
        let issued = desk.sign_in().await;
        let text = pair(&desk, &issued).await.refresh().expose();
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let (auth, token) = (desk.auth.clone(), text.parse::<RefreshToken>().unwrap());
            tasks.spawn(async move { auth.jwts().refresh(&token).await.unwrap() });
        }
        // The winner may find its session revoked by a loser already, so at most one.
        let won =
            tasks.join_all().await.into_iter().filter(|outcome| matches!(outcome, JwtRefresh::Renewed(_))).count();
        assert!(won <= 1, "trial {trial}: {won}");
        assert!(!desk.is_live(&issued).await, "the others' use of it is reuse");
    }
}

/// The control: ask whether it was used, then use it, as it is usually done, lets several through.
async fn without_compare_and_swap_many_refreshes_win<S: Store + Clone>(store: S) {
    let (desk, _) = office(store.clone(), 15, JwtCheck::Strict).await;
    let issued = desk.sign_in().await;
    let digest = |trial: usize, n: u8| -> Digest {
        let mut bytes = [n; 32];
        bytes[..8].copy_from_slice(&trial.to_be_bytes());
        bytes.into()
    };
    let mut doubled = 0;
    for trial in 0..races(50) {
        let (sid, now) = (issued.session().sid, start());
        assert!(store.insert_refresh(&digest(trial, 0), sid, now).await.unwrap());
        let mut tasks = JoinSet::new();
        for n in 1..=8 {
            let store = store.clone();
            tasks.spawn(async move {
                let unused = store.used_refresh(&digest(trial, 0)).await.unwrap().is_none();
                tokio::task::yield_now().await;
                if unused {
                    let _ = store.use_refresh(&digest(trial, 0), &digest(trial, n), now).await.unwrap();
                    return store.insert_refresh(&digest(trial, n | 128), sid, now).await.unwrap();
                }
                false
            });
        }
        doubled += usize::from(tasks.join_all().await.into_iter().filter(|won| *won).count() > 1);
    }
    assert!(doubled > 0, "the race that the compare-and-swap is against does not happen here");
}

async fn refresh_ends_with_the_session<S: Store>(store: S) {
    let (desk, issued) = office(store, 15, JwtCheck::Strict).await;
    let first = pair(&desk, &issued).await;
    desk.auth.revoke_all(user()).await.unwrap();
    assert!(renew(&desk, &first).await.is_none());
    assert!(desk.auth.jwts().issue_pair(&issued).await.unwrap().is_none());
    let issued = desk.sign_in().await;
    let late = pair(&desk, &issued).await;
    desk.advance(TimeDelta::hours(24));
    assert!(renew(&desk, &late).await.is_none(), "a refresh does not prolong");
}

#[tokio::test]
async fn jwts_need_a_policy() {
    let desk = Desk::with_ana(MemoryStore::default()).await;
    let issued = desk.sign_in().await;
    assert_eq!(desk.auth.jwts().issue(&issued).unwrap_err().kind(), ErrorKind::Configuration);
    assert_eq!(desk.auth.jwts().verify("x").await.unwrap_err().kind(), ErrorKind::Configuration);
}

/// A tenant's demand for a second factor reaches what was issued before it, and nothing new is issued beside it.
async fn a_session_that_must_enrol_has_no_jwt<S: Store>(store: S) {
    let (desk, issued) = office(store, 60, JwtCheck::Strict).await;
    let pair = desk.auth.jwts().issue_pair(&issued).await.unwrap().unwrap();
    assert!(accepts(&desk, pair.access()).await);
    let policy = TenantPolicy { mfa: MfaRule::Required, ..TenantPolicy::default() };
    desk.auth.replace_tenant_policy(tenant(), policy).await.unwrap();
    assert!(!accepts(&desk, pair.access()).await);
    assert!(desk.auth.jwts().session(pair.access()).await.unwrap().is_none());
    assert!(matches!(desk.auth.jwts().refresh(pair.refresh()).await.unwrap(), JwtRefresh::Rejected));
    let enrolling = desk.sign_in().await;
    assert!(enrolling.must_enrol());
    assert_eq!(desk.auth.jwts().issue(&enrolling).unwrap_err().kind(), ErrorKind::Conflict);
}
