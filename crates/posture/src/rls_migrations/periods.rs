//! The control `period.closed`: the guards of every declared posting table.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use stockade_rls_migrations::{Finding, Rule, Schema};

use super::{dotted, unreadable};
use crate::{
    collector::{Collector, from_fn},
    control::ControlId,
    error::Error,
    observation::{Observation, Subject},
    postgres::read_only::{close, open},
};

const NAME: &str = "rls_migrations.periods";

const CONTROLS: [ControlId; 1] = [ControlId::PERIOD_CLOSED];

/// Measures `period.closed`: that on each table with a declared
/// [`period_guard`](stockade_rls_migrations::Schema::period_guard) the triggers are there, enabled and as declared, and that what
/// they rest on is sound: their functions, their lock, and their sight of the periods.
///
/// Each posting table passes or fails by itself; what all of them rest on is a failure of its own, under its own name, and then no table
/// passes. A posting table that is not declared is not seen.
pub fn periods<'a>(connection: &'a mut PgConnection, schema: &'a Schema) -> impl Collector + 'a {
    from_fn(NAME, &CONTROLS, async move |at| {
        let mut reading = open(connection).await?;
        let seen = compare(&mut reading, schema, at).await;
        close(reading, seen).await
    })
}

async fn compare(reading: &mut PgConnection, schema: &Schema, at: DateTime<Utc>) -> Result<Vec<Observation>, Error> {
    let health = schema.health(reading).await.map_err(unreadable)?;
    let mut broken: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in health.findings() {
        if concerns(finding, schema) {
            broken.entry(finding.object()).or_default().push(finding);
        }
    }
    let postings: Vec<String> = schema.period_guards().map(|(table, _)| dotted(schema, table)).collect();
    if postings.is_empty() {
        return Ok(vec![]);
    }
    let foundations = broken.keys().filter(|object| !postings.iter().any(|table| table == *object)).count();
    let mut seen: Vec<Observation> = broken
        .iter()
        .map(|(object, findings)| {
            let first = findings.first();
            let reason = first.map_or_else(String::new, |finding| match finding.detail() {
                Some(detail) => format!("{}: {detail}", finding.why()),
                None => finding.why().to_owned(),
            });
            Observation::fail(ControlId::PERIOD_CLOSED, Subject::new(object), at, reason)
                .fact("findings", findings.len())
                .remedy("apply the plan of the declared schema: its next one restores the guards")
                .by(NAME)
        })
        .collect();
    if foundations == 0 {
        let whole = postings.iter().filter(|table| !broken.contains_key(table.as_str()));
        seen.extend(whole.map(|table| Observation::pass(ControlId::PERIOD_CLOSED, Subject::new(table), at).by(NAME)));
    }
    Ok(seen)
}

/// Whether a finding is about a period guard: about the table itself, its periods, or what all guards share. Append-only tables and
/// soft deletion have guards too.
fn concerns(finding: &Finding, schema: &Schema) -> bool {
    let object = finding.object();
    let guarded = |object: &str| {
        schema
            .period_guards()
            .any(|(table, periods)| object == dotted(schema, table) || object == dotted(schema, periods))
    };
    match finding.rule() {
        Rule::PeriodsHidden => true,
        Rule::UnprotectableTable => guarded(object),
        Rule::GuardBroken => {
            let of_deletion = object.starts_with("stockade.rls_undelete") || object.starts_with("stockade.rls_soft");
            guarded(object) || object == schema.name() || (object.starts_with("stockade.") && !of_deletion)
        }
        _ => false,
    }
}
