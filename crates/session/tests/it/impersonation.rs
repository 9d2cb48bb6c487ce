//! Impersonation from its beginning to its end.

use std::{num::NonZeroU32, time::Duration};

use chrono::TimeDelta;
use stockade_session::{
    Assurance, Caller, ErrorKind, ImpersonationPolicy, ImpersonationRefusal, ImpersonationStart, ImpersonationToken,
    Issued, IssuedImpersonation, KeyRing, Scope, SecurityEvent, Session, Severity, Store,
};
use uuid::Uuid;

use crate::{staff::*, support::*};

crate::on_every_store! {
    staff_see_as_the_target_for_an_hour_at_most
    a_token_alone_shows_nothing
    it_needs_a_reason_and_a_second_factor
    it_ends_with_the_staffs_session
    it_ends_when_the_target_is_signed_out
    a_tenant_ends_and_refuses_it
    a_second_one_ends_the_first
    begin_and_end_are_events_and_the_tenant_sees_them
    what_is_over_is_not_the_staffs_own_request
    a_sweep_notes_an_end_before_it_removes_it
}

const HOUR: Duration = Duration::from_secs(3600);

/// A desk with Ana, and staff with a session by two factors.
async fn office<S: Store>(store: S) -> (Desk, Issued) {
    with_staff(Desk::with_ana(store).await).await
}

async fn start(desk: &Desk, session: &Session, length: Duration) -> ImpersonationStart {
    desk.auth.impersonations().start(session, user(), "ticket 4711", length, &client()).await.unwrap()
}

async fn started(desk: &Desk, issued: &Issued) -> IssuedImpersonation {
    match start(desk, issued.session(), HOUR).await {
        ImpersonationStart::Started(issued) => issued,
        ImpersonationStart::Refused(refusal) => panic!("{refusal}"),
    }
}

/// What a request with both cookies is; nothing if the session itself is over.
async fn request(desk: &Desk, issued: &Issued, token: &ImpersonationToken) -> Option<Caller> {
    let session = desk.auth.resolve(issued.token()).await.unwrap()?;
    Some(desk.auth.impersonations().caller(session, Some(token)).await.unwrap())
}

async fn is_live(desk: &Desk, issued: &Issued, token: &ImpersonationToken) -> bool {
    matches!(request(desk, issued, token).await, Some(Caller::Impersonating(_)))
}

