//! Accounts and sessions, sound and weakened on purpose.

mod cookie;

use std::{num::NonZeroUsize, time::Duration};

use chrono::Utc;
use secrecy::SecretString;
use sqlx::PgPool;
use stockade_posture::session::{Strength, adoption, identifiers, limits, passwords, privileged};
use stockade_session::{
    Argon2Params, Auth, ClientInfo, DangerouslyPlainSeeds, HashPool, HashPoolConfig, Issued, KeyRing, NewAccount,
    SessionLimits, Step, TotpSeed,
    postgres::{PgStore, migrator},
};
use uuid::Uuid;

use crate::support::{acting_as, assert_lost, change, lost, measured, told};

const PASSWORD: &str = "correct horse battery";

fn user(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn desk(pool: &PgPool, params: Argon2Params, limits: SessionLimits) -> Auth {
    let config = HashPoolConfig { params, workers: NonZeroUsize::new(1).unwrap(), queue: 16 };
    Auth::builder(PgStore::new(pool.clone()), KeyRing::single(1, (7..39).collect::<Vec<u8>>()).unwrap())
        .hash_pool(HashPool::new(config).unwrap())
        .seed_cipher(DangerouslyPlainSeeds)
        .limits(limits)
        .build()
        .unwrap()
}

fn strong() -> Argon2Params {
    Argon2Params::new(19_456, 2, 1).unwrap()
}

/// Three accounts, of which the first two have a second factor.
async fn accounts(pool: &PgPool) -> Auth {
    migrator().run(pool).await.unwrap();
    let auth = desk(pool, strong(), SessionLimits::default());
    for number in 1..=3 {
        let identifier = format!("user-{number}@acme.test");
        let account = NewAccount { user: user(number).into(), tenant: user(0xac).into(), identifier: &identifier };
        auth.accounts().create(account, PASSWORD.into()).await.unwrap();
        if number < 3 {
            let seed = TotpSeed::from_bytes(*b"12345678901234567890").unwrap();
            auth.accounts().import_totp(user(number).into(), seed).await.unwrap();
        }
    }
    auth
}

/// Signs the third user in, who has no second factor.
async fn sign_in(auth: &Auth) -> Issued {
    let client = ClientInfo { ip: "203.0.113.7".parse().unwrap(), user_agent: None };
    let flow = auth.begin("user-3@acme.test", &client).await.unwrap();
    let step = flow.verify_password(SecretString::from(PASSWORD)).await.unwrap();
    let Step::Done(flow) = step else { unreachable!("the account has no second factor") };
    auth.issue(flow).await.unwrap()
}

#[sqlx::test]
async fn privileged_people_with_a_second_factor_pass(pool: PgPool) {
    accounts(&pool).await;
    let mut auth = acting_as(&pool, "stockade_auth").await;
    let people = [(user(1), "owner"), (user(2), "owner"), (user(2), "accountant"), (user(2), "accountant")];
    let seen = measured(privileged(&mut auth, people)).await;
    assert_eq!(told(&seen), ["mfa.privileged role accountant pass", "mfa.privileged role owner pass"]);
    assert_eq!((&seen[0].facts()["people"], &seen[1].facts()["enrolled"]), (&1.into(), &2.into()));
}

#[sqlx::test]
async fn a_removed_factor_fails_the_role_of_its_holder(pool: PgPool) {
    accounts(&pool).await;
    let mut auth = acting_as(&pool, "stockade_auth").await;
    let people = [(user(1), "owner"), (user(2), "accountant"), (user(3), "dispatcher")];
    change(&pool, "DELETE FROM stockade.auth_totp WHERE user_id = '00000000-0000-0000-0000-000000000002'").await;
    let seen = measured(privileged(&mut auth, people)).await;
    assert_eq!(
        told(&seen),
        [
            "mfa.privileged role accountant fail: people have no second factor",
            "mfa.privileged role dispatcher fail: people have no second factor",
            "mfa.privileged role owner pass",
        ]
    );
    // One that was begun and never confirmed is none.
    change(&pool, "UPDATE stockade.auth_totp SET active = false").await;
    let seen = measured(privileged(&mut auth, [(user(1), "owner")])).await;
    assert_eq!(told(&seen), ["mfa.privileged role owner fail: people have no second factor"]);
}

#[sqlx::test]
async fn privileged_people_without_accounts_are_unknown(pool: PgPool) {
    accounts(&pool).await;
    let mut auth = acting_as(&pool, "stockade_auth").await;
    let seen = measured(privileged(&mut auth, [(user(77), "owner")])).await;
    let reason = "none of its people has an active account";
    assert_eq!(told(&seen), [format!("mfa.privileged role owner unknown: {reason}")]);
    let nobody: [(Uuid, &str); 0] = [];
    assert_eq!(measured(privileged(&mut auth, nobody)).await[0].outcome().word(), "unknown");
    // The application's role does not see accounts.
    change(&pool, "GRANT USAGE ON SCHEMA stockade TO PUBLIC").await;
    let mut app = acting_as(&pool, "stockade_app").await;
    let seen = measured(privileged(&mut app, [(user(1), "owner")])).await;
    let reason = "the database refused this role what is to be read";
    assert_eq!(told(&seen), [format!("mfa.privileged session.privileged unknown: {reason}")]);
    assert_lost(&measured(privileged(&mut lost(&pool).await, [(user(1), "owner")])).await);
}

#[sqlx::test]
async fn adoption_at_its_target_passes(pool: PgPool) {
    accounts(&pool).await;
    let mut auth = acting_as(&pool, "stockade_auth").await;
    assert_eq!(told(&measured(adoption(&mut auth, 66)).await), ["mfa.all accounts pass"]);
    // Whoever cannot sign in does not count.
    change(&pool, "UPDATE stockade.auth_account SET status = 'suspended' WHERE identifier LIKE 'user-3%'").await;
    assert_eq!(told(&measured(adoption(&mut auth, 100)).await), ["mfa.all accounts pass"]);
}

#[sqlx::test]
async fn adoption_below_its_target_fails(pool: PgPool) {
    accounts(&pool).await;
    let mut auth = acting_as(&pool, "stockade_auth").await;
    let seen = measured(adoption(&mut auth, 67)).await;
    assert_eq!(told(&seen), ["mfa.all accounts fail: fewer accounts than the target have a second factor"]);
    assert_eq!((&seen[0].facts()["active"], &seen[0].facts()["enrolled"]), (&3.into(), &2.into()));
}

#[sqlx::test]
async fn adoption_among_nobody_is_unknown(pool: PgPool) {
    migrator().run(&pool).await.unwrap();
    let mut auth = acting_as(&pool, "stockade_auth").await;
    let reason = "no active account is visible to this connection";
    assert_eq!(told(&measured(adoption(&mut auth, 0)).await), [format!("mfa.all accounts unknown: {reason}")]);
    assert_lost(&measured(adoption(&mut lost(&pool).await, 50)).await);
}

const CURRENT: Strength = Strength::Argon2id { memory_kib: 19_456, passes: 2 };
const STRONG: &str = "password.hash passwords under argon2id of 19456 KiB and 2 passes";

#[sqlx::test]
async fn passwords_at_the_current_strength_pass(pool: PgPool) {
    accounts(&pool).await;
    let mut auth = acting_as(&pool, "stockade_auth").await;
    let seen = measured(passwords(&mut auth, CURRENT)).await;
    assert_eq!(told(&seen), [format!("{STRONG} pass")]);
    assert_eq!(seen[0].facts()["accounts"], 3.into());
}

#[sqlx::test]
async fn weakened_passwords_fail_by_their_parameters(pool: PgPool) {
    accounts(&pool).await;
    let weak = desk(&pool, Argon2Params::dangerously_weak(), SessionLimits::default());
    let account = NewAccount { user: user(9).into(), tenant: user(0xac).into(), identifier: "weak@acme.test" };
    weak.accounts().create(account, PASSWORD.into()).await.unwrap();
    change(
        &pool,
        "UPDATE stockade.auth_account SET password_hash = '$2b$04$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW' WHERE identifier LIKE 'user-1%';
         UPDATE stockade.auth_account SET password_hash = '5f4dcc3b5aa765d61d8327deb882cf99' WHERE identifier LIKE 'user-2%'",
    )
    .await;
    let mut auth = acting_as(&pool, "stockade_auth").await;
    let seen = measured(passwords(&mut auth, CURRENT)).await;
    let below = "fail: they are below what OWASP accepts";
    assert_eq!(
        told(&seen),
        [
            "password.hash passwords under another algorithm fail: they are neither argon2id nor bcrypt".to_owned(),
            format!("password.hash passwords under bcrypt of cost 4 {below}"),
            format!("{STRONG} pass"),
            format!("password.hash passwords under argon2id of 8 KiB and 1 passes {below}"),
        ]
    );
    assert!(!format!("{seen:?}").contains("5f4dcc3b"), "no part of a hash is told");
    // A program that was set to little calls that current; OWASP does not.
    let weak = Strength::Argon2id { memory_kib: 8, passes: 1 };
    let seen = told(&measured(passwords(&mut auth, weak)).await);
    assert_eq!(seen[3], format!("password.hash passwords under argon2id of 8 KiB and 1 passes {below}"));
    let stronger = Strength::Argon2id { memory_kib: 65_536, passes: 3 };
    let seen = told(&measured(passwords(&mut auth, stronger)).await);
    assert_eq!(seen[2], format!("{STRONG} fail: they are weaker than argon2id of 65536 KiB and 3 passes"));
    let seen = told(&measured(passwords(&mut auth, Strength::Bcrypt { cost: 12 })).await);
    assert_eq!(seen[2], format!("{STRONG} fail: they are weaker than bcrypt of cost 12"));
}

#[sqlx::test]
async fn passwords_that_nobody_sees_are_unknown(pool: PgPool) {
    migrator().run(&pool).await.unwrap();
    let mut auth = acting_as(&pool, "stockade_auth").await;
    let seen = measured(passwords(&mut auth, CURRENT)).await;
    assert_eq!(seen[0].outcome().word(), "unknown", "there is no account");
    assert_lost(&measured(passwords(&mut lost(&pool).await, CURRENT)).await);
}

#[sqlx::test]
async fn sessions_within_their_limits_pass(pool: PgPool) {
    let desk = accounts(&pool).await;
    let issued = sign_in(&desk).await;
    let mut auth = acting_as(&pool, "stockade_auth").await;
    let seen = measured(limits(&mut auth, SessionLimits::default())).await;
    assert_eq!(told(&seen), ["session.policy live sessions pass"]);
    assert_eq!(seen[0].facts()["live"], 1.into());
    let seen = measured(identifiers(&mut auth, issued.session().sid, issued.token())).await;
    assert_eq!(told(&seen), ["session.policy session identifiers pass"]);
}

#[sqlx::test]
async fn sessions_that_live_too_long_fail(pool: PgPool) {
    accounts(&pool).await;
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    let long = SessionLimits::new(hours(1), hours(12)).unwrap();
    sign_in(&desk(&pool, strong(), long)).await;
    let mut auth = acting_as(&pool, "stockade_auth").await;
    let seen = told(&measured(limits(&mut auth, SessionLimits::default())).await);
    assert_eq!(seen, ["session.policy live sessions fail: sessions may be idle for longer than the limit"]);
    let tighter = SessionLimits::new(hours(1), hours(11)).unwrap();
    let seen = told(&measured(limits(&mut auth, tighter)).await);
    assert_eq!(seen, ["session.policy live sessions fail: sessions live for longer than the limit"]);
    // A tenant's policy binds the sessions that are there already.
    change(
        &pool,
        "INSERT INTO stockade.auth_version (scope, id, version, idle_seconds, absolute_seconds)
         VALUES ('tenant', '00000000-0000-0000-0000-0000000000ac', 1, 900, 3600)
         ON CONFLICT (scope, id) DO UPDATE SET idle_seconds = 900, absolute_seconds = 3600;
         UPDATE stockade.auth_session SET tenant_version = (SELECT version FROM stockade.auth_version WHERE scope = 'tenant')",
    )
    .await;
    let seen = told(&measured(limits(&mut auth, tighter)).await);
    assert_eq!(seen, ["session.policy live sessions pass"]);
}

/// What a leak of the table would give away.
#[sqlx::test]
async fn a_stored_token_fails(pool: PgPool) {
    let desk = accounts(&pool).await;
    let issued = sign_in(&desk).await;
    let mut auth = acting_as(&pool, "stockade_auth").await;
    let store = "UPDATE stockade.auth_session SET user_agent = $1";
    sqlx::query(store).bind(issued.token().expose().as_str()).execute(&pool).await.unwrap();
    let seen = measured(identifiers(&mut auth, issued.session().sid, issued.token())).await;
    let reason = "the token itself is stored, and not a hash of it";
    assert_eq!(told(&seen), [format!("session.policy session identifiers fail: {reason}")]);
    assert!(!format!("{seen:?}").contains(issued.token().expose().as_str()));
}

#[sqlx::test]
async fn sessions_that_nobody_sees_are_unknown(pool: PgPool) {
    let desk = accounts(&pool).await;
    let mut auth = acting_as(&pool, "stockade_auth").await;
    let seen = told(&measured(limits(&mut auth, SessionLimits::default())).await);
    assert_eq!(seen, ["session.policy live sessions unknown: no session is alive"]);
    let issued = sign_in(&desk).await;
    let other = user(5).into();
    let seen = told(&measured(identifiers(&mut auth, other, issued.token())).await);
    assert_eq!(seen, ["session.policy session identifiers unknown: the session is not among the stored ones"]);
    assert_lost(&measured(limits(&mut lost(&pool).await, SessionLimits::default())).await);
    let seen = measured(identifiers(&mut lost(&pool).await, issued.session().sid, issued.token())).await;
    assert_lost(&seen);
    assert!(Utc::now() >= seen[0].collected_at());
}
