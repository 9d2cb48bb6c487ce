//! Histories: snapshots, drift, the trend and periods.

#[cfg(feature = "audit-chain")]
mod chain;
mod drift;
mod period;
mod snapshot;
mod trend;

use chrono::{DateTime, TimeDelta, Utc};
use stockade_posture::{Assessment, ControlId, Exemption, Observation, StatusKind, Subject, history::Snapshot};

/// An assessment at which one control has this status, and no other is measured.
pub(crate) fn assessed(at: DateTime<Utc>, id: ControlId, kind: StatusKind) -> Assessment {
    let builder = Assessment::builder(at);
    let seen = |name: &str| Observation::pass(id, Subject::new(name), at);
    let failed = Observation::fail(id, Subject::new("other"), at, "wrong");
    match kind {
        StatusKind::InPlace => builder.observe([seen("one")]),
        StatusKind::InProgress => builder.observe([seen("one"), failed]),
        StatusKind::NotYet => builder,
        StatusKind::NotApplicable => {
            builder.exempt(Exemption::new(id, "none kept", "officer", at + TimeDelta::days(1)))
        }
    }
    .build()
}

pub(crate) fn snapshot(at: DateTime<Utc>, id: ControlId, kind: StatusKind) -> Snapshot {
    assessed(at, id, kind).snapshot()
}
