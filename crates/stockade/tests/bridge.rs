//! What happens in the session and ratelimit crates, as it arrives in the audit log.

#![expect(clippy::unwrap_used, reason = "a failed assumption should stop the test")]
#![cfg(all(feature = "audit-chain", feature = "ratelimit", feature = "session"))]

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use stockade::{
    audit_chain::{Entry, Record, TenantId, format::tag},
    bridge::{PLATFORM, Recorder},
    ratelimit::{Cost, Key, Limiter, ManualClock, Rule},
    session::{
        Argon2Params, Auth, ClientInfo, HashPool, HashPoolConfig, KeyRing, MemoryStore, MfaRule, NewAccount, Step,
        TenantPolicy, UserId,
    },
};
use uuid::Uuid;

const USER: Uuid = Uuid::from_u128(1);
const TENANT: Uuid = Uuid::from_u128(2);

/// What a recorder was told, as records.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Record>>>);

impl Log {
    fn recorder(&self) -> Recorder<impl Fn(TenantId, Entry) + Send + Sync + 'static> {
        let log = self.clone();
        Recorder::new(move |tenant, entry| {
            let record = entry.record_at(DateTime::<Utc>::UNIX_EPOCH).unwrap();
            assert_eq!(record.tenant(), tenant, "the entry belongs to the log that it is recorded in");
            log.0.lock().unwrap().push(record);
        })
    }

    /// Action, outcome and severity of each entry.
    fn lines(&self) -> Vec<String> {
        let text = |record: &Record, tag| {
            String::from_utf8_lossy(record.envelope().field(tag).unwrap_or_default()).into_owned()
        };
        let log = self.0.lock().unwrap();
        log.iter()
            .map(|record| {
                let severity = record.envelope().field(tag::SEVERITY).unwrap_or_default();
                format!("{} {} {severity:?} {}", text(record, tag::ACTION), text(record, tag::OUTCOME), record.tenant())
            })
            .collect()
    }

    /// Everything that no erasure can take out of the log again.
    fn permanent_bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().iter().flat_map(|record| record.envelope().encode().to_vec()).collect()
    }
}

fn auth(log: &Log) -> Auth {
    let config = HashPoolConfig { params: Argon2Params::dangerously_weak(), ..HashPoolConfig::default() };
    Auth::builder(MemoryStore::default(), KeyRing::single(1, b"a key of thirty-two random bytes").unwrap())
        .hash_pool(HashPool::new(config).unwrap())
        .observer(log.recorder())
        .build()
        .unwrap()
}

#[tokio::test]
async fn sign_ins_lockouts_and_revocations_are_entries_of_the_right_log() {
    let log = Log::default();
    let auth = auth(&log);
    let account = NewAccount { user: USER.into(), tenant: TENANT.into(), identifier: "ana@acme.test" };
    auth.accounts().create(account, SecretString::from("correct horse")).await.unwrap();
    let client = ClientInfo { ip: "203.0.113.77".parse().unwrap(), user_agent: Some("NCSA_Mosaic/2.0".to_owned()) };

    let flow = auth.begin("ana@acme.test", &client).await.unwrap();
    let Step::Done(flow) = flow.verify_password(SecretString::from("correct horse")).await.unwrap() else {
        panic!("refused")
    };
    let issued = auth.issue(flow).await.unwrap();
    auth.revoke(issued.session().sid).await.unwrap();
    auth.revoke_all(UserId::from(USER)).await.unwrap();
    let flow = auth.begin("nobody@acme.test", &client).await.unwrap();
    assert!(matches!(flow.verify_password(SecretString::from("wrong password")).await.unwrap(), Step::Rejected(_)));
    for _ in 0..6 {
        let flow = auth.begin("ana@acme.test", &client).await.unwrap();
        assert!(matches!(flow.verify_password(SecretString::from("wrong password")).await.unwrap(), Step::Rejected(_)));
    }

    let lines = log.lines();
    let (tenant, platform) = (TENANT.to_string(), PLATFORM.to_string());
    assert_eq!(lines[0], format!("session.sign_in success [0] {tenant}"));
    assert_eq!(lines[1], format!("session.revoke success [0] {tenant}"));
    assert!(lines[2].starts_with("session.revoke_all success [0]"), "{lines:?}");
    assert_eq!(lines[3], format!("session.sign_in failure [0] {platform}"), "an unknown name belongs to no tenant");
    assert_eq!(
        lines.iter().filter(|line| **line == format!("session.lockout denied [2] {tenant}")).count(),
        1,
        "{lines:?}"
    );

    // Who asked from where is erasable, so it stands nowhere in what is not.
    let bytes = log.permanent_bytes();
    for personal in [&b"Mosaic"[..], &[203, 0, 113, 77], b"203.0.113.77", b"ana@acme", b"nobody@acme"] {
        assert!(
            !bytes.windows(personal.len()).any(|window| window == personal),
            "{}",
            String::from_utf8_lossy(personal)
        );
    }
}