async fn staff_see_as_the_target_for_an_hour_at_most<S: Store>(store: S) {
    let (desk, issued) = office(store).await;
    let impersonation = started(&desk, &issued).await;
    for _ in 0..5 {
        let Some(Caller::Impersonating(seen)) = request(&desk, &issued, impersonation.token()).await else {
            panic!("not live")
        };
        assert_eq!(&seen, impersonation.impersonation());
        assert_eq!((seen.actor, seen.target, seen.tenant), (staff(), user(), tenant()));
        desk.advance(TimeDelta::minutes(11));
    }
    desk.advance(TimeDelta::minutes(5) - TimeDelta::microseconds(1));
    assert!(is_live(&desk, &issued, impersonation.token()).await);
    desk.advance(TimeDelta::microseconds(1));
    assert!(!is_live(&desk, &issued, impersonation.token()).await);
    for length in [Duration::from_secs(3601), Duration::from_secs(59), Duration::MAX] {
        let start = desk.auth.impersonations().start(issued.session(), user(), "why", length, &client()).await;
        assert_eq!(start.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}

async fn a_token_alone_shows_nothing<S: Store + Clone>(store: S) {
    let (desk, issued) = office(store.clone()).await;
    let impersonation = started(&desk, &issued).await;
    desk.advance(TimeDelta::seconds(30)); // a code of its own
    let other_session = sign_in(&desk).await;
    assert!(matches!(request(&desk, &other_session, impersonation.token()).await, Some(Caller::Over(_))));
    let ana = desk.sign_in().await;
    assert!(matches!(request(&desk, &ana, impersonation.token()).await, Some(Caller::Over(_))));
    assert!(is_live(&desk, &issued, impersonation.token()).await);
    // The text of a session's token is no impersonation, and the reverse.
    let swapped: ImpersonationToken = issued.token().expose().parse().unwrap();
    assert!(!is_live(&desk, &issued, &swapped).await);
    assert!(desk.auth.resolve(&impersonation.token().expose().parse().unwrap()).await.unwrap().is_none());
    let other_key = Desk::at(desk.clock.clone(), store, KeyRing::single(1, key(9)).unwrap(), |builder| builder);
    let session = issued.session().clone();
    let caller = other_key.auth.impersonations().caller(session, Some(impersonation.token())).await.unwrap();
    assert!(matches!(caller, Caller::Over(_)));
}

async fn it_needs_a_reason_and_a_second_factor<S: Store>(store: S) {
    let (desk, issued) = office(store).await;
    for reason in ["", "  \t ", "a\nb", &"x".repeat(501)] {
        let start = desk.auth.impersonations().start(issued.session(), user(), reason, HOUR, &client()).await;
        assert_eq!(start.unwrap_err().kind(), ErrorKind::InvalidInput, "{reason:?}");
    }
    let ana = desk.sign_in().await;
    assert_eq!(ana.session().assurance, Assurance::Password);
    let nobody = Uuid::from_u128(0xDEAD).into();
    desk.events.take();
    for (session, target, expected) in [
        (ana.session(), staff(), ImpersonationRefusal::SecondFactor),
        (issued.session(), staff(), ImpersonationRefusal::Oneself),
        (issued.session(), nobody, ImpersonationRefusal::NoAccount),
    ] {
        let start = desk.auth.impersonations().start(session, target, "why", HOUR, &client()).await.unwrap();
        assert!(matches!(start, ImpersonationStart::Refused(refusal) if refusal == expected), "{expected}");
        let events = desk.events.take();
        assert!(matches!(&events[..], [SecurityEvent::ImpersonationRefused { reason, .. }] if *reason == expected));
        assert_eq!(events[0].severity(), Severity::Warning);
    }
}

async fn it_ends_with_the_staffs_session<S: Store>(store: S) {
    let (desk, first) = office(store).await;
    let mut issued = first;
    for ending in 0..5 {
        let impersonation = started(&desk, &issued).await;
        assert!(is_live(&desk, &issued, impersonation.token()).await);
        match ending {
            0 => desk.auth.revoke(issued.session().sid).await.unwrap(),
            1 => desk.auth.revoke_all(staff()).await.unwrap(),
            2 => desk.auth.revoke_all(issued.session().tenant).await.unwrap(),
            3 => desk.auth.revoke_all(Scope::Global).await.unwrap(),
            _ => desk.advance(TimeDelta::minutes(30)),
        }
        assert!(request(&desk, &issued, impersonation.token()).await.is_none());
        // Even for a request that looked its session up just before.
        let session = issued.session().clone();
        let caller = desk.auth.impersonations().caller(session.clone(), Some(impersonation.token())).await.unwrap();
        assert!(matches!(caller, Caller::Over(_)), "{ending}");
        assert!(matches!(start(&desk, &session, HOUR).await, ImpersonationStart::Refused(ImpersonationRefusal::Ended)));
        desk.advance(TimeDelta::seconds(30));
        issued = sign_in(&desk).await;
    }
}

async fn it_ends_when_the_target_is_signed_out<S: Store>(store: S) {
    let (desk, issued) = office(store).await;
    for scope in [Scope::User(user()), Scope::Tenant(tenant())] {
        let impersonation = started(&desk, &issued).await;
        assert!(is_live(&desk, &issued, impersonation.token()).await);
        desk.auth.revoke_all(scope).await.unwrap();
        assert!(!is_live(&desk, &issued, impersonation.token()).await, "{scope:?}");
    }
}

async fn a_tenant_ends_and_refuses_it<S: Store>(store: S) {
    let (desk, issued) = office(store).await;
    let impersonations = desk.auth.impersonations();
    let impersonation = started(&desk, &issued).await;
    assert!(impersonations.end(impersonation.impersonation().id).await.unwrap());
    assert!(!impersonations.end(impersonation.impersonation().id).await.unwrap());
    assert!(!is_live(&desk, &issued, impersonation.token()).await);

    let impersonation = started(&desk, &issued).await;
    desk.events.take();
    impersonations.set_policy(tenant(), ImpersonationPolicy::Refused).await.unwrap();
    assert_eq!(impersonations.policy(tenant()).await.unwrap(), ImpersonationPolicy::Refused);
    let events = desk.events.take();
    assert!(
        matches!(
            events[..],
            [
                SecurityEvent::ImpersonationPolicyChanged { policy: ImpersonationPolicy::Refused, .. },
                SecurityEvent::ImpersonationEnded { .. }
            ]
        ),
        "{events:?}"
    );
    assert!(!is_live(&desk, &issued, impersonation.token()).await);
    let refused = start(&desk, issued.session(), HOUR).await;
    assert!(matches!(refused, ImpersonationStart::Refused(ImpersonationRefusal::TenantRefuses)));
    impersonations.set_policy(tenant(), ImpersonationPolicy::Allowed).await.unwrap();
    assert!(!is_live(&desk, &issued, impersonation.token()).await, "what ended does not come back");
    started(&desk, &issued).await;
}

async fn a_second_one_ends_the_first<S: Store>(store: S) {
    let (desk, issued) = office(store).await;
    let first = started(&desk, &issued).await;
    let second = started(&desk, &issued).await;
    // A request that was under way with the first one's token changes nothing.
    assert!(!is_live(&desk, &issued, first.token()).await);
    assert!(is_live(&desk, &issued, second.token()).await);
    let list = desk.auth.impersonations().list(tenant(), NonZeroU32::MAX).await.unwrap();
    assert_eq!(list.iter().filter(|one| one.ended_at.is_none()).count(), 1);
    assert_eq!(first.impersonation().ended_at, None);
}

async fn begin_and_end_are_events_and_the_tenant_sees_them<S: Store>(store: S) {
    let (desk, issued) = office(store).await;
    let impersonation = started(&desk, &issued).await;
    let events = desk.events.take();
    let [event @ SecurityEvent::ImpersonationStarted { actor, target, reason, expires_at, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((*actor, *target, &**reason), (staff(), user(), "ticket 4711"));
    assert_eq!(*expires_at, crate::support::start() + TimeDelta::hours(1));
    assert_eq!(event.severity(), Severity::Warning);
    desk.auth.revoke(issued.session().sid).await.unwrap();
    assert!(matches!(
        desk.events.take()[..],
        [SecurityEvent::SessionRevoked { .. }, SecurityEvent::ImpersonationEnded { .. }]
    ));
    desk.advance(TimeDelta::seconds(30));
    let issued = sign_in(&desk).await;
    started(&desk, &issued).await;
    desk.advance(TimeDelta::hours(2));
    desk.events.take();
    let list = desk.auth.impersonations().list(tenant(), NonZeroU32::MAX).await.unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(list[0].ended_at, Some(list[0].expires_at), "noticed late, ended in time");
    assert_eq!((&*list[1].reason, list[1].ip), ("ticket 4711", client().ip));
    assert_eq!(list[1].id, impersonation.impersonation().id);
    assert!(matches!(desk.events.take()[..], [SecurityEvent::ImpersonationEnded { .. }]));
    assert_eq!(desk.auth.impersonations().settle().await.unwrap(), 0, "once");
}

async fn what_is_over_is_not_the_staffs_own_request<S: Store>(store: S) {
    let (desk, issued) = office(store).await;
    let impersonation = started(&desk, &issued).await;
    desk.auth.impersonations().end(impersonation.impersonation().id).await.unwrap();
    let over = request(&desk, &issued, impersonation.token()).await.unwrap();
    assert!(matches!(over, Caller::Over(session) if session.sid == issued.session().sid));
    let session = desk.auth.resolve(issued.token()).await.unwrap().unwrap();
    let own = desk.auth.impersonations().caller(session, None).await.unwrap();
    assert!(matches!(own, Caller::Own(session) if session.user == staff()));
}

async fn a_sweep_notes_an_end_before_it_removes_it<S: Store>(store: S) {
    let (desk, issued) = office(store).await;
    let begun = started(&desk, &issued).await;
    desk.events.take();
    assert_eq!(desk.auth.sweep(Duration::ZERO).await.unwrap().impersonations, 0);
    assert!(is_live(&desk, &issued, begun.token()).await && desk.events.take().is_empty());
    desk.advance(TimeDelta::minutes(61));
    assert_eq!(desk.auth.sweep(HOUR).await.unwrap().impersonations, 0, "kept for as long as was said");
    let events = desk.events.take();
    assert!(matches!(events[..], [SecurityEvent::ImpersonationEnded { .. }]), "{events:?}");
    desk.advance(TimeDelta::minutes(61));
    assert_eq!(desk.auth.sweep(HOUR).await.unwrap().impersonations, 1);
    assert!(desk.events.take().is_empty(), "told once");
    let most = NonZeroU32::new(9).unwrap();
    assert!(desk.auth.impersonations().list(tenant(), most).await.unwrap().is_empty());
}
