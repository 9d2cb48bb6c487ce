//! Proving again who is there, and changing the password.

use std::time::Duration;

use chrono::TimeDelta;
use stockade_session::{
    Auth, ErrorKind, FailureReason, Issued, PasswordChange, PasswordProblem, Proof, SecurityEvent, SessionToken,
    StepUp, Store,
};

use crate::support::*;

crate::on_both_stores! {
    step_up_dates_and_rotates
    step_up_by_code_uses_it_up
    wrong_proofs_lock_per_user
    sign_in_lock_and_proof_lock_are_apart
    ended_sessions_prove_nothing
    password_change_ends_everything_else
    password_change_needs_the_current_one
    one_of_two_password_changes_wins
}

async fn prove(auth: &Auth, issued: &Issued, proof: Proof<'_>) -> StepUp {
    auth.step_up(issued.token(), proof, &client()).await.unwrap()
}

fn password(text: &str) -> Proof<'static> {
    Proof::Password(text.into())
}

async fn step_up_dates_and_rotates<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let issued = desk.sign_in().await;
    let five = Duration::from_secs(300);
    desk.advance(TimeDelta::minutes(5));
    let session = desk.auth.resolve(issued.token()).await.unwrap().unwrap();
    assert!(desk.auth.fresh(&session, five).is_some());
    desk.advance(TimeDelta::microseconds(1));
    assert!(desk.auth.fresh(&session, five).is_none());
    assert!(session.authenticated_within(five, start() + TimeDelta::minutes(5)));

    desk.events.take();
    let StepUp::Confirmed(proved) = prove(&desk.auth, &issued, password(PASSWORD)).await else { panic!("refused") };
    assert!(matches!(desk.events.take()[..], [SecurityEvent::SteppedUp { .. }]));
    assert!(!desk.is_live(&issued).await, "the old token is dead");
    assert_ne!(*issued.token().expose(), *proved.token().expose());
    let now = desk.auth.resolve(proved.token()).await.unwrap().unwrap();
    assert_eq!((now.sid, now.expires_at), (session.sid, session.expires_at), "the same session, not prolonged");
    assert_eq!(now.authenticated_at, start() + TimeDelta::minutes(5) + TimeDelta::microseconds(1));
    assert!(desk.auth.fresh(&now, five).is_some());
    assert!(matches!(prove(&desk.auth, &issued, password(PASSWORD)).await, StepUp::Ended));
}

async fn step_up_by_code_uses_it_up<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await.add_totp().await;
    let issued = desk.sign_in_with(-1).await;
    assert!(matches!(prove(&desk.auth, &issued, Proof::Totp(&desk.code(-1))).await, StepUp::Rejected(_)), "used");
    let code = desk.code(0);
    let StepUp::Confirmed(proved) = prove(&desk.auth, &issued, Proof::Totp(&code)).await else { panic!("refused") };
    assert!(matches!(prove(&desk.auth, &proved, Proof::Totp(&code)).await, StepUp::Rejected(_)));
    assert!(desk.is_live(&proved).await, "a refusal leaves the session");
    let reasons = desk.events.reasons();
    assert_eq!(reasons, [FailureReason::ReplayedCode; 2]);
    assert!(!is_done(&desk.pending().await.verify_totp(&code).await.unwrap()), "nor does it sign in");
}

async fn wrong_proofs_lock_per_user<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    // Stolen sessions do not multiply the guesses.
    let (mut first, second) = (desk.sign_in().await, desk.sign_in().await);
    for guess in 0..5 {
        let issued = if guess % 2 == 0 { &first } else { &second };
        let before = desk.pool.computed();
        assert!(matches!(prove(&desk.auth, issued, password("wrong")).await, StepUp::Rejected(_)));
        assert_eq!(desk.pool.computed() - before, 1);
    }
    assert!(matches!(prove(&desk.auth, &first, password(PASSWORD)).await, StepUp::Rejected(_)));
    let events = desk.events.take();
    assert!(events.iter().any(|event| matches!(event, SecurityEvent::LockedOut { .. })));
    desk.advance(TimeDelta::minutes(1));
    let StepUp::Confirmed(proved) = prove(&desk.auth, &first, password(PASSWORD)).await else { panic!("refused") };
    first = proved;
    // Forgotten: five more until the next lock.
    for _ in 0..4 {
        assert!(matches!(prove(&desk.auth, &first, password("wrong")).await, StepUp::Rejected(_)));
    }
    assert!(matches!(prove(&desk.auth, &first, password(PASSWORD)).await, StepUp::Confirmed(_)));
}

