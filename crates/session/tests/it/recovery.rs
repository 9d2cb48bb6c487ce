//! Recovery codes, and the end of a second factor.

use chrono::TimeDelta;
use stockade_session::{
    Activation, Assurance, ErrorKind, FailureReason, KeyRing, SecurityEvent, Severity, Store, TotpStep, UserId,
};
use uuid::Uuid;

use crate::support::*;

crate::on_every_store! {
    recovery_code_replaces_the_app_once
    recovery_code_is_accepted_once_under_concurrency
    recovery_codes_count_against_the_lockout
    recovery_codes_are_of_one_user
    new_codes_void_old_ones
    codes_survive_a_rotation_of_keys
    ended_sign_in_costs_no_code
    factor_is_removed_and_ends_sessions
    factor_is_replaced_by_its_first_code
}

/// Ana with a factor, and the texts of her ten codes.
async fn with_codes<S: Store>(store: S) -> (Desk, Vec<String>) {
    let desk = Desk::with_ana(store).await.add_totp().await;
    let issued = desk.sign_in_with(-1).await;
    let codes = desk.auth.issue_recovery_codes(&desk.fresh(&issued).await).await.unwrap();
    let texts = codes.expose().map(|text| text.to_string()).collect();
    desk.events.take();
    (desk, texts)
}

async fn recovery_code_replaces_the_app_once<S: Store>(store: S) {
    let (desk, codes) = with_codes(store).await;
    assert_eq!(desk.auth.recovery_codes_left(user()).await.unwrap(), 10);
    let typed = format!(" {} ", codes[3].to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l"));
    let TotpStep::Done(flow) = desk.pending().await.verify_recovery_code(&typed).await.unwrap() else {
        panic!("refused")
    };
    let issued = desk.auth.issue(flow).await.unwrap();
    assert_eq!(issued.session().assurance, Assurance::PasswordAndTotp);
    assert_eq!(desk.auth.recovery_codes_left(user()).await.unwrap(), 9);
    let events = desk.events.take();
    let used = events.iter().find(|event| matches!(event, SecurityEvent::RecoveryUsed { .. })).unwrap();
    assert_eq!(used.severity(), Severity::Warning);
    assert!(matches!(used, SecurityEvent::RecoveryUsed { user: u, left: 9, .. } if *u == user()));

    assert!(!is_done(&desk.pending().await.verify_recovery_code(&codes[3]).await.unwrap()));
    assert_eq!(desk.events.reasons(), [FailureReason::WrongRecoveryCode]);
    assert!(is_done(&desk.pending().await.verify_recovery_code(&codes[4]).await.unwrap()));
}

/// Three sign-ins at once with one code, for each code of set after set.
async fn recovery_code_is_accepted_once_under_concurrency<S: Store>(store: S) {
    let desk = Desk::with(store, |builder| builder.lockout(patient()).identifier_lockout(patient()));
    let desk = desk.add_ana().await.add_totp().await;
    let mut issued = desk.sign_in_with(-1).await;
    for round in 0..races(20).div_ceil(10) {
        let codes = desk.auth.issue_recovery_codes(&desk.fresh(&issued).await).await.unwrap();
        for code in codes.expose() {
            let mut flows = Vec::new();
            for _ in 0..3 {
                flows.push(desk.pending().await);
            }
            let calls = flows.into_iter().map(|flow| {
                let code = code.clone();
                async move { is_done(&flow.verify_recovery_code(&code).await.unwrap()) }
            });
            assert_eq!(wins(calls).await, 1, "round {round}");
        }
        desk.advance(TimeDelta::seconds(90));
        issued = desk.sign_in_with(0).await;
    }
}

async fn recovery_codes_count_against_the_lockout<S: Store>(store: S) {
    let (desk, codes) = with_codes(store).await;
    for guess in ["", "0000-0000-0000-0000-0000-0000", "not a code"] {
        assert!(!is_done(&desk.pending().await.verify_recovery_code(guess).await.unwrap()));
    }
    for _ in 0..2 {
        assert!(!is_done(&desk.pending().await.verify_totp("000000x").await.unwrap()));
    }
    assert!(!is_done(&desk.pending().await.verify_recovery_code(&codes[0]).await.unwrap()));
    assert!(!is_done(&desk.pending().await.verify_totp(&desk.code(0)).await.unwrap()));
    let events = desk.events.take();
    assert!(events.iter().any(|event| matches!(event, SecurityEvent::LockedOut { .. })));
    assert_eq!(desk.auth.recovery_codes_left(user()).await.unwrap(), 10, "a locked attempt uses no code up");
    desk.advance(TimeDelta::minutes(1));
    assert!(is_done(&desk.pending().await.verify_recovery_code(&codes[0]).await.unwrap()));
}

async fn recovery_codes_are_of_one_user<S: Store>(store: S) {
    let (desk, codes) = with_codes(store).await;
    let bo = stockade_session::NewAccount { user: Uuid::from_u128(0xB).into(), tenant: tenant(), identifier: "bo" };
    desk.auth.accounts().create(bo, PASSWORD.into()).await.unwrap();
    desk.auth.accounts().import_totp(bo.user, stockade_session::TotpSeed::from_bytes(SEED).unwrap()).await.unwrap();
    let stockade_session::Step::TotpRequired(flow) = desk.password("bo", PASSWORD).await else { panic!("refused") };
    assert!(!is_done(&flow.verify_recovery_code(&codes[0]).await.unwrap()));
    assert_eq!(desk.auth.recovery_codes_left(user()).await.unwrap(), 10);
}

async fn new_codes_void_old_ones<S: Store>(store: S) {
    let (desk, old) = with_codes(store).await;
    let issued = desk.sign_in_with(0).await;
    let fresh = desk.fresh(&issued).await;
    let new = desk.auth.issue_recovery_codes(&fresh).await.unwrap();
    let events = desk.events.take();
    assert!(matches!(events.last(), Some(SecurityEvent::RecoveryCodesIssued { .. })));
    assert!(!is_done(&desk.pending().await.verify_recovery_code(&old[0]).await.unwrap()));
    let text = new.expose().next().unwrap();
    assert!(is_done(&desk.pending().await.verify_recovery_code(&text).await.unwrap()));

    desk.auth.accounts().remove_totp(user(), user()).await.unwrap();
    let error = desk.auth.issue_recovery_codes(&fresh).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "codes without a factor would be a factor");
}

