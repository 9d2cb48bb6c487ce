//! The doors of an application, and limits that do not hold.

use std::{future::pending, num::NonZeroU32, sync::Mutex, time::Duration};

use chrono::Utc;
use stockade_posture::{
    ControlId, Observation, Outcome,
    ratelimit::{Door, Doors, doors},
    run,
};
use stockade_ratelimit::{
    Cost, Error, FingerprintKey, Key, Limiter, Lockout, Mode, Rule,
    store::{Ask, Intent, OnStoreError, SharedLimiter, Standing, Store},
};

const MINUTE: Duration = Duration::from_secs(60);

fn units(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap()
}

fn limiter() -> Limiter {
    let builder = Limiter::builder()
        .rule(Rule::lockout("sign-in.account", Lockout::pci_dss()))
        .rule(Rule::exact("sign-in.address", units(20), MINUTE))
        .rule(Rule::window("sign-up.address", units(1_000), MINUTE))
        .rule(Rule::gcra("code.address", units(5_000), MINUTE))
        .rule(Rule::gcra_strict("reset.address", units(6), MINUTE, units(2)))
        .rule(Rule::exact("reset.account", units(3), MINUTE).in_mode(Mode::Shadow))
        .rule(Rule::exact("reset.network", units(3), MINUTE).in_mode(Mode::Off))
        .rule(Rule::exact("new.names", units(3), MINUTE).for_new_keys());
    builder.capacity(64).build().unwrap()
}

fn sound() -> Doors {
    Doors::new()
        .rule(Door::SignIn, "sign-in.account")
        .rule(Door::SignIn, "sign-in.address")
        .rule(Door::SignUp, "sign-up.address")
        .rule(Door::OneTimeCode, "code.address")
        .rule(Door::PasswordReset, "reset.address")
}

async fn measured(limiter: &Limiter, at: Doors) -> Vec<Observation> {
    run(doors(limiter, at), Utc::now(), pending()).await
}

fn told(seen: &[Observation]) -> Vec<String> {
    assert!(seen.iter().all(|o| o.control() == ControlId::RATELIMIT_AUTH));
    let reason = |o: &Observation| o.outcome().reason().map_or_else(String::new, |reason| format!(": {reason}"));
    seen.iter().map(|o| format!("{} {}{}", o.subject(), o.outcome().word(), reason(o))).collect()
}

#[tokio::test]
async fn doors_that_close_pass() {
    let limiter = limiter();
    let seen = measured(&limiter, sound()).await;
    assert!(seen.iter().all(|o| *o.outcome() == Outcome::Pass), "{seen:?}");
    let refused: Vec<_> = seen.iter().map(|o| o.facts()["refused_after"].clone()).collect();
    assert_eq!(refused, [10, 20, 1_000, 5_000, 2].map(Into::into));
    // The key of the measurement is forgotten, and nobody else's was touched.
    assert!(limiter.snapshot().rules.iter().all(|rule| rule.keys_tracked == 0));
    assert!(limiter.check(&[("sign-in.address", Key::account("ana@acme.test"))], Cost::ONE).unwrap().allowed);
    assert_eq!(measured(&limiter, sound()).await.len(), 5, "again");
}

#[tokio::test]
async fn a_door_that_stays_open_fails_by_its_name() {
    let doors = Doors::new()
        .rule(Door::SignIn, "sign-in.acount")
        .rule(Door::PasswordReset, "reset.account")
        .rule(Door::PasswordReset, "reset.network")
        .without(Door::SignUp);
    assert_eq!(
        told(&measured(&limiter(), doors).await),
        [
            "one-time code fail: no rule stands at this door",
            "sign-in: sign-in.acount fail: the limiter has no rule of this name",
            "password reset: reset.account fail: it counts and refuses nothing",
            "password reset: reset.network fail: it is switched off",
        ]
    );
}

#[tokio::test]
async fn a_limit_that_cannot_be_tried_is_unknown() {
    let full = Limiter::builder().rule(Rule::exact("reset", units(3), MINUTE)).capacity(1).build().unwrap();
    for name in 0..100 {
        let _ = full.check(&[("reset", Key::account(&name.to_string()))], Cost::ONE).unwrap();
    }
    let only = |rule| {
        Doors::new()
            .rule(Door::PasswordReset, rule)
            .without(Door::SignIn)
            .without(Door::SignUp)
            .without(Door::OneTimeCode)
    };
    let seen = told(&measured(&full, only("reset")).await);
    assert_eq!(seen, ["password reset: reset unknown: the limiter has no place for another key"]);
    let seen = told(&measured(&limiter(), only("new.names")).await);
    assert_eq!(seen, ["password reset: new.names unknown: a budget of new keys keeps nobody from guessing"]);
}

/// A store that counts, one that says yes to everything, and one that is down.
enum Shelf {
    Counts(Mutex<u32>),
    Forgets,
    Down,
}

impl Store for Shelf {
    async fn decide(&self, asks: &[Ask], cost: u32, _: Intent) -> Result<Vec<Standing>, Error> {
        let mut used = match self {
            Self::Counts(used) => used.lock().unwrap(),
            Self::Forgets => return Ok(asks.iter().map(|_| Standing::default()).collect()),
            Self::Down => return Err(Error::store("connection refused")),
        };
        let standing = |ask: &Ask| {
            let wait = if used.saturating_add(cost) > ask.limit { 1_000_000 } else { 0 };
            Standing { used: *used, wait, ..Standing::default() }
        };
        let standings: Vec<Standing> = asks.iter().map(standing).collect();
        if standings.iter().all(|standing| standing.wait == 0) {
            *used += cost;
        }
        Ok(standings)
    }

    async fn release(&self, _: &[(Ask, u64)], _: u32) -> Result<(), Error> {
        Ok(())
    }

    async fn surcharge(&self, _: &[Ask], _: u32) -> Result<(), Error> {
        Ok(())
    }
}

async fn shared(shelf: Shelf) -> Vec<String> {
    let closed = OnStoreError::Closed;
    let limiter = SharedLimiter::builder(shelf, FingerprintKey::new([7; 32]), closed)
        .rule(Rule::exact("sign-in", units(5), MINUTE))
        .build()
        .unwrap();
    let only = Doors::new()
        .rule(Door::SignIn, "sign-in")
        .without(Door::SignUp)
        .without(Door::OneTimeCode)
        .without(Door::PasswordReset);
    told(&run(doors(&limiter, only), Utc::now(), pending()).await)
}

#[tokio::test]
async fn a_limit_over_a_store_is_tried_in_the_store() {
    assert_eq!(shared(Shelf::Counts(Mutex::default())).await, ["sign-in: sign-in pass"]);
    assert_eq!(shared(Shelf::Forgets).await, ["sign-in: sign-in fail: it admitted more than its limit"]);
    assert_eq!(shared(Shelf::Down).await, ["sign-in: sign-in unknown: the limiter's store is down"]);
}
