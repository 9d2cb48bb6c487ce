//! JWTs of impersonations: who is looking is in `act`.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use serde_json::Value;
use stockade_session::{
    Impersonation, ImpersonationPolicy, ImpersonationStart, Issued, IssuedImpersonation, JwtCaller, JwtCheck,
    JwtPolicy, JwtRefresh, RefreshToken, SecurityEvent, SessionToken, Severity, Store,
};

use crate::{staff::*, support::*};

crate::on_every_store! {
    the_jwt_of_an_impersonation_names_both
    it_is_no_session_and_no_session_is_one
    it_ends_at_once_with_its_impersonation
    its_end_is_the_earlier_of_two
    no_act_is_gained_or_lost_by_a_refresh
    a_forged_act_is_refused
    its_making_and_its_end_are_events
}

const HOUR: Duration = Duration::from_secs(3600);
const CHECKS: [JwtCheck; 3] = [JwtCheck::Strict, JwtCheck::Cached(Duration::from_secs(5)), JwtCheck::Stateless];

fn policy(check: JwtCheck) -> JwtPolicy {
    JwtPolicy::new("https://acme.test", "api", Duration::from_secs(900), check).unwrap()
}

/// A desk with Ana and staff, who have a session by two factors.
async fn office<S: Store>(store: S, check: JwtCheck) -> (Desk, Issued) {
    let desk = Desk::with(store, |builder| builder.jwts(policy(check))).add_ana().await;
    with_staff(desk).await
}

async fn start_for(desk: &Desk, issued: &Issued, length: Duration) -> IssuedImpersonation {
    let impersonations = desk.auth.impersonations();
    match impersonations.start(issued.session(), user(), "ticket 4711", length, &client()).await.unwrap() {
        ImpersonationStart::Started(issued) => issued,
        ImpersonationStart::Refused(refusal) => panic!("{refusal}"),
    }
}

async fn looks(desk: &Desk, text: &str) -> Option<Impersonation> {
    match desk.auth.jwts().caller(text).await.unwrap() {
        Some(JwtCaller::Impersonating(impersonation)) => Some(impersonation),
        Some(JwtCaller::Own(claims)) => panic!("{claims:?}"),
        None => None,
    }
}

