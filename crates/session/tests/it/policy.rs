//! What tenants demand, and accounts that cannot be used.

use std::time::Duration;

use chrono::TimeDelta;
use stockade_session::{
    Access, AccountStatus, Activation, ErrorKind, FailureReason, Issued, MfaRule, SecurityEvent, SessionLimits, Store,
    TenantPolicy,
};
use uuid::Uuid;

use crate::support::*;

crate::on_both_stores! {
    tenant_demands_a_second_factor_from_the_next_request
    account_demands_a_second_factor
    grace_ends_with_its_date
    removed_factor_must_be_enrolled_again
    tenant_limits_hold_from_the_next_request
    suspended_account_ends_at_the_next_request
    suspended_account_answers_like_an_unknown_one
    deleted_account_is_gone
}

async fn access(desk: &Desk, issued: &Issued) -> Access {
    desk.auth.access(issued.token()).await.unwrap()
}

fn demands(mfa: MfaRule) -> TenantPolicy {
    TenantPolicy { mfa, limits: None }
}

async fn tenant_demands_a_second_factor_from_the_next_request<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let issued = desk.sign_in().await;
    assert!(matches!(access(&desk, &issued).await, Access::Granted(_)) && !issued.must_enrol());
    desk.events.take();
    desk.auth.replace_tenant_policy(tenant(), demands(MfaRule::Required)).await.unwrap();
    assert!(matches!(desk.events.take()[..], [SecurityEvent::TenantPolicyChanged { .. }]));

    assert!(desk.auth.resolve(issued.token()).await.unwrap().is_none(), "refused by default");
    let Access::MustEnrol(enrolling) = access(&desk, &issued).await else { panic!("not asked to enrol") };
    assert_eq!((enrolling.user(), enrolling.tenant(), enrolling.sid()), (user(), tenant(), issued.session().sid));
    let again = desk.sign_in().await;
    assert!(again.must_enrol(), "a new session is told at once");
    let rotated = desk.auth.rotate(again.token()).await.unwrap().unwrap();
    assert!(rotated.must_enrol() && !desk.is_live(&rotated).await, "a new token does not help");

    let enrolment = desk.auth.enrol_totp(enrolling.user()).await.unwrap();
    let seed = totp_rs::Totp::from_url(enrolment.otpauth_uri()).unwrap().secret().as_bytes().to_vec();
    let activation = desk.auth.confirm_totp(enrolling.user(), &code_at(&seed, start())).await.unwrap();
    assert_eq!(activation, Activation::Activated);
    assert_eq!(access(&desk, &issued).await, Access::Denied);
    let next = code_at(&seed, start() + TimeDelta::seconds(30));
    let stockade_session::TotpStep::Done(flow) = desk.pending().await.verify_totp(&next).await.unwrap() else {
        panic!("refused")
    };
    let full = desk.auth.issue(flow).await.unwrap();
    assert!(desk.is_live(&full).await && !full.must_enrol());
}

async fn account_demands_a_second_factor<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let issued = desk.sign_in().await;
    let nobody = Uuid::from_u128(9).into();
    let error = desk.auth.accounts().demand_mfa(nobody, MfaRule::Required).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    desk.auth.accounts().demand_mfa(user(), MfaRule::Required).await.unwrap();
    assert!(matches!(access(&desk, &issued).await, Access::MustEnrol(_)));
    desk.auth.accounts().demand_mfa(user(), MfaRule::Optional).await.unwrap();
    assert!(desk.is_live(&issued).await);
}

async fn grace_ends_with_its_date<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let issued = desk.sign_in().await;
    let date = start() + TimeDelta::minutes(20);
    desk.auth.replace_tenant_policy(tenant(), demands(MfaRule::RequiredFrom(date))).await.unwrap();
    desk.advance(TimeDelta::minutes(20) - TimeDelta::microseconds(1));
    assert!(desk.is_live(&issued).await);
    desk.advance(TimeDelta::microseconds(1));
    assert!(matches!(access(&desk, &issued).await, Access::MustEnrol(_)));
}

async fn removed_factor_must_be_enrolled_again<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await.add_totp().await;
    desk.auth.replace_tenant_policy(tenant(), demands(MfaRule::Required)).await.unwrap();
    let issued = desk.sign_in_with(0).await;
    assert!(desk.is_live(&issued).await);
    desk.auth.remove_totp(&desk.fresh(&issued).await).await.unwrap();
    let issued = desk.sign_in().await;
    assert!(matches!(access(&desk, &issued).await, Access::MustEnrol(_)));
}

