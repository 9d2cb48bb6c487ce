//! A new password by mail, and a new identifier.

use std::sync::Arc;

use chrono::TimeDelta;
use stockade_session::{
    ConfirmBy, ErrorKind, IdentifierConfirmation, NewAccount, PasswordProblem, Redemption, ResetToken, SecurityEvent,
    Severity, Store,
};
use uuid::Uuid;

use crate::support::*;

crate::on_every_store! {
    reset_replaces_the_password_and_ends_everything
    reset_is_used_once_under_concurrency
    reset_ends_after_half_an_hour
    reset_request_tells_nothing
    reset_keeps_the_second_factor
    reset_lifts_the_lock_of_strangers
    refused_password_does_not_cost_the_reset
    identifier_changes_when_both_sides_confirm
    identifier_change_waits_a_day
}

const NEW: &str = "staple a new horse";

async fn mail(desk: &Desk) -> stockade_session::ResetMail {
    desk.auth.request_reset(" Ana@acme.test", &client()).await.unwrap().into_mail().unwrap()
}

async fn redeem(desk: &Desk, token: &ResetToken, password: &str) -> Redemption {
    desk.auth.redeem_reset(token, password.into(), &client()).await.unwrap()
}

async fn reset_replaces_the_password_and_ends_everything<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let issued = desk.sign_in().await;
    let (used, outstanding) = (mail(&desk).await, mail(&desk).await);
    assert_eq!((used.user, used.tenant, used.expires_at), (user(), tenant(), start() + TimeDelta::minutes(30)));
    let change =
        desk.auth.request_identifier_change(&desk.fresh(&issued).await, "ana@else.test", ConfirmBy::New).await.unwrap();
    desk.events.take();
    // The link has the text.
    let token: ResetToken = used.token.expose().parse().unwrap();
    assert_eq!(redeem(&desk, &token, NEW).await, Redemption::Changed(user()));
    assert!(matches!(desk.events.take()[..], [SecurityEvent::PasswordReset { .. }]));
    assert!(!desk.is_live(&issued).await);
    assert!(is_rejected(&desk.password(ANA, PASSWORD).await));
    assert!(matches!(desk.password(ANA, NEW).await, stockade_session::Step::Done(_)));
    for token in [&used.token, &outstanding.token] {
        assert_eq!(redeem(&desk, token, PASSWORD).await, Redemption::Ended);
    }
    let confirmed = desk.auth.confirm_identifier_change(&change.new).await.unwrap();
    assert_eq!(confirmed, IdentifierConfirmation::Ended, "a change that the thief began dies too");
}

/// Four redemptions at once of one token.
async fn reset_is_used_once_under_concurrency<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    for round in 0..races(20) {
        let token = Arc::new(mail(&desk).await.token);
        let calls = (0..4).map(|call| {
            let (auth, token) = (desk.auth.clone(), Arc::clone(&token));
            async move {
                let password = format!("another horse {round} {call}").into();
                matches!(auth.redeem_reset(&token, password, &client()).await.unwrap(), Redemption::Changed(_))
            }
        });
        assert_eq!(wins(calls).await, 1, "round {round}");
    }
}

async fn reset_ends_after_half_an_hour<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let (first, second) = (mail(&desk).await, mail(&desk).await);
    desk.advance(TimeDelta::minutes(30) - TimeDelta::microseconds(1));
    assert_eq!(redeem(&desk, &first.token, NEW).await, Redemption::Changed(user()));
    let third = mail(&desk).await;
    desk.advance(TimeDelta::minutes(30));
    for token in [&second.token, &third.token] {
        assert_eq!(redeem(&desk, token, PASSWORD).await, Redemption::Ended);
    }
}