fn payload(text: &str) -> String {
    String::from_utf8(URL_SAFE_NO_PAD.decode(text.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

fn with_payload(text: &str, payload: &str) -> String {
    let parts: Vec<_> = text.split('.').collect();
    [parts[0], &URL_SAFE_NO_PAD.encode(payload), parts[2]].join(".")
}

async fn the_jwt_of_an_impersonation_names_both<S: Store>(store: S) {
    let (desk, session) = office(store, JwtCheck::Strict).await;
    let begun = start_for(&desk, &session, HOUR).await;
    let text = desk.auth.jwts().issue_impersonation(&begun).unwrap();
    assert_eq!(looks(&desk, &text).await.unwrap(), *begun.impersonation());
    let claims: Value = serde_json::from_str(&payload(&text)).unwrap();
    assert_eq!(claims["sub"], user().to_string());
    assert_eq!(claims["tid"], tenant().to_string());
    assert_eq!(claims["act"], serde_json::json!({ "sub": staff().to_string() }));
    assert_eq!(claims["imp"], begun.impersonation().id.to_string());
    // The staff's own token beside it is theirs.
    let own = desk.auth.jwts().issue(&session).unwrap();
    let Some(JwtCaller::Own(claims)) = desk.auth.jwts().caller(&own).await.unwrap() else { panic!("not their own") };
    assert_eq!((claims.user, claims.sid), (staff(), session.session().sid));
    assert!(!payload(&own).contains("act"));
}

/// What was not made for impersonations takes none, whatever the check.
async fn it_is_no_session_and_no_session_is_one<S: Store + Clone>(store: S) {
    let (desk, session) = office(store.clone(), JwtCheck::Strict).await;
    let begun = start_for(&desk, &session, HOUR).await;
    let text = desk.auth.jwts().issue_impersonation(&begun).unwrap();
    for check in CHECKS {
        let with = |builder: stockade_session::AuthBuilder| builder.jwts(policy(check));
        let ring = stockade_session::KeyRing::single(1, key(1)).unwrap();
        let desk = Desk::at(desk.clock.clone(), store.clone(), ring, with);
        assert!(desk.auth.jwts().verify(&text).await.unwrap().is_none(), "{check:?}");
        assert!(desk.auth.jwts().session(&text).await.unwrap().is_none(), "{check:?}");
        assert!(looks(&desk, &text).await.is_some(), "{check:?}");
    }
    assert!(text.parse::<SessionToken>().is_err() && text.parse::<RefreshToken>().is_err());
    assert!(desk.auth.jwts().caller(&begun.token().expose()).await.unwrap().is_none());
    assert!(desk.auth.jwts().caller("x.y.z").await.unwrap().is_none());
}

/// Staff, the target and the tenant end it from the next request, also where a session's JWT would be believed for longer.
async fn it_ends_at_once_with_its_impersonation<S: Store + Clone>(store: S) {
    for (number, check) in CHECKS.into_iter().cycle().take(15).enumerate() {
        if number == 0 {
            office(store.clone(), check).await;
        }
        let ring = stockade_session::KeyRing::single(1, key(1)).unwrap();
        let clock =
            stockade_session::ManualClock::new(start() + TimeDelta::minutes(i64::try_from(number + 1).unwrap()));
        let desk = Desk::at(clock, store.clone(), ring, |builder| builder.jwts(policy(check)));
        let session = sign_in(&desk).await;
        let begun = start_for(&desk, &session, HOUR).await;
        let text = desk.auth.jwts().issue_impersonation(&begun).unwrap();
        for _ in 0..2 {
            assert!(looks(&desk, &text).await.is_some(), "{number}");
        }
        match number / 3 {
            0 => assert!(desk.auth.impersonations().end(begun.impersonation().id).await.unwrap()),
            1 => desk.auth.revoke(session.session().sid).await.unwrap(),
            2 => desk.auth.revoke_all(staff()).await.unwrap(),
            3 => desk.auth.revoke_all(user()).await.unwrap(),
            _ => {
                let impersonations = desk.auth.impersonations();
                impersonations.set_policy(tenant(), ImpersonationPolicy::Refused).await.unwrap();
                assert!(looks(&desk, &text).await.is_none());
                impersonations.set_policy(tenant(), ImpersonationPolicy::Allowed).await.unwrap();
            }
        }
        assert!(looks(&desk, &text).await.is_none(), "{number} {check:?}");
    }
}

async fn its_end_is_the_earlier_of_two<S: Store>(store: S) {
    let (desk, session) = office(store, JwtCheck::Stateless).await;
    let short = start_for(&desk, &session, Duration::from_secs(60)).await;
    let text = desk.auth.jwts().issue_impersonation(&short).unwrap();
    desk.advance(TimeDelta::seconds(60) - TimeDelta::microseconds(1));
    assert!(looks(&desk, &text).await.is_some());
    desk.advance(TimeDelta::microseconds(1));
    assert!(looks(&desk, &text).await.is_none());
    let long = start_for(&desk, &session, HOUR).await;
    let text = desk.auth.jwts().issue_impersonation(&long).unwrap();
    desk.advance(TimeDelta::minutes(15) - TimeDelta::microseconds(1));
    assert!(looks(&desk, &text).await.is_some());
    desk.advance(TimeDelta::microseconds(1));
    assert!(looks(&desk, &text).await.is_none(), "the life of a token");
    let again = desk.auth.jwts().issue_impersonation(&long).unwrap();
    assert!(looks(&desk, &again).await.is_some(), "the impersonation goes on");
    // To look as somebody is no use of one's own session.
    desk.advance(TimeDelta::minutes(14));
    assert!(looks(&desk, &again).await.is_none());
    assert!(!desk.is_live(&session).await, "idle");
}

async fn no_act_is_gained_or_lost_by_a_refresh<S: Store>(store: S) {
    let (desk, session) = office(store, JwtCheck::Strict).await;
    let mut pair = desk.auth.jwts().issue_pair(&session).await.unwrap().unwrap();
    let begun = start_for(&desk, &session, HOUR).await;
    let text = desk.auth.jwts().issue_impersonation(&begun).unwrap();
    for _ in 0..3 {
        let JwtRefresh::Renewed(next) = desk.auth.jwts().refresh(pair.refresh()).await.unwrap() else {
            panic!("refused")
        };
        pair = next;
        let Some(JwtCaller::Own(claims)) = desk.auth.jwts().caller(pair.access()).await.unwrap() else {
            panic!("somebody else")
        };
        assert_eq!(claims.user, staff(), "not the target");
        assert!(!payload(pair.access()).contains("act"));
        assert_eq!(looks(&desk, &text).await.unwrap().actor, staff());
    }
    // Neither the token of the impersonation nor its JWT renews anything.
    let swapped: RefreshToken = begun.token().expose().parse().unwrap();
    assert!(matches!(desk.auth.jwts().refresh(&swapped).await.unwrap(), JwtRefresh::Rejected));
    assert!(text.parse::<RefreshToken>().is_err());
    assert!(desk.is_live(&session).await);
}

async fn a_forged_act_is_refused<S: Store>(store: S) {
    let (desk, session) = office(store, JwtCheck::Stateless).await;
    let begun = start_for(&desk, &session, HOUR).await;
    let text = desk.auth.jwts().issue_impersonation(&begun).unwrap();
    let own = desk.auth.jwts().issue(&desk.sign_in().await).unwrap();
    let (act, plain) = (payload(&text), payload(&own));
    let member = format!(r#","act":{{"sub":"{}"}}"#, staff());
    assert!(act.contains(&member));
    for forged in [
        with_payload(&text, &act.replace(&member, "")),
        with_payload(&text, &act.replace(&staff().to_string(), &user().to_string())),
        with_payload(&text, &act.replace(&user().to_string(), &staff().to_string())),
        with_payload(&text, &plain),
        with_payload(&own, &act),
        with_payload(&own, &plain.replace(r#","sid""#, &format!(r#"{member},"sid""#))),
    ] {
        assert!(forged != *text && forged != *own);
        assert!(desk.auth.jwts().caller(&forged).await.unwrap().is_none(), "{forged}");
        assert!(desk.auth.jwts().verify(&forged).await.unwrap().is_none(), "{forged}");
    }
    assert!(looks(&desk, &text).await.is_some());
    let retired = stockade_session::KeyRing::single(2, key(2)).unwrap().retired(1).unwrap();
    let other = Desk::at(desk.clock.clone(), stockade_session::MemoryStore::default(), retired, |builder| {
        builder.jwts(policy(JwtCheck::Stateless))
    });
    assert!(other.auth.jwts().caller(&text).await.unwrap().is_none());
}

async fn its_making_and_its_end_are_events<S: Store>(store: S) {
    let (desk, session) = office(store, JwtCheck::Strict).await;
    let begun = start_for(&desk, &session, Duration::from_secs(60)).await;
    desk.events.take();
    let text = desk.auth.jwts().issue_impersonation(&begun).unwrap();
    let events = desk.events.take();
    let [event @ SecurityEvent::ImpersonationTokenIssued { id, actor, target, tenant: of, expires_at, .. }] =
        &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((*id, *actor, *target, *of), (begun.impersonation().id, staff(), user(), tenant()));
    assert_eq!((*expires_at, event.severity()), (start() + TimeDelta::seconds(60), Severity::Warning));
    assert!(looks(&desk, &text).await.is_some());
    assert!(desk.events.take().is_empty());
    // An end by itself is noticed by whoever asks next.
    desk.auth.impersonations().end(begun.impersonation().id).await.unwrap();
    desk.events.take();
    let next = start_for(&desk, &session, Duration::from_secs(600)).await;
    let text = desk.auth.jwts().issue_impersonation(&next).unwrap();
    desk.events.take();
    desk.auth.revoke_all(user()).await.unwrap();
    assert!(looks(&desk, &text).await.is_none());
    let events = desk.events.take();
    assert!(
        matches!(events[..], [SecurityEvent::AllRevoked { .. }, SecurityEvent::ImpersonationEnded { .. }]),
        "{events:?}"
    );
}
