//! Status of accounts and policy of tenants.

use std::time::Duration;

use chrono::TimeDelta;
use stockade_session::{
    AccountStatus, MfaRule, Scope, SessionLimits, Store, TenantPolicy,
    store::{Lookup, NewAccountRecord, SessionRecord, tombstone},
};
use uuid::Uuid;

use super::{account, digest, flow, seconds, session};
use crate::support::{start, tenant, user};

crate::on_every_store! {
    policy_round_trip
    limits_of_the_tenant_hold
    second_factor_is_demanded
    status_ends_sessions_and_flows
    deletion_is_final
}

async fn policy_round_trip<S: Store>(store: S) {
    assert_eq!(store.tenant_policy(tenant()).await.unwrap(), TenantPolicy::default());
    let limits = SessionLimits::new(Duration::from_secs(60), Duration::from_secs(600)).unwrap();
    for policy in [
        TenantPolicy { mfa: MfaRule::Required, limits: Some(limits) },
        TenantPolicy { mfa: MfaRule::RequiredFrom(seconds(7)), limits: None },
        TenantPolicy::default(),
    ] {
        store.put_tenant_policy(tenant(), &policy).await.unwrap();
        assert_eq!(store.tenant_policy(tenant()).await.unwrap(), policy);
    }
}

async fn limits_of_the_tenant_hold<S: Store>(store: S) {
    store.insert_account(&account()).await.unwrap();
    store.insert_session(&digest(1), &session(1)).await.unwrap(); // 100 s idle, 1000 s in all
    let limits = |idle, absolute| {
        let limits = SessionLimits::new(Duration::from_secs(idle), Duration::from_secs(absolute)).unwrap();
        TenantPolicy { limits: Some(limits), ..TenantPolicy::default() }
    };
    let live = async |at| store.resolve(&digest(1), seconds(at)).await.unwrap();
    for (policy, alive, dead) in [
        (limits(50, 1000), 49, 50),
        (limits(200, 1000), 99, 100), // looser ones change nothing
        (limits(30, 40), 29, 30),
        (TenantPolicy::default(), 99, 100),
    ] {
        store.put_tenant_policy(tenant(), &policy).await.unwrap();
        assert!(live(alive).await.is_some() && live(dead).await.is_none(), "{policy:?}");
        assert_eq!(store.sessions(user(), seconds(alive)).await.unwrap().len(), 1);
        assert!(store.sessions(user(), seconds(dead)).await.unwrap().is_empty());
    }
    store.put_tenant_policy(tenant(), &limits(90, 95)).await.unwrap();
    let record = live(0).await.unwrap();
    assert_eq!((record.idle, record.expires_at), (TimeDelta::seconds(90), seconds(95)));
    assert!(store.touch(record.sid, seconds(80), seconds(50)).await.unwrap());
    assert!(live(94).await.is_some() && live(95).await.is_none(), "absolute");
    // A step-up does not move the absolute limit.
    let stepped = store.step_up(&digest(1), &digest(2), seconds(94)).await.unwrap().unwrap();
    assert_eq!((stepped.authenticated_at, stepped.expires_at), (seconds(94), seconds(95)));
    assert!(store.resolve(&digest(2), seconds(95)).await.unwrap().is_none());
    let elsewhere = TenantPolicy { mfa: MfaRule::Required, ..limits(1, 1) };
    store.put_tenant_policy(Uuid::from_u128(0xB0).into(), &elsewhere).await.unwrap();
    assert!(store.resolve(&digest(2), seconds(94)).await.unwrap().is_some());
}

async fn second_factor_is_demanded<S: Store>(store: S) {
    assert!(!store.put_mfa_rule(user(), MfaRule::Required).await.unwrap(), "no account");
    store.insert_account(&account()).await.unwrap();
    store.insert_session(&digest(1), &session(1)).await.unwrap();
    let late = MfaRule::RequiredFrom(seconds(50));
    for (own, of_tenant, expected) in [
        (MfaRule::Optional, MfaRule::Optional, MfaRule::Optional),
        (late, MfaRule::Optional, late),
        (MfaRule::Optional, late, late),
        (MfaRule::Required, late, MfaRule::Required),
        (late, MfaRule::Required, MfaRule::Required),
    ] {
        assert!(store.put_mfa_rule(user(), own).await.unwrap());
        store.put_tenant_policy(tenant(), &TenantPolicy { mfa: of_tenant, limits: None }).await.unwrap();
        let seen = store.resolve(&digest(1), start()).await.unwrap().unwrap().mfa_required_from;
        let listed = store.sessions(user(), start()).await.unwrap()[0].mfa_required_from;
        let account = store.account(Lookup::User(user())).await.unwrap().unwrap().mfa_required_from;
        assert_eq!([seen, listed, account].map(MfaRule::from_begin), [expected; 3]);
    }
    let rotated = store.rotate(&digest(1), &digest(2), start()).await.unwrap().unwrap();
    assert_eq!(MfaRule::from_begin(rotated.mfa_required_from), MfaRule::Required);
}

