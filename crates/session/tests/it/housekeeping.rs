//! Tables that do not grow for ever.

use std::time::Duration;

use chrono::TimeDelta;
use stockade_session::{Step, Store};

use crate::support::*;

crate::on_both_stores! {
    sweep_keeps_what_counts
    sweep_takes_more_than_a_batch
    sweep_takes_any_age
}

const DAY: Duration = Duration::from_secs(86_400);

async fn sweep_keeps_what_counts<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await.add_totp().await;
    let old = desk.sign_in_with(0).await;
    let _ = desk.pending().await;
    let _ = desk.auth.request_reset(ANA, &client()).await.unwrap();
    for _ in 0..5 {
        assert!(is_rejected(&desk.password("nobody", "wrong").await));
    }
    assert_eq!(desk.auth.sweep(DAY).await.unwrap(), stockade_session::Swept::default());
    // After half a day sessions and sign-ins have ended, but not a day ago.
    desk.advance(TimeDelta::hours(13));
    assert!(!desk.is_live(&old).await);
    assert_eq!(desk.auth.sweep(DAY).await.unwrap(), stockade_session::Swept::default());
    let swept = desk.auth.sweep(Duration::ZERO).await.unwrap();
    assert_eq!((swept.flows, swept.tokens, swept.sessions), (1, 1, 1));
    assert_eq!((swept.attempts, swept.networks), (0, 0), "the policy remembers attempts for 24 hours");

    let live = desk.sign_in_with(0).await;
    desk.advance(TimeDelta::hours(12));
    let swept = desk.auth.sweep(Duration::ZERO).await.unwrap();
    assert_eq!((swept.attempts, swept.sessions), (2, 1), "nobody's two counts; idle since");
    assert!(!desk.is_live(&live).await);
    desk.advance(TimeDelta::days(90));
    assert_eq!(desk.auth.sweep(Duration::ZERO).await.unwrap().networks, 1);
    assert!(matches!(desk.password(ANA, PASSWORD).await, Step::TotpRequired(_)));
}

async fn sweep_takes_more_than_a_batch<S: Store>(store: S) {
    let desk = Desk::new(store);
    for number in 0..1001 {
        let _ = desk.auth.request_reset(&format!("user {number}"), &client()).await.unwrap();
    }
    desk.advance(TimeDelta::hours(1));
    assert_eq!(desk.auth.sweep(Duration::ZERO).await.unwrap().tokens, 1001);
}

async fn sweep_takes_any_age<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    desk.sign_in().await;
    assert_eq!(desk.auth.sweep(Duration::MAX).await.unwrap(), stockade_session::Swept::default());
}