async fn sign_in_lock_and_proof_lock_are_apart<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let issued = desk.sign_in().await;
    for _ in 0..6 {
        assert!(is_rejected(&desk.password(ANA, "wrong").await));
    }
    let StepUp::Confirmed(issued) = prove(&desk.auth, &issued, password(PASSWORD)).await else { panic!("refused") };
    desk.advance(TimeDelta::minutes(3));
    for _ in 0..6 {
        assert!(matches!(prove(&desk.auth, &issued, password("wrong")).await, StepUp::Rejected(_)));
    }
    desk.sign_in().await;
}

async fn ended_sessions_prove_nothing<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let issued = desk.sign_in().await;
    desk.auth.revoke(issued.session().sid).await.unwrap();
    let before = desk.pool.computed();
    assert!(matches!(prove(&desk.auth, &issued, password(PASSWORD)).await, StepUp::Ended));
    assert_eq!(desk.pool.computed(), before, "nor does it cost a hash");
}

async fn change(desk: &Desk, token: &SessionToken, current: &str, new: &str) -> PasswordChange {
    desk.auth.change_password(token, current.into(), new.into(), &client()).await.unwrap()
}

const NEW: &str = "staple a new horse";

async fn password_change_ends_everything_else<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let (issued, other) = (desk.sign_in().await, desk.sign_in().await);
    let reset = desk.auth.request_reset(ANA, &client()).await.unwrap().into_mail().unwrap();
    desk.events.take();
    let PasswordChange::Changed(new) = change(&desk, issued.token(), PASSWORD, NEW).await else { panic!("refused") };
    assert!(matches!(desk.events.take()[..], [SecurityEvent::PasswordChanged { .. }]));
    assert!(!desk.is_live(&issued).await && !desk.is_live(&other).await && desk.is_live(&new).await);
    assert_ne!(new.session().sid, issued.session().sid);
    assert!(is_rejected(&desk.password(ANA, PASSWORD).await));
    assert!(matches!(desk.password(ANA, NEW).await, stockade_session::Step::Done(_)));
    let redeemed = desk.auth.redeem_reset(&reset.token, PASSWORD.into(), &client()).await.unwrap();
    assert_eq!(redeemed, stockade_session::Redemption::Ended);
    assert!(matches!(change(&desk, issued.token(), NEW, PASSWORD).await, PasswordChange::Ended));
}

async fn password_change_needs_the_current_one<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let issued = desk.sign_in().await;
    let refused = change(&desk, issued.token(), PASSWORD, "short").await;
    assert!(matches!(refused, PasswordChange::Refused(PasswordProblem::TooShort)));
    for _ in 0..5 {
        assert!(matches!(change(&desk, issued.token(), "wrong", NEW).await, PasswordChange::Rejected(_)));
    }
    assert!(matches!(change(&desk, issued.token(), PASSWORD, NEW).await, PasswordChange::Rejected(_)), "locked");
    assert!(desk.is_live(&issued).await);
    assert!(matches!(desk.password(ANA, PASSWORD).await, stockade_session::Step::Done(_)));
}

async fn one_of_two_password_changes_wins<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let mut issued = desk.sign_in().await;
    let mut current = PASSWORD.to_owned();
    for round in 0..races(5) {
        let text = issued.token().expose();
        let calls: tokio::task::JoinSet<_> = (0..4)
            .map(|call| {
                let (auth, current, new) = (desk.auth.clone(), current.clone(), format!("horse {round} of {call}"));
                let token: SessionToken = text.parse().unwrap();
                async move {
                    let outcome = auth.change_password(&token, current.into(), new.clone().into(), &client()).await;
                    match outcome.unwrap() {
                        PasswordChange::Changed(issued) => Some((issued, new)),
                        PasswordChange::Ended | PasswordChange::Rejected(_) => None,
                        PasswordChange::Refused(problem) => panic!("{problem}"),
                    }
                }
            })
            .collect();
        let mut won: Vec<_> = calls.join_all().await.into_iter().flatten().collect();
        assert_eq!(won.len(), 1);
        (issued, current) = won.pop().unwrap();
        assert!(desk.is_live(&issued).await);
    }
}

#[tokio::test]
async fn fresh_is_of_this_auth_or_fails() {
    let desk = Desk::with_ana(stockade_session::MemoryStore::default()).await;
    let fresh = desk.fresh(&desk.sign_in().await).await;
    let other = Desk::new(stockade_session::MemoryStore::default());
    assert_eq!(other.auth.replace_totp(&fresh).await.unwrap_err().kind(), ErrorKind::NotFound);
}