async fn status_ends_sessions_and_flows<S: Store>(store: S) {
    assert!(!store.suspend_account(user()).await.unwrap(), "no account");
    store.insert_account(&account()).await.unwrap();
    store.insert_session(&digest(1), &session(1)).await.unwrap();
    store.insert_flow(&digest(2), &flow()).await.unwrap();
    assert!(!store.reactivate_account(user()).await.unwrap(), "is active");
    assert!(store.suspend_account(user()).await.unwrap());
    assert!(!store.suspend_account(user()).await.unwrap());
    let suspended = store.account(Lookup::User(user())).await.unwrap().unwrap();
    assert_eq!(suspended.status, AccountStatus::Suspended);
    assert!(store.resolve(&digest(1), start()).await.unwrap().is_none());
    assert!(store.flow(&digest(2), start()).await.unwrap().is_none());
    // Not even what was begun with the versions of now.
    let versions = suspended.versions;
    store.insert_session(&digest(3), &SessionRecord { versions, ..session(3) }).await.unwrap();
    assert!(store.resolve(&digest(3), start()).await.unwrap().is_none());
    assert!(store.rotate(&digest(3), &digest(4), start()).await.unwrap().is_none());
    assert!(store.sessions(user(), start()).await.unwrap().is_empty());

    assert!(store.reactivate_account(user()).await.unwrap());
    assert!(store.resolve(&digest(1), start()).await.unwrap().is_none(), "old sessions do not come back");
    assert!(!store.finish_flow(&digest(2), start()).await.unwrap());
}

async fn deletion_is_final<S: Store>(store: S) {
    store.insert_account(&account()).await.unwrap();
    store.put_pending_totp(user(), b"seed").await.unwrap();
    store.activate_totp(user(), b"seed", -1).await.unwrap();
    store.put_recovery_codes(user(), &[digest(1)]).await.unwrap();
    let network = "203.0.113.7".parse::<std::net::IpAddr>().unwrap().into();
    store.note_network(user(), network, start(), seconds(-9), 9).await.unwrap();
    let versions = store.account(Lookup::User(user())).await.unwrap().unwrap().versions;
    store.insert_session(&digest(1), &SessionRecord { versions, ..session(1) }).await.unwrap();
    assert!(store.suspend_account(user()).await.unwrap());

    assert!(store.delete_account(user(), start()).await.unwrap());
    assert!(!store.delete_account(user(), start()).await.unwrap());
    assert!(!store.suspend_account(user()).await.unwrap());
    assert!(!store.reactivate_account(user()).await.unwrap());
    assert!(!store.put_mfa_rule(user(), MfaRule::Required).await.unwrap());
    assert!(!store.bump_version(Scope::User(user())).await.unwrap());
    assert_eq!(store.change_password(user(), "", "new").await.unwrap(), None);
    let found = store.account(Lookup::User(user())).await.unwrap().unwrap();
    assert_eq!((found.status, found.totp, &*found.password_hash), (AccountStatus::Deleted, None, ""));
    assert_eq!(found.identifier, tombstone(user()));
    assert_eq!(store.recovery_codes_left(user()).await.unwrap(), 0);
    assert!(store.networks(user()).await.unwrap().is_empty());
    assert!(store.resolve(&digest(1), start()).await.unwrap().is_none());

    assert!(!store.insert_account(&account()).await.unwrap(), "the user stays taken");
    let heir = NewAccountRecord { user: Uuid::from_u128(9).into(), ..account() };
    assert!(store.insert_account(&heir).await.unwrap(), "the identifier is free");
}
