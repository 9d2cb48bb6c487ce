//! What happens in the session and ratelimit crates, as it arrives in the audit log.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a failed assumption should stop the test")]
#![cfg(all(feature = "audit-chain", feature = "ratelimit", feature = "session"))]

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use stockade::{
    audit_chain::{Entry, Record, TenantId, format::tag},
    bridge::{PLATFORM, Recorder},
    ratelimit::{Cost, Key, Limiter, ManualClock, Rule},
    session::{
        self, Activation, ApiTokenPolicy, Argon2Params, Auth, AuthBuilder, ClientInfo, ConfirmBy,
        DangerouslyPlainSeeds, Fresh, HashPool, HashPoolConfig, IdentifierConfirmation, Issued, KeyRing, MemoryStore,
        MfaRule, NewAccount, NewApiToken, PasswordChange, Proof, Step, StepUp, TenantPolicy, TokenLife, TotpStep,
        UserId,
    },
};
use totp_rs::{Builder, Secret};
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
    builder(log).build().unwrap()
}

fn builder(log: &Log) -> AuthBuilder {
    let config = HashPoolConfig { params: Argon2Params::dangerously_weak(), ..HashPoolConfig::default() };
    Auth::builder(MemoryStore::default(), KeyRing::single(1, b"a key of thirty-two random bytes").unwrap())
        .hash_pool(HashPool::new(config).unwrap())
        .observer(log.recorder())
}

/// Ana, and what is told of her.
struct Ana {
    log: Log,
    auth: Auth,
    clock: session::ManualClock,
    client: ClientInfo,
}

impl Ana {
    const EMAIL: &str = "ana@acme.test";

    async fn new() -> Self {
        let (log, clock) = (Log::default(), session::ManualClock::new(DateTime::UNIX_EPOCH + TimeDelta::days(20_000)));
        let tokens = ApiTokenPolicy::new("desk", |scope| scope.starts_with("load.")).unwrap();
        let builder = builder(&log).clock(clock.clone()).seed_cipher(DangerouslyPlainSeeds).api_tokens(tokens);
        let auth = builder.build().unwrap();
        let account = NewAccount { user: USER.into(), tenant: TENANT.into(), identifier: Self::EMAIL };
        auth.accounts().create(account, Self::password()).await.unwrap();
        Self { log, auth, clock, client: ClientInfo { ip: [203, 0, 113, 77].into(), user_agent: None } }
    }

    fn password() -> SecretString {
        SecretString::from("correct horse")
    }

    /// The code of the moment. The next one is another.
    fn code(&self, seed: &str) -> String {
        self.clock.advance(TimeDelta::seconds(60));
        let totp = Builder::new().with_secret(Secret::try_from_base32(seed).unwrap().as_ref()).build().unwrap();
        totp.generate(session::Clock::now(&self.clock).timestamp().unsigned_abs()).to_string()
    }

    async fn by_password(&self) -> Step {
        let flow = self.auth.begin(Self::EMAIL, &self.client).await.unwrap();
        flow.verify_password(Self::password()).await.unwrap()
    }

    async fn by_code(&self, code: &str) -> TotpStep {
        let Step::TotpRequired(flow) = self.by_password().await else { panic!("no code was asked for") };
        flow.verify_totp(code).await.unwrap()
    }

    async fn signed_in(&self, seed: Option<&str>) -> Issued {
        let flow = match seed {
            None => match self.by_password().await {
                Step::Done(flow) => flow,
                _ => panic!("refused"),
            },
            Some(seed) => match self.by_code(&self.code(seed)).await {
                TotpStep::Done(flow) => flow,
                TotpStep::Rejected(_) => panic!("refused"),
            },
        };
        self.auth.issue(flow).await.unwrap()
    }

    fn fresh(&self, issued: &Issued) -> Fresh {
        self.auth.fresh(issued.session(), Duration::from_secs(3_600)).unwrap()
    }

    async fn enrolled(&self) -> String {
        let seed = self.auth.enrol_totp(USER.into()).await.unwrap().secret_base32().to_owned();
        let activated = self.auth.confirm_totp(USER.into(), &self.code(&seed)).await.unwrap();
        assert_eq!(activated, Activation::Activated);
        seed
    }

