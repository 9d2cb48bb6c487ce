//! Accounts and sessions of the installation: counts, and nobody's name.

use anyhow::Result;
use chrono::{DateTime, Utc};
use stockade::{
    posture::{
        Observation,
        session::{self, Strength},
    },
    session::SessionLimits,
};
use uuid::Uuid;

use super::measured;
use crate::app::App;

/// Of a hundred accounts, as many have a second factor.
const ADOPTION: u8 = 95;
/// How passwords are hashed now: the session crate's default.
const HASHED: Strength = Strength::Argon2id { memory_kib: 19_456, passes: 2 };

/// As the gate, which is the only login that reads accounts.
pub(super) async fn measure(
    app: &App,
    privileged: Vec<(Uuid, String)>,
    now: DateTime<Utc>,
) -> Result<Vec<Observation>> {
    // The header as it is made; what a proxy in front makes of it is for a measurement from outside.
    let mut seen = vec![session::cookie(&app.cookies.clear_session(), now)];
    let mut gate = app.gate().acquire().await?;
    seen.extend(measured(session::limits(&mut gate, SessionLimits::default()), now).await);
    seen.extend(measured(session::passwords(&mut gate, HASHED), now).await);
    seen.extend(measured(session::privileged(&mut gate, privileged), now).await);
    seen.extend(measured(session::adoption(&mut gate, ADOPTION), now).await);
    Ok(seen)
}