#[tokio::test]
async fn what_happens_to_an_account_is_an_entry() {
    let log = Log::default();
    let auth = auth(&log);
    let account = NewAccount { user: USER.into(), tenant: TENANT.into(), identifier: "ana@acme.test" };
    auth.accounts().create(account, SecretString::from("correct horse")).await.unwrap();
    for last in [77, 78] {
        let client = ClientInfo { ip: [203, 0, 113, last].into(), user_agent: None };
        let flow = auth.begin("ana@acme.test", &client).await.unwrap();
        let Step::Done(flow) = flow.verify_password(SecretString::from("correct horse")).await.unwrap() else {
            panic!("refused")
        };
        auth.issue(flow).await.unwrap();
    }
    let client = ClientInfo { ip: [203, 0, 113, 79].into(), user_agent: None };
    assert!(auth.request_reset("nobody@acme.test", &client).await.unwrap().into_mail().is_none());
    let mail = auth.request_reset("ana@acme.test", &client).await.unwrap().into_mail().unwrap();
    let _ = auth.redeem_reset(&mail.token, SecretString::from("staple a new horse"), &client).await.unwrap();
    auth.replace_tenant_policy(TENANT.into(), TenantPolicy { mfa: MfaRule::Required, limits: None }).await.unwrap();
    auth.accounts().suspend(USER.into()).await.unwrap();

    let (tenant, platform) = (TENANT.to_string(), PLATFORM.to_string());
    let expected = [
        format!("session.sign_in success [0] {tenant}"),
        format!("session.sign_in success [0] {tenant}"),
        format!("session.new_network success [2] {tenant}"),
        format!("session.reset_request success [0] {platform}"),
        format!("session.reset_request success [0] {tenant}"),
        format!("session.password_reset success [0] {tenant}"),
        format!("session.tenant_policy success [0] {tenant}"),
        format!("session.account_status success [0] {tenant}"),
    ];
    assert_eq!(log.lines(), expected);
    let bytes = log.permanent_bytes();
    for personal in [&[203, 0, 113, 78][..], b"203.0.113.78", b"ana@acme"] {
        assert!(!bytes.windows(personal.len()).any(|window| window == personal));
    }
}

#[test]
fn a_flood_is_two_entries_however_long_it_lasts() {
    let log = Log::default();
    let clock = Arc::new(ManualClock::new());
    let limiter = Limiter::builder()
        .rule(Rule::exact("sign-in", NonZeroU32::new(5).unwrap(), Duration::from_secs(60)))
        .clock(Arc::clone(&clock))
        .observer(log.recorder())
        .build()
        .unwrap();
    for _ in 0..1_000 {
        let _ = limiter.check(&[("sign-in", Key::account("ana@acme.test"))], Cost::ONE).unwrap();
    }
    assert_eq!(log.lines(), [format!("ratelimit.breach denied [2] {PLATFORM}")]);
    clock.advance(Duration::from_secs(600));
    limiter.sweep();
    assert_eq!(log.lines().len(), 2);
    assert_eq!(log.lines()[1], format!("ratelimit.breach denied [1] {PLATFORM}"));
    let bytes = log.permanent_bytes();
    assert!(
        bytes.windows(15).any(|window| window == b"\"refusals\":995,"),
        "the number of refusals is in the second entry"
    );
    assert!(!bytes.windows(8).any(|window| window == b"ana@acme"), "the account is not");
}

#[cfg(feature = "field-crypto")]
#[tokio::test]
async fn what_happens_to_a_key_is_an_entry_of_its_tenant() {
    use stockade::field_crypto::{FieldEvent, KeyChange, LocalKeyring, MemoryKeyStore, Purpose, RotationPolicy, Vault};

    let log = Log::default();
    let vault =
        Vault::new(LocalKeyring::generate("k1").unwrap(), MemoryKeyStore::default()).with_observer(log.recorder());
    vault.provision(TENANT.into()).await.unwrap();
    let key = vault.add_key(TENANT.into(), Purpose::Aead).await.unwrap().key;
    let promoted = vault.promote(TENANT.into(), key, RotationPolicy::without_waiting()).await.unwrap();
    assert_eq!(promoted, KeyChange::Made);
    let lines = log.lines();
    let actions: Vec<_> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(actions, ["key.create", "key.create", "key.create", "key.promote"]);
    assert!(lines.iter().all(|line| line.ends_with(&TENANT.to_string())), "{lines:?}");

    let rows =
        FieldEvent::RowsSealed { tenant: TENANT.into(), table: "freight.drivers", column: "ssn", key, rows: 500 };
    let (tenant, entry) = stockade::bridge::field_entry(&rows);
    let record = entry.record_at(DateTime::<Utc>::UNIX_EPOCH).unwrap();
    let after = String::from_utf8_lossy(record.envelope().field(tag::AFTER).unwrap()).into_owned();
    assert_eq!((tenant, after.as_str()), (TENANT.into(), r#"{"column":"freight.drivers.ssn","rows":500}"#));
}