async fn codes_survive_a_rotation_of_keys<S: Store + Clone>(store: S) {
    let (desk, codes) = with_codes(store.clone()).await;
    let with = |keys| Desk::at(desk.clock.clone(), store.clone(), keys, |builder| builder);
    let both = with(KeyRing::single(2, key(2)).unwrap().verify_only(1, key(1)).unwrap());
    assert!(is_done(&both.pending().await.verify_recovery_code(&codes[0]).await.unwrap()));
    let without = with(KeyRing::single(2, key(2)).unwrap());
    assert!(!is_done(&without.pending().await.verify_recovery_code(&codes[1]).await.unwrap()));
}

async fn ended_sign_in_costs_no_code<S: Store>(store: S) {
    let (desk, codes) = with_codes(store).await;
    let pending = desk.pending().await;
    desk.auth.revoke_all(user()).await.unwrap();
    desk.events.take();
    assert!(!is_done(&pending.verify_recovery_code(&codes[0]).await.unwrap()));
    assert_eq!(desk.events.reasons(), [FailureReason::FlowEnded]);
    assert_eq!(desk.auth.recovery_codes_left(user()).await.unwrap(), 10);
}

async fn factor_is_removed_and_ends_sessions<S: Store>(store: S) {
    let (desk, codes) = with_codes(store).await;
    let issued = desk.sign_in_with(0).await;
    let pending = desk.pending().await;
    let fresh = desk.fresh(&issued).await;
    desk.events.take();
    desk.auth.remove_totp(&fresh).await.unwrap();
    let events = desk.events.take();
    assert!(matches!(events[..], [SecurityEvent::TotpRemoved { by, .. }] if by == user()), "{events:?}");
    assert_eq!(events[0].severity(), Severity::Info);
    assert!(!desk.is_live(&issued).await);
    assert!(!is_done(&pending.verify_recovery_code(&codes[0]).await.unwrap()));
    assert_eq!(desk.auth.remove_totp(&fresh).await.unwrap_err().kind(), ErrorKind::Conflict);
    desk.sign_in().await;

    let desk = desk.add_totp().await;
    assert_eq!(desk.auth.recovery_codes_left(user()).await.unwrap(), 0, "codes end with the factor");
    desk.events.take();
    let administrator = UserId::from(Uuid::from_u128(0xAD));
    desk.auth.accounts().remove_totp(user(), administrator).await.unwrap();
    let events = desk.events.take();
    assert!(matches!(events[..], [SecurityEvent::TotpRemoved { by, .. }] if by == administrator));
    assert_eq!(events[0].severity(), Severity::Warning);
}

async fn factor_is_replaced_by_its_first_code<S: Store>(store: S) {
    let (desk, codes) = with_codes(store).await;
    let issued = desk.sign_in_with(0).await;
    let enrolment = desk.auth.replace_totp(&desk.fresh(&issued).await).await.unwrap();
    let seed = totp_rs::Totp::from_url(enrolment.otpauth_uri()).unwrap().secret().as_bytes().to_vec();
    let code = code_at(&seed, start());
    // Until the new one is confirmed, the old one counts and the new one does not.
    assert!(!is_done(&desk.pending().await.verify_totp(&code).await.unwrap()));
    assert!(is_done(&desk.pending().await.verify_totp(&desk.code(1)).await.unwrap()));
    assert_eq!(desk.auth.confirm_totp(user(), &desk.code(1)).await.unwrap(), Activation::Rejected);

    desk.events.take();
    assert_eq!(desk.auth.confirm_totp(user(), &code).await.unwrap(), Activation::Activated);
    assert!(matches!(desk.events.take()[..], [SecurityEvent::TotpReplaced { .. }]));
    assert!(!desk.is_live(&issued).await);
    assert_eq!(desk.auth.confirm_totp(user(), &code).await.unwrap(), Activation::Rejected);
    desk.advance(TimeDelta::seconds(60));
    assert!(!is_done(&desk.pending().await.verify_totp(&desk.code(0)).await.unwrap()), "the old one is gone");
    let later = code_at(&seed, start() + TimeDelta::seconds(60));
    assert!(is_done(&desk.pending().await.verify_totp(&later).await.unwrap()));
    assert!(is_done(&desk.pending().await.verify_recovery_code(&codes[0]).await.unwrap()), "codes stay");
}
