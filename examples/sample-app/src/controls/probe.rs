//! Every known kind of attack of one tenant on another, between two tenants that nobody has.

use chrono::{DateTime, TimeDelta, Utc};
use stockade::posture::{Collector, ControlId, Error, Observation, Outcome, Subject, from_fn, rls_migrations};

use super::measured;
use crate::{app::App, domain::inspection};

const NAME: &str = "freight.probe";
const CONTROLS: [ControlId; 1] = [ControlId::RLS_PROBE];
/// How long a probe in which everything held is told again. It is hundreds of statements on two logins.
const EVERY: TimeDelta = TimeDelta::hours(1);

pub(super) async fn measure(app: &App, now: DateTime<Utc>) -> Vec<Observation> {
    let _turn = app.watch.attacking.lock().await;
    let last = app.watch.told(NAME);
    let holds = |seen: &Observation| *seen.outcome() == Outcome::Pass && now - seen.collected_at() < EVERY;
    if !last.is_empty() && last.iter().all(holds) {
        return last;
    }
    let seen = measured(attack(app), now).await;
    app.watch.tell(NAME, seen.clone());
    seen
}

/// As the administrator, who can act as the login of requests, and over that login itself.
fn attack(app: &App) -> impl Collector {
    from_fn(NAME, &CONTROLS, async move |at| {
        let failed = |cause: anyhow::Error| Error::unavailable_because("the probe could not be made", cause);
        Ok(match inspection::probe(app).await.map_err(failed)? {
            Some(report) => rls_migrations::probed(&report, at),
            None => vec![embedded(at)],
        })
    })
}

fn embedded(at: DateTime<Utc>) -> Observation {
    let why = "the embedded engine has one connection and catches no error: the probe needs a PostgreSQL server";
    Observation::unknown(ControlId::RLS_PROBE, Subject::new("isolation probe"), at, why).by(NAME)
}
