//! Times that no other file holds to the microsecond. `docs/timeouts.md` says where each one is.

use std::time::Duration;

use chrono::TimeDelta;
use stockade_session::{
    ClientInfo, DeviceToken, ErrorKind, JwtCheck, JwtPolicy, JwtRefresh, SecurityEvent, Step, Store, TotpStep,
};

use crate::support::*;

crate::on_every_store! {
    wrong_passwords_are_forgotten_after_a_day
    guesses_of_strangers_are_forgotten_after_a_day
    wrong_codes_are_forgotten_after_a_day
    a_device_is_forgotten_after_180_days
    a_pending_sign_in_lives_as_long_as_was_set
    a_jwt_begins_five_seconds_early_at_most
    a_refresh_token_ends_with_its_idle_session
}

const INSTANT: TimeDelta = TimeDelta::microseconds(1);

fn locked(desk: &Desk) -> bool {
    desk.events.take().iter().any(|event| matches!(event, SecurityEvent::LockedOut { .. }))
}

async fn guess(desk: &Desk, times: u8) {
    for _ in 0..times {
        assert!(is_rejected(&desk.password(ANA, "wrong").await));
    }
}

async fn wrong_passwords_are_forgotten_after_a_day<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    guess(&desk, 4).await;
    desk.advance(TimeDelta::days(1) - INSTANT);
    guess(&desk, 1).await;
    assert!(locked(&desk), "the fifth");
    // From the last one on: a day later they are gone, and with them how long the next lock would be.
    desk.advance(TimeDelta::days(1));
    guess(&desk, 4).await;
    assert!(!locked(&desk));
    guess(&desk, 1).await;
    assert!(locked(&desk));
    desk.advance(TimeDelta::minutes(1));
    assert!(matches!(desk.password(ANA, PASSWORD).await, Step::Done(_)), "the first lock again");
}

async fn guesses_of_strangers_are_forgotten_after_a_day<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let from_many = async |first: u8| {
        for last in first..first + 19 {
            assert!(is_rejected(&desk.password_from([198, 51, 100, last], "wrong").await));
        }
        assert!(!locked(&desk));
    };
    from_many(0).await;
    desk.advance(TimeDelta::days(1));
    from_many(20).await;
    desk.advance(TimeDelta::days(1) - INSTANT);
    assert!(is_rejected(&desk.password_from([198, 51, 100, 99], "wrong").await));
    assert!(locked(&desk), "the twentieth");
}

async fn wrong_codes_are_forgotten_after_a_day<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await.add_totp().await;
    let wrong = async |times: u8| {
        for _ in 0..times {
            let right = [-1, 0, 1].map(|offset| desk.code(offset));
            let wrong = (0..4).map(|n| format!("{n:06}")).find(|code| !right.contains(code)).unwrap();
            assert!(matches!(desk.pending().await.verify_totp(&wrong).await.unwrap(), TotpStep::Rejected(_)));
        }
    };
    wrong(4).await;
    desk.advance(TimeDelta::days(1));
    wrong(4).await;
    assert!(!locked(&desk));
    desk.advance(TimeDelta::days(1) - INSTANT);
    wrong(1).await;
    assert!(locked(&desk), "the fifth");
}

async fn a_device_is_forgotten_after_180_days<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let device = desk.auth.device_token(desk.sign_in().await.session()).unwrap().expose();
    desk.advance(TimeDelta::days(180) - TimeDelta::seconds(1));
    for last in 0..20 {
        assert!(is_rejected(&desk.password_from([198, 51, 100, last], "wrong").await));
    }
    let elsewhere = ClientInfo { ip: [198, 51, 100, 99].into(), user_agent: None };
    let on_device = async || {
        let device: DeviceToken = device.parse().unwrap();
        let flow = desk.auth.begin(ANA, &elsewhere).await.unwrap().on_device(Some(device));
        flow.verify_password(PASSWORD.into()).await.unwrap()
    };
    assert!(matches!(on_device().await, Step::Done(_)), "strangers are locked, this device is not");
    desk.advance(TimeDelta::seconds(1));
    assert!(is_rejected(&on_device().await));
}

async fn a_pending_sign_in_lives_as_long_as_was_set<S: Store>(store: S) {
    let desk = Desk::with(store, |builder| builder.pending_life(Duration::from_secs(60))).add_ana().await;
    let desk = desk.add_totp().await;
    let token = desk.pending().await.token();
    desk.advance(TimeDelta::seconds(60) - INSTANT);
    assert!(desk.auth.resume(&token, &client()).await.is_ok());
    desk.advance(INSTANT);
    assert_eq!(desk.auth.resume(&token, &client()).await.unwrap_err().kind(), ErrorKind::FlowEnded);
}

async fn with_jwts<S: Store>(store: S) -> Desk {
    let quarter = Duration::from_secs(900);
    let policy = JwtPolicy::new("https://acme.test", "api", quarter, JwtCheck::Stateless).unwrap();
    Desk::with(store, |builder| builder.jwts(policy)).add_ana().await
}

/// On a server whose clock is behind that of the one that made it.
async fn a_jwt_begins_five_seconds_early_at_most<S: Store>(store: S) {
    let desk = with_jwts(store).await;
    let text = desk.auth.jwts().issue(&desk.sign_in().await).unwrap();
    let accepts = async || desk.auth.jwts().verify(&text).await.unwrap().is_some();
    desk.advance(TimeDelta::seconds(-5));
    assert!(accepts().await);
    desk.advance(-INSTANT);
    assert!(!accepts().await);
    desk.advance(TimeDelta::seconds(905));
    assert!(accepts().await);
    desk.advance(INSTANT);
    assert!(!accepts().await, "and it ends after a quarter of an hour, not later");
}

async fn a_refresh_token_ends_with_its_idle_session<S: Store>(store: S) {
    let desk = with_jwts(store).await;
    let (kept, left) = (desk.sign_in().await, desk.sign_in().await);
    let pair = async |issued| desk.auth.jwts().issue_pair(issued).await.unwrap().unwrap();
    let (kept, left) = (pair(&kept).await, pair(&left).await);
    desk.advance(TimeDelta::minutes(30) - INSTANT);
    assert!(matches!(desk.auth.jwts().refresh(kept.refresh()).await.unwrap(), JwtRefresh::Renewed(_)));
    desk.advance(INSTANT);
    assert!(matches!(desk.auth.jwts().refresh(left.refresh()).await.unwrap(), JwtRefresh::Rejected));
}
