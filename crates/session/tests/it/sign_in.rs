//! From an identifier to a session.

use chrono::TimeDelta;
use stockade_session::{
    Argon2Params, Assurance, ErrorKind, FailureReason, HashPool, HashPoolConfig, NewAccount, Rejected, Scope,
    SecurityEvent, SessionToken, Severity, Step, Store, TotpStep,
    store::{Lookup, NewAccountRecord},
};
use uuid::Uuid;

use crate::support::*;

crate::on_every_store! {
    password_alone
    password_and_code
    refusals_are_alike
    every_refusal_costs_one_hash
    pending_token_is_no_session
    pending_sign_in_ends
    revocation_reaches_a_sign_in_under_way
    enrolment_reaches_a_sign_in_under_way
    old_parameters_are_upgraded
    accounts_are_unique
    stats_count
}

async fn password_alone<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let issued = desk.auth.issue(desk.verified().await).await.unwrap();
    let session = desk.auth.resolve(issued.token()).await.unwrap().unwrap();
    assert_eq!(&session, issued.session());
    assert_eq!((session.user, session.tenant, session.assurance), (user(), tenant(), Assurance::Password));
    assert_eq!((session.authenticated_at, session.ip), (start(), client().ip));
    assert_eq!(session.expires_at, start() + TimeDelta::hours(12));
    assert_eq!(session.sid.as_uuid().get_version_num(), 7);

    let events = desk.events.take();
    assert!(
        matches!(&events[..], [SecurityEvent::SignedIn { user: u, sid, .. }] if *u == user() && *sid == session.sid),
        "{events:?}"
    );
    assert!(matches!(desk.password(" ANA@ACME.TEST ", PASSWORD).await, Step::Done(_)));
}

async fn password_and_code<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await.add_totp().await;
    let token = desk.pending().await.token();
    // The next request has nothing but the text of the cookie.
    let token = token.expose().parse().unwrap();
    let flow = desk.auth.resume(&token, &client()).await.unwrap();
    let TotpStep::Done(flow) = flow.verify_totp(&desk.code(0)).await.unwrap() else { panic!("refused") };
    let issued = desk.auth.issue(flow).await.unwrap();
    assert_eq!(issued.session().assurance, Assurance::PasswordAndTotp);
    assert!(desk.is_live(&issued).await);
}

async fn refusals_are_alike<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let mut answers = Vec::new();
    for (identifier, password) in
        [("nobody@acme.test", PASSWORD), ("", PASSWORD), ("a\0b", PASSWORD), (ANA, "wrong"), (ANA, "")]
    {
        answers.push(desk.password(identifier, password).await);
    }
    for _ in 0..10 {
        answers.push(desk.password(ANA, "wrong").await);
    }
    answers.push(desk.password(ANA, PASSWORD).await); // locked by now
    assert_eq!(desk.events.reasons().last(), Some(&FailureReason::Locked));
    for answer in answers {
        assert_eq!(format!("{answer:?}"), "Rejected(Rejected)");
        let Step::Rejected(rejected) = answer else { panic!("not refused") };
        assert_eq!(rejected.to_string(), "sign-in failed");
        assert_eq!(size_of::<Rejected>(), 0);
    }
    let (known, unknown) = (desk.auth.begin(ANA, &client()).await, desk.auth.begin("nobody", &client()).await);
    assert_eq!(format!("{:?}", known.unwrap()), format!("{:?}", unknown.unwrap()));
}

async fn every_refusal_costs_one_hash<S: Store>(store: S) {
    let record = |id: u128, identifier: &str, hash: &str| NewAccountRecord {
        user: Uuid::from_u128(id).into(),
        tenant: tenant(),
        identifier: identifier.to_owned(),
        password_hash: hash.to_owned(),
    };
    for account in [
        record(1, "broken", "not a hash"),
        record(2, "greedy", "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"),
    ] {
        assert!(store.insert_account(&account).await.unwrap());
    }
    let desk = Desk::with_ana(store).await;
    let long = "x".repeat(5000);
    let mut refused = Vec::new();
    for (identifier, password) in
        [("nobody", "wrong"), ("", "wrong"), ("broken", "wrong"), ("greedy", "wrong"), (ANA, &long), (ANA, "wrong")]
    {
        let before = desk.pool.computed();
        assert!(is_rejected(&desk.password(identifier, password).await));
        assert_eq!(desk.pool.computed() - before, 1, "{identifier}");
        refused.extend(desk.events.take());
    }
    let warned = refused.iter().filter(|event| matches!(event, SecurityEvent::StoredHashRefused { .. }));
    assert_eq!(warned.map(|event| assert_eq!(event.severity(), Severity::Warning)).count(), 2);
    for _ in 0..10 {
        let before = desk.pool.computed();
        assert!(is_rejected(&desk.password(ANA, "wrong").await));
        assert_eq!(desk.pool.computed() - before, 1);
    }
    assert!(desk.events.reasons().contains(&FailureReason::Locked));
}

async fn pending_token_is_no_session<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await.add_totp().await;
    let pending = desk.pending().await.token();
    let forged: SessionToken = pending.expose().parse().unwrap();
    assert!(desk.auth.resolve(&forged).await.unwrap().is_none());
    assert!(desk.auth.rotate(&forged).await.unwrap().is_none());
    assert!(desk.auth.sessions(user()).await.unwrap().is_empty());
}

