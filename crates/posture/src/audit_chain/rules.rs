//! The control `audit.append_only`: the rules around the log, compared with those that the migrations made.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use stockade_audit_chain::postgres::{Deviation, Health, health};

use crate::{
    collector::{Collector, from_fn},
    control::ControlId,
    observation::{Observation, Subject},
    postgres::read_only::{close, open, unreadable},
};

const NAME: &str = "audit_chain.rules";

const CONTROLS: [ControlId; 1] = [ControlId::AUDIT_APPEND_ONLY];

/// Measures `audit.append_only`: owners, grants, triggers, policies, functions and roles of the log, against the manifest that is
/// compiled into the program.
///
/// Any role may ask. A role outside the log's groups does not see which tables are captured, which is a deviation.
pub fn rules(connection: &mut PgConnection) -> impl Collector {
    from_fn(NAME, &CONTROLS, async move |at| {
        let mut reading = open(connection).await?;
        let seen = health(&mut *reading).await.map(|health| rules_compared(&health, at)).map_err(unreadable);
        close(reading, seen).await
    })
}

/// What the rules around the audit log say of [`ControlId::AUDIT_APPEND_ONLY`]: one pass while they are the ones that the
/// migrations made, and otherwise a failure for each table, function or role that is not as it was made.
#[must_use]
pub fn rules_compared(health: &Health, collected_at: DateTime<Utc>) -> Vec<Observation> {
    let control = ControlId::AUDIT_APPEND_ONLY;
    let mut objects: BTreeMap<&str, Vec<&Deviation>> = BTreeMap::new();
    for deviation in &health.deviations {
        objects.entry(&deviation.subject).or_default().push(deviation);
    }
    if objects.is_empty() {
        return vec![Observation::pass(control, Subject::new("rules of the audit log"), collected_at).by(NAME)];
    }
    let fail = |(object, deviations): (&str, Vec<&Deviation>)| {
        let first = deviations.first().map(ToString::to_string).unwrap_or_default();
        Observation::fail(control, Subject::new(object), collected_at, first)
            .fact("deviations", deviations.len())
            .by(NAME)
    };
    objects.into_iter().map(fail).collect()
}
