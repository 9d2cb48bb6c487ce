//! What strangers meet: the limits at the doors, and the public address.

use chrono::{DateTime, TimeDelta, Utc};
use stockade::posture::{
    ControlId, Observation, Subject,
    ratelimit::{self, Door, Doors},
};

use super::measured;
use crate::{
    app::App,
    limits::{CODE_ADDRESS, Limits, RESET_ACCOUNT, SIGN_IN_ACCOUNT, SIGN_IN_ADDRESS},
};

const DOORS: &str = "limits at the doors";
/// How long a test of the limits is told again. Each test is a breach of every rule, and as such an entry of the platform's log.
const DOORS_EVERY: TimeDelta = TimeDelta::hours(1);

pub(super) async fn measure(app: &App, now: DateTime<Utc>) -> Vec<Observation> {
    let mut seen = tried(app, now).await;
    // This process serves plain HTTP to this machine. Where there is a public address, ask it and judge the answer by `edge::hsts`.
    let public = Subject::new("public address");
    seen.push(Observation::unknown(
        ControlId::TRANSPORT_TLS,
        public,
        now,
        "there is none that could be asked over HTTPS",
    ));
    seen
}

async fn tried(app: &App, now: DateTime<Utc>) -> Vec<Observation> {
    let last = app.watch.told(DOORS);
    if !last.is_empty() && last.iter().all(|seen| now - seen.collected_at() < DOORS_EVERY) {
        return last;
    }
    let doors = Doors::new()
        .rule(Door::SignIn, SIGN_IN_ACCOUNT)
        .rule(Door::SignIn, SIGN_IN_ADDRESS)
        .rule(Door::OneTimeCode, CODE_ADDRESS)
        .rule(Door::PasswordReset, RESET_ACCOUNT)
        // Whoever has an account was invited.
        .without(Door::SignUp);
    let seen = match &app.limits {
        Limits::Memory(limiter) => measured(ratelimit::doors(limiter, doors), now).await,
        Limits::Redis(limiter) => measured(ratelimit::doors(limiter, doors), now).await,
    };
    app.watch.tell(DOORS, seen.clone());
    seen
}