async fn pending_sign_in_ends<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await.add_totp().await;
    let token = desk.pending().await.token();
    desk.advance(TimeDelta::seconds(599));
    let [first, second] = [desk.auth.resume(&token, &client()).await, desk.auth.resume(&token, &client()).await];
    assert!(is_done(&first.unwrap().verify_totp(&desk.code(0)).await.unwrap()));
    // Another valid code cannot finish the same sign-in again, whether it was taken up before or after.
    assert!(!is_done(&second.unwrap().verify_totp(&desk.code(1)).await.unwrap()));
    let ended = desk.auth.resume(&token, &client()).await.unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::FlowEnded);

    let token = desk.pending().await.token();
    let flow = desk.auth.resume(&token, &client()).await.unwrap();
    desk.advance(TimeDelta::seconds(600));
    assert_eq!(desk.auth.resume(&token, &client()).await.unwrap_err().kind(), ErrorKind::FlowEnded);
    desk.events.take();
    assert!(!is_done(&flow.verify_totp(&desk.code(0)).await.unwrap()));
    assert_eq!(desk.events.reasons(), [FailureReason::FlowEnded]);
}

async fn revocation_reaches_a_sign_in_under_way<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    for scope in [Scope::User(user()), Scope::Tenant(tenant()), Scope::Global] {
        let identified = desk.auth.begin(ANA, &client()).await.unwrap();
        let verified = desk.verified().await;
        desk.auth.revoke_all(scope).await.unwrap();
        let Step::Done(late) = identified.verify_password(PASSWORD.into()).await.unwrap() else { panic!("refused") };
        for flow in [verified, late] {
            let issued = desk.auth.issue(flow).await.unwrap();
            assert!(!desk.is_live(&issued).await, "{scope:?}");
        }
    }
    let desk = desk.add_totp().await;
    for (offset, scope) in (-1..).zip([Scope::User(user()), Scope::Tenant(tenant()), Scope::Global]) {
        let pending = desk.pending().await;
        let token = pending.token();
        desk.auth.revoke_all(scope).await.unwrap();
        assert_eq!(desk.auth.resume(&token, &client()).await.unwrap_err().kind(), ErrorKind::FlowEnded);
        assert!(!is_done(&pending.verify_totp(&desk.code(offset)).await.unwrap()), "{scope:?}");
    }
}

/// Whoever got past the password before the factor was there does not get past the factor.
async fn enrolment_reaches_a_sign_in_under_way<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let verified = desk.verified().await;
    let desk = desk.add_totp().await;
    let issued = desk.auth.issue(verified).await.unwrap();
    assert!(!desk.is_live(&issued).await);
}

async fn old_parameters_are_upgraded<S: Store + Clone>(store: S) {
    let desk = Desk::with_ana(store.clone()).await;
    let hash = async || store.account(Lookup::User(user())).await.unwrap().unwrap().password_hash;
    let old = hash().await;
    desk.sign_in().await;
    assert_eq!(hash().await, old, "current parameters are kept");

    let params = Argon2Params::new(7_168, 5, 1).unwrap();
    let pool = HashPool::new(HashPoolConfig { params, ..HashPoolConfig::default() }).unwrap();
    let raised = Desk::with(store.clone(), |builder| builder.hash_pool(pool));
    assert_eq!(raised.auth.stats().await.unwrap().current_hashes, 0);
    assert!(is_rejected(&raised.password(ANA, "wrong").await));
    assert_eq!(hash().await, old, "a wrong password changes nothing");
    raised.sign_in().await;
    assert!(hash().await.starts_with("$argon2id$v=19$m=7168,t=5,p=1$"));
    assert_eq!(raised.auth.stats().await.unwrap().current_hashes, 1);
    raised.sign_in().await;
}

async fn accounts_are_unique<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let create = async |id: u128, identifier: &str, password: &str| {
        let account = NewAccount { user: Uuid::from_u128(id).into(), tenant: tenant(), identifier };
        desk.auth.accounts().create(account, password.into()).await.map_err(|error| error.kind())
    };
    assert_eq!(create(0xA, "other@acme.test", PASSWORD).await, Err(ErrorKind::Conflict));
    assert_eq!(create(0xB, " Ana@ACME.test", PASSWORD).await, Err(ErrorKind::Conflict));
    assert_eq!(create(0xB, "bo\u{7}", PASSWORD).await, Err(ErrorKind::InvalidInput));
    assert_eq!(create(0xB, "bo", "short").await, Err(ErrorKind::InvalidInput));
    assert_eq!(create(0xB, "bo", PASSWORD).await, Ok(()));
}

async fn stats_count<S: Store>(store: S) {
    let desk = Desk::new(store);
    assert_eq!(desk.auth.stats().await.unwrap(), stockade_session::Stats::default());
    let desk = desk.add_ana().await;
    let bo = NewAccount { user: Uuid::from_u128(0xB).into(), tenant: tenant(), identifier: "bo" };
    desk.auth.accounts().create(bo, PASSWORD.into()).await.unwrap();
    desk.auth.enrol_totp(bo.user).await.unwrap(); // not confirmed: does not count
    let desk = desk.add_totp().await;
    let stats = desk.auth.stats().await.unwrap();
    assert_eq!((stats.accounts, stats.with_totp, stats.current_hashes), (2, 1, 2));
}

#[tokio::test]
async fn flow_of_another_auth_is_refused() {
    let (here, there) = (stockade_session::MemoryStore::default(), stockade_session::MemoryStore::default());
    let (here, there) = (Desk::with_ana(here).await, Desk::new(there));
    let error = there.auth.issue(here.verified().await).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
