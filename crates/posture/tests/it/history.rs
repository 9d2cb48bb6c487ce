//! Histories: snapshots, drift, the trend and periods.

#[cfg(feature = "audit-chain")]
mod chain;
mod drift;
mod period;
mod snapshot;
mod trend;

use std::{collections::BTreeMap, sync::Mutex};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use stockade_posture::{Assessment, ControlId, Exemption, Observation, StatusKind, Subject, history::Snapshot};

use crate::evidence::now;

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

/// The same as a snapshot, made of one that was made before: to assess takes a thousand times as long as to read.
pub(crate) fn snapshot(at: DateTime<Utc>, id: ControlId, kind: StatusKind) -> Snapshot {
    static MADE: Mutex<BTreeMap<(ControlId, StatusKind), String>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap();
    let text = made.entry((id, kind)).or_insert_with(|| assessed(now(), id, kind).snapshot().to_string());
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Micros, true);
    text.replace(&time(now()), &time(at)).parse().unwrap()
}