    /// Action, outcome and severity of each entry since the last call.
    fn told(&self) -> Vec<String> {
        let lines = self.log.lines();
        self.log.0.lock().unwrap().clear();
        lines.iter().map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
    }
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

#[tokio::test]
async fn second_factors_are_entries_with_their_severity() {
    let ana = Ana::new().await;
    let seed = ana.enrolled().await;
    assert_eq!(ana.told(), ["session.totp_activate success [0]"]);
    let issued = ana.signed_in(Some(&seed)).await;
    assert_eq!(ana.told(), ["session.sign_in success [0]"]);

    let code = ana.code(&seed);
    let StepUp::Confirmed(issued) = ana.auth.step_up(issued.token(), Proof::Totp(&code), &ana.client).await.unwrap()
    else {
        panic!("refused")
    };
    assert!(matches!(ana.by_code(&code).await, TotpStep::Rejected(_)), "it is used up");
    let wrong = if code == "000000" { "000001" } else { "000000" };
    assert!(matches!(ana.by_code(wrong).await, TotpStep::Rejected(_)));
    assert_eq!(
        ana.told(),
        ["session.step_up success [0]", "session.sign_in failure [2]", "session.sign_in failure [0]"],
        "a code that comes twice is a warning, a wrong one is not"
    );

    let codes = ana.auth.issue_recovery_codes(&ana.fresh(&issued)).await.unwrap();
    let Step::TotpRequired(flow) = ana.by_password().await else { panic!("no code was asked for") };
    let used = flow.verify_recovery_code(&codes.expose().next().unwrap()).await.unwrap();
    assert!(matches!(used, TotpStep::Done(_)));
    assert_eq!(ana.told(), ["session.recovery_issue success [0]", "session.recovery_use success [2]"]);

    let replaced = ana.auth.replace_totp(&ana.fresh(&issued)).await.unwrap().secret_base32().to_owned();
    let activated = ana.auth.confirm_totp(USER.into(), &ana.code(&replaced)).await.unwrap();
    assert_eq!((activated, ana.told()), (Activation::Activated, vec!["session.totp_replace success [0]".to_owned()]));

    let issued = ana.signed_in(Some(&replaced)).await;
    ana.auth.remove_totp(&ana.fresh(&issued)).await.unwrap();
    ana.enrolled().await;
    ana.auth.accounts().remove_totp(USER.into(), Uuid::from_u128(9).into()).await.unwrap();
    ana.auth.accounts().demand_mfa(USER.into(), MfaRule::Required).await.unwrap();
    assert_eq!(
        ana.told(),
        [
            "session.sign_in success [0]",
            "session.totp_remove success [0]",
            "session.totp_activate success [0]",
            "session.totp_remove success [2]",
            "session.mfa_rule success [0]",
        ],
        "a factor that somebody else removed is a warning"
    );
}

#[tokio::test]
async fn changes_of_a_session_and_of_what_one_signs_in_with_are_entries_with_their_severity() {
    let ana = Ana::new().await;
    let issued = ana.signed_in(None).await;
    let issued = ana.auth.rotate(issued.token()).await.unwrap().unwrap();
    let new = SecretString::from("staple a new horse");
    let changed = ana.auth.change_password(issued.token(), Ana::password(), new, &ana.client).await.unwrap();
    let PasswordChange::Changed(issued) = changed else { panic!("{changed:?}") };
    let change =
        ana.auth.request_identifier_change(&ana.fresh(&issued), "ana@bright.test", ConfirmBy::New).await.unwrap();
    let confirmed = ana.auth.confirm_identifier_change(&change.new).await.unwrap();
    assert_eq!(confirmed, IdentifierConfirmation::Changed(USER.into()));
    assert_eq!(
        ana.told(),
        [
            "session.sign_in success [0]",
            "session.rotate success [0]",
            "session.password_change success [0]",
            "session.identifier_change_request success [0]",
            "session.identifier_change success [2]",
        ]
    );
}

#[tokio::test]
async fn tokens_of_programs_are_entries_with_their_severity() {
    let ana = Ana::new().await;
    let (user, tokens) = (UserId::from(USER), ana.auth.api_tokens());
    let elsewhere = ClientInfo { ip: [198, 51, 100, 7].into(), user_agent: None };
    let use_it = async |text: &str, client: &ClientInfo| tokens.authenticate(text, client).await.unwrap().is_some();

    let issued = tokens.create(NewApiToken::new(user, "export", ["load.view", "load.edit"])).await.unwrap();
    let (id, text) = (issued.token().id, issued.reveal());
    assert!(use_it(&text, &ana.client).await && use_it(&text, &elsewhere).await);
    assert!(tokens.narrow(user, id, ["load.view"]).await.unwrap().is_some());
    let next = tokens.rotate(user, id, TokenLife::default(), Duration::ZERO).await.unwrap().unwrap();
    assert!(tokens.revoke(user, next.token().id).await.unwrap());
    assert!(!use_it(&next.reveal(), &ana.client).await);
    let bound = NewApiToken::new(user, "at the office", ["load.view"]).networks(["203.0.113.0/24".parse().unwrap()]);
    let bound = tokens.create(bound).await.unwrap().reveal();
    assert!(!use_it(&bound, &elsewhere).await);
    assert_eq!(tokens.revoke_all(user).await.unwrap(), 2, "the one that was rotated away is over, and not revoked");
    assert_eq!(
        ana.told(),
        [
            "api_token.create success [0]",
            "api_token.new_network success [2]",
            "api_token.narrow success [0]",
            "api_token.rotate success [0]",
            "api_token.revoke success [0]",
            "api_token.use denied [2]",
            "api_token.create success [0]",
            "api_token.use denied [2]",
            "api_token.revoke_all success [0]",
        ]
    );
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
