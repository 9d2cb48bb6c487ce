//! What the watch found last. Reading the whole log anew for each page would keep everybody waiting.

use chrono::{DateTime, Utc};
use stockade::posture::{ControlId, Observation, Subject, audit_chain};
use uuid::Uuid;

use crate::{
    app::App,
    watch::{Checkpointed, Found, Verified},
};

pub(super) fn measure(app: &App, tenant: Uuid, now: DateTime<Utc>) -> [Observation; 2] {
    [chain(app, tenant, now), anchored(app, now)]
}

/// A verification that nobody made is not in place.
fn chain(app: &App, tenant: Uuid, now: DateTime<Utc>) -> Observation {
    let subject = Subject::new("audit log of this tenant");
    match app.watch.verified(tenant.into()) {
        Some(Verified { at, report }) => audit_chain::chain_verified(subject, &report, at),
        None => Observation::unknown(ControlId::AUDIT_VERIFIES, subject, now, "not verified since the start"),
    }
}

fn anchored(app: &App, now: DateTime<Utc>) -> Observation {
    let missing = |why: &str| {
        Observation::unknown(ControlId::AUDIT_ANCHORED, Subject::new("checkpoints of the audit log"), now, why)
    };
    match app.watch.checkpointed() {
        Some(Checkpointed { at, found: Found::Answered(answer) }) => {
            audit_chain::checkpointed(&answer, at).unwrap_or_else(|| missing("another process makes them"))
        }
        Some(_) => missing("the last checkpoint could not be anchored"),
        None => missing("no checkpoint since the start"),
    }
}
