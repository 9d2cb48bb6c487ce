//! Measuring the compliance controls on the running system, as one tenant sees it.
//!
//! Every collector gets the login with the least rights that can read what it measures, and has until [`DEADLINE`]. A connection is given
//! back before the next one is taken: the embedded engine has one. What could not be found out is unknown, and what cannot be measured
//! here is left out; both count as not in place.

mod accounts;
mod attacks;
mod backup;
mod edge;
mod log;
mod probe;
mod recording;
mod schema;
mod statements;
mod supply;
mod tenant;

use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, Utc};
use stockade::{
    posture::{Assessment, Collector, Observation, run},
    session::tower::Visit,
};
use uuid::Uuid;

pub use recording::{earlier, record};

use crate::app::App;

/// How long one collector may take. One that takes longer is evidence of nothing.
const DEADLINE: Duration = Duration::from_secs(20);

/// Measures what can be measured for a tenant, and puts it beside what the audit log says of earlier assessments. `asking` is the
/// request that wants to know, if one does: it has a session's token at hand.
///
/// # Errors
/// When the database cannot be reached at all; a single measurement that fails becomes an unknown.
pub async fn assess(app: &App, tenant: Uuid, asking: Option<&Visit>) -> Result<Assessment> {
    let now = Utc::now();
    let earlier = earlier(app, tenant, now).await?;
    let own = tenant::measure(app, tenant, now).await?;
    let builder = Assessment::builder(now)
        .history(earlier.snapshots)
        .observe(own.seen)
        .observe(schema::measure(app, now).await?)
        .observe(accounts::measure(app, own.privileged, asking, now).await?)
        .observe(log::measure(app, tenant, now))
        .observe(measured(attacks::attempts(app, tenant), now).await)
        .observe(probe::measure(app, now).await)
        .observe([backup::measure(app, now)])
        .observe(edge::measure(app, now).await)
        .observe(supply::measure(now));
    Ok(statements::of(own.since)?.into_iter().fold(builder, |builder, statement| builder.attest(statement)).build())
}

async fn measured(collector: impl Collector, now: DateTime<Utc>) -> Vec<Observation> {
    run(collector, now, tokio::time::sleep(DEADLINE)).await
}
