//! Hashes of other systems, rules for new passwords, and the time of a refusal.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use stockade_session::{
    BcryptCost, BoxError, BreachList, ErrorKind, HashPool, HashPoolConfig, Hashing, NewAccount, OnOutage,
    PasswordProblem, PasswordRules, Peppers, Redemption, SecurityEvent, Severity, Step, Store,
    store::{Lookup, NewAccountRecord},
};
use uuid::Uuid;

use crate::support::*;

crate::on_every_store! {
    bcrypt_is_upgraded_at_sign_in
    bcrypt_upgrade_loses_to_a_reset
    pepper_spreads_at_sign_in
    legacy_refusals_are_alike
    refusals_take_their_time
    breached_passwords_are_refused
    bcrypt_only_refuses_what_it_would_cut
}

/// What another system has of Ana's password.
fn of_other_system(cost: u32) -> String {
    bcrypt::hash(PASSWORD, cost).unwrap()
}

async fn stored<S: Store>(store: &S) -> String {
    store.account(Lookup::User(user())).await.unwrap().unwrap().password_hash
}

async fn bcrypt_is_upgraded_at_sign_in<S: Store + Clone>(store: S) {
    for (id, cost) in [(1, 10), (2, 12)] {
        let desk = Desk::new(store.clone());
        let (name, hash) = (format!("bo{id}"), of_other_system(cost));
        let account = NewAccount { user: Uuid::from_u128(id).into(), tenant: tenant(), identifier: &name };
        desk.auth.accounts().import(account, &hash).await.unwrap();
        let now = async || store.account(Lookup::Identifier(&name)).await.unwrap().unwrap().password_hash;
        assert!(is_rejected(&desk.password(&name, "wrong").await));
        assert_eq!(now().await, hash, "a wrong password changes nothing");
        assert!(matches!(desk.password(&name, PASSWORD).await, Step::Done(_)));
        assert!(now().await.starts_with("$argon2id$"));
        assert!(matches!(desk.password(&name, PASSWORD).await, Step::Done(_)));
    }
    let desk = Desk::new(store);
    for bad in ["", "md5", "$2x$10$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "$pepper$1$2b$10$x"] {
        let error = desk.auth.accounts().import(ana(), bad).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bad}");
    }
}

/// The hash that a sign-in computed must not come after a password that was set meanwhile.
async fn bcrypt_upgrade_loses_to_a_reset<S: Store + Clone>(store: S) {
    let desk = Desk::new(store.clone());
    let hash = bcrypt::hash(PASSWORD, 4).unwrap();
    for round in 0..races(5) {
        let name = format!("user {round}");
        let id = Uuid::from_u128(0x1000 + u128::try_from(round).unwrap()).into();
        desk.auth.accounts().import(NewAccount { user: id, tenant: tenant(), identifier: &name }, &hash).await.unwrap();
        let token = desk.auth.request_reset(&name, &client()).await.unwrap().into_mail().unwrap().token;
        let other = client();
        let (_, redeemed) = tokio::join!(
            desk.password(&name, PASSWORD),
            desk.auth.redeem_reset(&token, "staple a new horse".into(), &other)
        );
        assert_eq!(redeemed.unwrap(), Redemption::Changed(id));
        assert!(is_rejected(&desk.password(&name, PASSWORD).await));
        assert!(matches!(desk.password(&name, "staple a new horse").await, Step::Done(_)));
    }
}

fn pool(hashing: Hashing) -> HashPool {
    let params = stockade_session::Argon2Params::dangerously_weak();
    HashPool::with(HashPoolConfig { params, ..HashPoolConfig::default() }, hashing).unwrap()
}

async fn pepper_spreads_at_sign_in<S: Store + Clone>(store: S) {
    let plain = Desk::with_ana(store.clone()).await;
    plain.sign_in().await;
    let with =
        |peppers| Desk::with(store.clone(), |builder| builder.hash_pool(pool(Hashing::default().peppers(peppers))));
    let one = with(Peppers::single(1, key(1)).unwrap());
    assert_eq!(one.auth.stats().await.unwrap().current_hashes, 0);
    one.sign_in().await;
    assert!(stored(&store).await.starts_with("$pepper$1$argon2id$"));
    assert_eq!(one.auth.stats().await.unwrap().current_hashes, 1);
    let two = with(Peppers::single(2, key(2)).unwrap().verify_only(1, key(1)).unwrap());
    two.sign_in().await;
    assert!(stored(&store).await.starts_with("$pepper$2$"));
    assert!(is_rejected(&one.password(ANA, PASSWORD).await), "without the pepper there is no guessing");
    let warned = one.events.take();
    assert!(warned.iter().any(|event| matches!(event, SecurityEvent::StoredHashRefused { .. })), "{warned:?}");
}

/// A wrong password against bcrypt answers as any other does, after one hash.
async fn legacy_refusals_are_alike<S: Store>(store: S) {
    let record = NewAccountRecord {
        user: Uuid::from_u128(1).into(),
        tenant: tenant(),
        identifier: "bo".to_owned(),
        password_hash: bcrypt::hash(PASSWORD, 4).unwrap(),
    };
    store.insert_account(&record).await.unwrap();
    let desk = Desk::with_ana(store).await;
    for identifier in ["bo", ANA, "nobody"] {
        let before = desk.pool.computed();
        assert_eq!(format!("{:?}", desk.password(identifier, "wrong").await), "Rejected(Rejected)");
        assert_eq!(desk.pool.computed() - before, 1);
    }
}