/// Unknown, malformed, suspended and real ones answer alike; the rows written are as many.
async fn reset_request_tells_nothing<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let bo = NewAccount { user: Uuid::from_u128(0xB).into(), tenant: tenant(), identifier: "bo" };
    desk.auth.accounts().create(bo, PASSWORD.into()).await.unwrap();
    desk.auth.accounts().suspend(bo.user).await.unwrap();
    desk.events.take();
    for (identifier, exists) in [("nobody", false), ("", false), ("a\0b", false), ("bo", false), (ANA, true)] {
        let before = desk.pool.computed();
        let request = desk.auth.request_reset(identifier, &client()).await.unwrap();
        assert_eq!(format!("{request:?}"), "ResetRequest(..)");
        assert_eq!(desk.pool.computed(), before);
        let events = desk.events.take();
        let [SecurityEvent::ResetRequested { account, .. }] = &events[..] else { panic!("{events:?}") };
        assert_eq!((account.is_some(), request.into_mail().is_some()), (exists, exists), "{identifier:?}");
    }
    desk.advance(TimeDelta::hours(1));
    let swept = desk.auth.sweep(std::time::Duration::ZERO).await.unwrap();
    assert_eq!(swept.tokens, 5, "every request wrote a row");
}

async fn reset_keeps_the_second_factor<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await.add_totp().await;
    let token = mail(&desk).await.token;
    assert_eq!(redeem(&desk, &token, NEW).await, Redemption::Changed(user()));
    assert!(matches!(desk.password(ANA, NEW).await, stockade_session::Step::TotpRequired(_)));
}

async fn reset_lifts_the_lock_of_strangers<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    for last in 1..=20 {
        assert!(is_rejected(&desk.password_from([198, 51, 100, last], "wrong").await));
    }
    assert!(is_rejected(&desk.password(ANA, PASSWORD).await), "locked for all strangers");
    let token = mail(&desk).await.token;
    assert_eq!(redeem(&desk, &token, NEW).await, Redemption::Changed(user()));
    assert!(matches!(desk.password(ANA, NEW).await, stockade_session::Step::Done(_)));
}

async fn refused_password_does_not_cost_the_reset<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let token = mail(&desk).await.token;
    for (password, problem) in [
        ("short", PasswordProblem::TooShort),
        (&*"x".repeat(1025), PasswordProblem::TooLong),
        ("my ANA@acme.test 1", PasswordProblem::ContextWord),
    ] {
        assert_eq!(redeem(&desk, &token, password).await, Redemption::Refused(problem));
    }
    assert_eq!(redeem(&desk, &token, NEW).await, Redemption::Changed(user()));
}

async fn identifier_changes_when_both_sides_confirm<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let issued = desk.sign_in().await;
    let fresh = desk.fresh(&issued).await;
    let begin = async |to| desk.auth.request_identifier_change(&fresh, to, ConfirmBy::Both).await;
    for bad in ["", "a\0b", ANA] {
        assert_eq!(begin(bad).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    let change = begin(" Ana@Else.test").await.unwrap();
    assert_eq!((&*change.from, &*change.to), (ANA, "ana@else.test"));
    let reset = mail(&desk).await.token;
    desk.events.take();
    let confirm = async |token| desk.auth.confirm_identifier_change(token).await.unwrap();
    assert_eq!(confirm(&change.new).await, IdentifierConfirmation::Waiting);
    assert!(desk.is_live(&issued).await && is_rejected(&desk.password("ana@else.test", PASSWORD).await));
    assert_eq!(confirm(&change.old.unwrap()).await, IdentifierConfirmation::Changed(user()));
    let changed = desk.events.take().pop().unwrap();
    assert!(matches!(changed, SecurityEvent::IdentifierChanged { .. }));
    assert_eq!(changed.severity(), Severity::Warning);
    assert!(!desk.is_live(&issued).await);
    assert_eq!(redeem(&desk, &reset, NEW).await, Redemption::Ended);
    assert!(is_rejected(&desk.password(ANA, PASSWORD).await));
    assert!(matches!(desk.password("ana@else.test", PASSWORD).await, stockade_session::Step::Done(_)));
}

async fn identifier_change_waits_a_day<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let issued = desk.sign_in().await;
    let fresh = desk.fresh(&issued).await;
    let begin = async || desk.auth.request_identifier_change(&fresh, "bo", ConfirmBy::New).await.unwrap();
    let change = begin().await;
    assert!(change.old.is_none());
    desk.advance(TimeDelta::hours(24));
    assert_eq!(desk.auth.confirm_identifier_change(&change.new).await.unwrap(), IdentifierConfirmation::Ended);
    let change = begin().await;
    desk.advance(TimeDelta::hours(24) - TimeDelta::microseconds(1));
    assert_eq!(
        desk.auth.confirm_identifier_change(&change.new).await.unwrap(),
        IdentifierConfirmation::Changed(user())
    );
}
