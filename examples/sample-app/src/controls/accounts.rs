//! Accounts and sessions of the installation: counts, and nobody's name.

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use stockade::{
    posture::{
        Observation, Outcome,
        session::{self, Strength},
    },
    session::{
        SessionLimits,
        tower::{Visit, Visitor},
    },
};
use uuid::Uuid;

use super::measured;
use crate::app::App;

/// Of a hundred accounts, as many have a second factor.
const ADOPTION: u8 = 95;
/// How passwords are hashed now: the session crate's default.
const HASHED: Strength = Strength::Argon2id { memory_kib: 19_456, passes: 2 };

const IDENTIFIERS: &str = "what is stored of a session";
/// How long that is told again where nobody asks who has a token.
const TOLD: TimeDelta = TimeDelta::days(1);

/// As the gate, which is the only login that reads accounts. `asking` is the request that wants to know, if one does.
pub(super) async fn measure(
    app: &App,
    privileged: Vec<(Uuid, String)>,
    asking: Option<&Visit>,
    now: DateTime<Utc>,
) -> Result<Vec<Observation>> {
    // The header as it is made; what a proxy in front makes of it is for a measurement from outside.
    let mut seen = vec![session::cookie(&app.cookies.clear_session(), now)];
    let mut gate = app.gate().acquire().await?;
    seen.extend(measured(session::limits(&mut gate, SessionLimits::default()), now).await);
    seen.extend(measured(session::passwords(&mut gate, HASHED), now).await);
    seen.extend(measured(session::privileged(&mut gate, privileged), now).await);
    seen.extend(measured(session::adoption(&mut gate, ADOPTION), now).await);
    drop(gate);
    seen.extend(identifiers(app, asking, now).await?);
    Ok(seen)
}

/// Only who asks has a token to look for. Without one, what the last request found is told again, for a day, or until another one finds
/// that it was mended.
async fn identifiers(app: &App, asking: Option<&Visit>, now: DateTime<Utc>) -> Result<Vec<Observation>> {
    if let Some(visit) = asking
        && let Some(token) = visit.token()
        && let Visitor::Own(session) = visit.visitor().await?
    {
        let mut gate = app.gate().acquire().await?;
        let seen = measured(session::identifiers(&mut gate, session.sid, token), now).await;
        app.watch.tell(IDENTIFIERS, seen);
    }
    let mut seen = app.watch.told(IDENTIFIERS);
    seen.retain(|seen| *seen.outcome() != Outcome::Pass || now - seen.collected_at() < TOLD);
    Ok(seen)
}