/// The clock stands still, so each refusal waits for the whole floor, and a success for nothing.
async fn refusals_take_their_time<S: Store>(store: S) {
    let slept = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&slept);
    let desk = Desk::with(store, |builder| {
        builder.refusal_floor(Duration::from_millis(500), move |time| {
            log.lock().unwrap().push(time);
            std::future::ready(())
        })
    });
    let desk = desk.add_ana().await;
    let taken = || std::mem::take(&mut *slept.lock().unwrap());
    let floor = vec![Duration::from_millis(500)];
    for (identifier, password) in [(ANA, "wrong"), ("nobody", "wrong"), ("", "wrong")] {
        assert!(is_rejected(&desk.password(identifier, password).await));
        assert_eq!(taken(), floor, "{identifier}");
    }
    let issued = desk.sign_in().await;
    assert_eq!(taken(), []);
    for identifier in [ANA, "nobody"] {
        let _ = desk.auth.request_reset(identifier, &client()).await.unwrap();
        assert_eq!(taken(), floor, "{identifier}");
    }
    let proof = stockade_session::Proof::Password("wrong".into());
    let _ = desk.auth.step_up(issued.token(), proof, &client()).await.unwrap();
    assert_eq!(taken(), floor);
    let desk = desk.add_totp().await;
    let _ = desk.pending().await.verify_totp("x").await.unwrap();
    let _ = desk.pending().await.verify_recovery_code("x").await.unwrap();
    assert_eq!(taken(), floor.repeat(2));
}

struct List(Mutex<Result<&'static str, &'static str>>);

impl BreachList for List {
    async fn contains(&self, password: &SecretString) -> Result<bool, BoxError> {
        let listed = *self.0.lock().unwrap();
        Ok(password.expose_secret() == listed?)
    }
}

async fn breached_passwords_are_refused<S: Store + Clone>(store: S) {
    let list = Arc::new(List(Mutex::new(Ok("correct horse battery staple"))));
    for (id, on_outage) in [(1, OnOutage::Accept), (2, OnOutage::Refuse)] {
        *list.0.lock().unwrap() = Ok("correct horse battery staple");
        let rules = PasswordRules::default().context_words(["Stockade"]).least_chars(10).unwrap();
        let rules = rules.breach_list(Arc::clone(&list), on_outage);
        let (memory, events) = (stockade_session::MemoryStore::default(), Arc::new(Events::default()));
        let desk = Desk::with(memory, |builder| builder.password_rules(rules).observer(Arc::clone(&events)));
        let name = format!("maria{id}@acme.test");
        let create = async |password: &str| {
            let account = NewAccount { user: Uuid::from_u128(id).into(), tenant: tenant(), identifier: &name };
            desk.auth.accounts().create(account, password.into()).await.map_err(|error| error.to_string())
        };
        for (password, message) in [
            ("123456789", "the password has too few characters"),
            ("correct horse battery staple", "the password is on a list of breached passwords"),
            ("my stockADE login", "the password contains the identifier or a word of the context"),
        ] {
            assert_eq!(create(password).await, Err(message.to_owned()));
        }
        assert!(create(&format!("x{name}")).await.is_err() && create(&format!("MARIA{id} is me")).await.is_err());
        *list.0.lock().unwrap() = Err("no answer");
        let outcome = create("correct horse battery staple").await;
        let warned = events.take();
        match on_outage {
            OnOutage::Accept => {
                assert_eq!(outcome, Ok(()));
                assert!(matches!(warned[..], [SecurityEvent::BreachListFailed]), "{warned:?}");
                assert_eq!(warned[0].severity(), Severity::Warning);
            }
            OnOutage::Refuse => {
                assert_eq!(outcome.unwrap_err(), "the list of breached passwords could not be asked");
                assert!(warned.is_empty());
            }
        }
    }
    assert!(PasswordRules::default().least_chars(7).is_err() && PasswordRules::default().least_chars(65).is_err());
    // A password in use is not held to the rules: it signs in.
    Desk::with_ana(store.clone()).await;
    let strict = PasswordRules::default().least_chars(64).unwrap();
    Desk::with(store, |builder| builder.password_rules(strict)).sign_in().await;
}

async fn bcrypt_only_refuses_what_it_would_cut<S: Store + Clone>(store: S) {
    let hashing = Hashing::bcrypt(BcryptCost::dangerously_weak());
    let desk = Desk::with(store.clone(), |builder| builder.hash_pool(pool(hashing)));
    let long = "x".repeat(72);
    assert_eq!(
        desk.auth.accounts().create(ana(), long.as_str().into()).await.unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    let desk = desk.add_ana().await;
    assert!(stored(&store).await.starts_with("$2b$04$"));
    desk.sign_in().await;
    let token = desk.auth.request_reset(ANA, &client()).await.unwrap().into_mail().unwrap().token;
    let redeemed = desk.auth.redeem_reset(&token, long.as_str().into(), &client()).await.unwrap();
    assert_eq!(redeemed, Redemption::Refused(PasswordProblem::TooLong));
}