async fn tenant_limits_hold_from_the_next_request<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let (busy, idle) = (desk.sign_in().await, desk.sign_in().await);
    let limits = SessionLimits::new(Duration::from_secs(300), Duration::from_secs(3600)).unwrap();
    desk.advance(TimeDelta::minutes(5));
    assert!(desk.is_live(&busy).await && desk.is_live(&idle).await);
    desk.advance(TimeDelta::minutes(5) - TimeDelta::microseconds(1));
    assert!(desk.is_live(&busy).await);
    let policy = TenantPolicy { limits: Some(limits), ..TenantPolicy::default() };
    desk.auth.replace_tenant_policy(tenant(), policy).await.unwrap();
    assert_eq!(desk.auth.tenant_policy(tenant()).await.unwrap(), policy);
    desk.advance(TimeDelta::microseconds(1));
    assert!(desk.is_live(&busy).await && !desk.is_live(&idle).await, "five minutes since the last use");
    for _ in 0..12 {
        desk.advance(TimeDelta::minutes(4));
        assert!(desk.is_live(&busy).await);
    }
    desk.advance(TimeDelta::minutes(2));
    assert!(!desk.is_live(&busy).await, "an hour since the sign-in");
}

async fn suspended_account_ends_at_the_next_request<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let issued = desk.sign_in().await;
    let verified = desk.verified().await;
    desk.events.take();
    desk.auth.accounts().suspend(user()).await.unwrap();
    let events = desk.events.take();
    let suspended = |event: &SecurityEvent| {
        matches!(event, SecurityEvent::AccountStatusChanged { status: AccountStatus::Suspended, .. })
    };
    assert!(events.iter().all(suspended) && events.len() == 1, "{events:?}");
    assert_eq!(access(&desk, &issued).await, Access::Denied);
    let late = desk.auth.issue(verified).await.unwrap();
    assert!(!desk.is_live(&late).await, "a sign-in under way ends too");
    assert_eq!(desk.auth.accounts().suspend(user()).await.unwrap_err().kind(), ErrorKind::Conflict);

    desk.auth.accounts().reactivate(user()).await.unwrap();
    assert!(!desk.is_live(&issued).await && !desk.is_live(&late).await, "old sessions do not come back");
    let new = desk.sign_in().await;
    assert!(desk.is_live(&new).await);
}

async fn suspended_account_answers_like_an_unknown_one<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    desk.auth.accounts().suspend(user()).await.unwrap();
    desk.events.take();
    for (identifier, password, reason) in [
        (ANA, PASSWORD, FailureReason::NotActive),
        (ANA, "wrong", FailureReason::WrongPassword),
        ("nobody", PASSWORD, FailureReason::UnknownIdentifier),
    ] {
        let before = desk.pool.computed();
        let step = desk.password(identifier, password).await;
        assert_eq!(format!("{step:?}"), "Rejected(Rejected)");
        assert_eq!(desk.pool.computed() - before, 1);
        assert_eq!(desk.events.reasons(), [reason]);
    }
    for _ in 0..5 {
        assert!(is_rejected(&desk.password(ANA, PASSWORD).await));
    }
    assert_eq!(desk.events.reasons().last(), Some(&FailureReason::Locked), "its attempts count");
}

async fn deleted_account_is_gone<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let issued = desk.sign_in().await;
    let found = desk.auth.accounts().find(user()).await.unwrap().unwrap();
    assert_eq!((&*found.identifier, found.status), (ANA, AccountStatus::Active));
    desk.auth.accounts().delete(user()).await.unwrap();
    assert_eq!(access(&desk, &issued).await, Access::Denied);
    assert!(is_rejected(&desk.password(ANA, PASSWORD).await));
    let found = desk.auth.accounts().find(user()).await.unwrap().unwrap();
    assert_eq!(found.status, AccountStatus::Deleted);
    assert!(!found.identifier.contains("ana"));
    // Nobody can type what it is called now, nor sign in with the empty hash.
    assert!(is_rejected(&desk.password(&found.identifier, "").await));
    for error in [
        desk.auth.accounts().reactivate(user()).await.unwrap_err(),
        desk.auth.accounts().suspend(user()).await.unwrap_err(),
        desk.auth.accounts().delete(user()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Conflict);
    }
    let heir = stockade_session::NewAccount { user: Uuid::from_u128(0xB).into(), ..ana() };
    desk.auth.accounts().create(heir, PASSWORD.into()).await.unwrap();
    desk.sign_in().await;
}
