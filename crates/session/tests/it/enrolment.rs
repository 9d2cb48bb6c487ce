//! Setting up and using a second factor.

use chrono::TimeDelta;
use stockade_session::{
    Activation, Auth, BoxError, ErrorKind, FailureReason, KeyRing, SecretCipher, SecurityEvent, SeedOwner, Severity,
    Step, Store, TotpSeed, TotpStep,
};
use tokio::task::JoinSet;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::support::*;

crate::on_every_store! {
    enrolment_ends_sessions_and_consumes_its_code
    active_factor_cannot_be_replaced
    pending_factor_is_not_asked_for
    one_code_is_accepted_once
    used_codes_stay_used
    cipher_sees_the_owner
    unknown_users_have_no_factor
}

/// What the authenticator app would read from the URI.
fn scan(uri: &str) -> Vec<u8> {
    totp_rs::Totp::from_url(uri).unwrap().secret().as_bytes().to_vec()
}

async fn enrolment_ends_sessions_and_consumes_its_code<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let issued = desk.sign_in().await;
    let enrolment = desk.auth.enrol_totp(user()).await.unwrap();
    let seed = scan(enrolment.otpauth_uri());
    assert_eq!(seed.len(), 20);
    let code = code_at(&seed, start());

    desk.events.take();
    assert_eq!(desk.auth.confirm_totp(user(), "000000x").await.unwrap(), Activation::Rejected);
    assert!(desk.is_live(&issued).await);
    assert_eq!(desk.auth.confirm_totp(user(), &code).await.unwrap(), Activation::Activated);
    assert!(!desk.is_live(&issued).await);
    assert!(matches!(desk.events.take()[..], [SecurityEvent::TotpActivated { .. }]));
    assert_eq!(desk.auth.confirm_totp(user(), &code).await.unwrap(), Activation::Rejected);

    assert!(!is_done(&desk.pending().await.verify_totp(&code).await.unwrap()));
    let next = code_at(&seed, start() + TimeDelta::seconds(30));
    assert!(is_done(&desk.pending().await.verify_totp(&next).await.unwrap()));
}

async fn active_factor_cannot_be_replaced<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let first = scan(desk.auth.enrol_totp(user()).await.unwrap().otpauth_uri());
    let second = scan(desk.auth.enrol_totp(user()).await.unwrap().otpauth_uri());
    let stale = desk.auth.confirm_totp(user(), &code_at(&first, start())).await.unwrap();
    assert_eq!(stale, Activation::Rejected, "the second enrolment replaced the first");
    let confirmed = desk.auth.confirm_totp(user(), &code_at(&second, start())).await.unwrap();
    assert_eq!(confirmed, Activation::Activated);

    assert_eq!(desk.auth.enrol_totp(user()).await.unwrap_err().kind(), ErrorKind::Conflict);
    let seed = TotpSeed::from_bytes(SEED).unwrap();
    assert_eq!(desk.auth.accounts().import_totp(user(), seed).await.unwrap_err().kind(), ErrorKind::Conflict);
    let next = code_at(&second, start() + TimeDelta::seconds(30));
    assert!(is_done(&desk.pending().await.verify_totp(&next).await.unwrap()));
}

async fn pending_factor_is_not_asked_for<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    desk.auth.enrol_totp(user()).await.unwrap();
    assert!(matches!(desk.password(ANA, PASSWORD).await, Step::Done(_)));
}

async fn one_code_is_accepted_once<S: Store>(store: S) {
    let desk = Desk::with(store, |builder| builder.lockout(patient())).add_ana().await.add_totp().await;
    let mut submissions = JoinSet::new();
    for _ in 0..64 {
        let token = desk.pending().await.token();
        let (auth, code) = (desk.auth.clone(), desk.code(0));
        submissions.spawn(async move {
            let flow = auth.resume(&token, &client()).await.unwrap();
            flow.verify_totp(&code).await.unwrap()
        });
    }
    assert_eq!(submissions.join_all().await.iter().filter(|step| is_done(step)).count(), 1);
    assert_eq!(desk.events.reasons(), [FailureReason::ReplayedCode; 63]);
}

async fn used_codes_stay_used<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await.add_totp().await;
    let submit = async |code: String| desk.pending().await.verify_totp(&code).await.unwrap();
    assert!(is_done(&submit(desk.code(1)).await), "one step ahead");
    desk.events.take();
    for offset in [-1, 0, 1] {
        assert!(matches!(submit(desk.code(offset)).await, TotpStep::Rejected(_)), "{offset}");
    }
    let events = desk.events.take();
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| event.severity() == Severity::Warning), "{events:?}");
    desk.advance(TimeDelta::seconds(60));
    assert!(is_done(&submit(desk.code(0)).await));
}

/// Seals by putting the owner in front, and opens for that owner only.
#[derive(Clone, Copy)]
struct Bound;

impl SecretCipher<SeedOwner> for Bound {
    fn seal(&self, owner: SeedOwner, seed: &[u8]) -> Result<Vec<u8>, BoxError> {
        Ok([owner.tenant.as_uuid().as_bytes(), owner.user.as_uuid().as_bytes(), seed].concat())
    }

    fn open(&self, owner: SeedOwner, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, BoxError> {
        let context = self.seal(owner, &[])?;
        Ok(Zeroizing::new(sealed.strip_prefix(&context[..]).ok_or("not this owner's")?.to_vec()))
    }
}

async fn cipher_sees_the_owner<S: Store + Clone>(store: S) {
    let desk = Desk::with(store.clone(), |builder| builder.seed_cipher(Bound)).add_ana().await.add_totp().await;
    assert!(is_done(&desk.pending().await.verify_totp(&desk.code(0)).await.unwrap()));

    // A seed that was copied from one row to another does not open.
    let bo = stockade_session::NewAccount { user: Uuid::from_u128(0xB).into(), tenant: tenant(), identifier: "bo" };
    desk.auth.accounts().create(bo, PASSWORD.into()).await.unwrap();
    let sealed = store.totp(user()).await.unwrap().unwrap().sealed_seed;
    assert!(store.put_pending_totp(bo.user, &sealed).await.unwrap());
    let error = desk.auth.confirm_totp(bo.user, &desk.code(0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SeedCipher);
    assert_eq!(error.to_string(), "the totp seed could not be sealed or opened");
}

async fn unknown_users_have_no_factor<S: Store>(store: S) {
    let desk = Desk::new(store);
    assert_eq!(desk.auth.enrol_totp(user()).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(desk.auth.confirm_totp(user(), "123456").await.unwrap_err().kind(), ErrorKind::NotFound);
    let desk = desk.add_ana().await;
    assert_eq!(desk.auth.confirm_totp(user(), "123456").await.unwrap(), Activation::Rejected);
}

#[tokio::test]
async fn totp_needs_a_cipher() {
    let keys = KeyRing::single(1, key(1)).unwrap();
    let auth = Auth::builder(stockade_session::MemoryStore::default(), keys).hash_pool(weak_pool()).build().unwrap();
    auth.accounts().create(ana(), PASSWORD.into()).await.unwrap();
    assert_eq!(auth.enrol_totp(user()).await.unwrap_err().kind(), ErrorKind::Configuration);
}
