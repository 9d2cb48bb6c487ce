//! How many guesses there are.

use chrono::TimeDelta;
use stockade_session::{FailureReason, SecurityEvent, Severity, Step, Store, TotpStep};
use tokio::task::JoinSet;

use crate::support::*;

crate::on_every_store! {
    parallel_guesses_do_not_pass_the_limit
    lock_holds_against_the_right_password_and_ends
    unknown_identifiers_lock_too
    success_forgets_failures
    codes_are_counted_per_user
}

async fn parallel_guesses_do_not_pass_the_limit<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let mut guesses = JoinSet::new();
    for guess in 0..64 {
        let auth = desk.auth.clone();
        guesses.spawn(async move {
            let flow = auth.begin(ANA, &client()).await.unwrap();
            flow.verify_password(format!("guess {guess}").into()).await.unwrap()
        });
    }
    assert!(guesses.join_all().await.iter().all(is_rejected));
    let reasons = desk.events.reasons();
    let count = |reason| reasons.iter().filter(|r| **r == reason).count();
    assert_eq!((count(FailureReason::WrongPassword), count(FailureReason::Locked)), (5, 59));
}

async fn lock_holds_against_the_right_password_and_ends<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    for _ in 0..4 {
        assert!(is_rejected(&desk.password(ANA, "wrong").await));
    }
    assert!(!desk.events.take().iter().any(|event| matches!(event, SecurityEvent::LockedOut { .. })));
    assert!(is_rejected(&desk.password(ANA, "wrong").await));
    let warning =
        desk.events.take().into_iter().find(|event| matches!(event, SecurityEvent::LockedOut { .. })).unwrap();
    assert_eq!(warning.severity(), Severity::Warning);
    let SecurityEvent::LockedOut { account, until, .. } = warning else { unreachable!() };
    assert_eq!((account, until), (Some((user(), tenant())), start() + TimeDelta::minutes(1)));

    // Attempts during the lock neither pass nor prolong it.
    desk.advance(TimeDelta::seconds(59));
    assert!(is_rejected(&desk.password(ANA, PASSWORD).await));
    desk.advance(TimeDelta::seconds(1));
    assert!(is_rejected(&desk.password(ANA, "wrong").await)); // the sixth: two minutes
    desk.advance(TimeDelta::seconds(119));
    assert!(is_rejected(&desk.password(ANA, PASSWORD).await));
    desk.advance(TimeDelta::seconds(1));
    assert!(matches!(desk.password(ANA, PASSWORD).await, Step::Done(_)));
}

async fn unknown_identifiers_lock_too<S: Store>(store: S) {
    let desk = Desk::new(store);
    for _ in 0..7 {
        assert!(is_rejected(&desk.password(" Nobody@acme.test", "wrong").await));
    }
    let locked: Vec<_> = desk.events.take().into_iter().filter(|e| e.severity() == Severity::Warning).collect();
    assert!(matches!(locked[..], [SecurityEvent::LockedOut { account: None, .. }]), "{locked:?}");
}

async fn success_forgets_failures<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    for _ in 0..3 {
        for _ in 0..4 {
            assert!(is_rejected(&desk.password(ANA, "wrong").await));
        }
        desk.sign_in().await;
    }
}

/// Who has the password gets no more codes by starting over: neither a new flow nor the right password empties the bucket.
async fn codes_are_counted_per_user<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await.add_totp().await;
    let wrong = format!("{:06}", (desk.code(0).parse::<u32>().unwrap() + 1) % 1_000_000);
    assert!(![-1, 0, 1].map(|offset| desk.code(offset)).contains(&wrong));
    for _ in 0..5 {
        let refused = desk.pending().await.verify_totp(&wrong).await.unwrap();
        assert!(matches!(refused, TotpStep::Rejected(_)));
    }
    let flow = desk.pending().await;
    let token = flow.token();
    assert!(!is_done(&flow.verify_totp(&desk.code(0)).await.unwrap()));
    let reasons = desk.events.reasons();
    assert_eq!(reasons[..5], [FailureReason::WrongCode; 5]);
    assert_eq!(reasons[5..], [FailureReason::Locked]);

    desk.advance(TimeDelta::minutes(1));
    let flow = desk.auth.resume(&token, &client()).await.unwrap();
    assert!(is_done(&flow.verify_totp(&desk.code(0)).await.unwrap()));
}
