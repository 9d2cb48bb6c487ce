//! Observations and attestations as OSCAL observations, subjects as inventory items.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::parts::{Ids, list, markup, only, prop, props, time};
use crate::{
    assessment::Assessment,
    control::{Control, Method},
    fact::Fact,
    observation::Observation,
    render::Value,
    result::ControlResult,
    statement::Attestation,
};

/// Every subject, once.
pub(super) fn inventory(assessment: &Assessment, ids: &Ids) -> Vec<Value> {
    let seen = assessment.results().iter().flat_map(ControlResult::observations);
    let subjects: BTreeSet<&str> = seen.map(|seen| seen.subject().as_str()).collect();
    let item = |name: &str| Value::object([("description", markup(name)), ("uuid", ids.of("subject", name))]);
    subjects.into_iter().map(item).collect()
}

pub(super) fn observations(result: &ControlResult, ids: &Ids) -> Vec<Value> {
    let attested = result.attestation().map(|attestation| attested(result, attestation, ids));
    let observed = result.observations().iter().map(|seen| observed(result.control(), seen, ids));
    attested.into_iter().chain(observed).collect()
}

/// The identifiers of a control's observations, as [`observations`] gives them.
pub(super) fn related(result: &ControlResult, ids: &Ids) -> Option<Value> {
    let attested = result.attestation().map(|_| ids.of("attestation", result.control().id.as_str()));
    let observed = result.observations().iter().map(|seen| id(seen, ids));
    list(attested.into_iter().chain(observed).map(|id| Value::object([("observation-uuid", id)])))
}

/// No control has a NUL in its name, so control and subject cannot run together.
fn id(seen: &Observation, ids: &Ids) -> Value {
    ids.of("observation", &format!("{}\0{}", seen.control(), seen.subject()))
}

fn observed(control: &Control, seen: &Observation, ids: &Ids) -> Value {
    let subject = Value::object([
        ("subject-uuid", ids.of("subject", seen.subject().as_str())),
        ("title", markup(seen.subject().as_str())),
        ("type", "inventory-item".into()),
    ]);
    let facts = seen.facts().iter().map(|(key, fact)| {
        let value = match fact {
            Fact::Count(count) => count.to_string(),
            Fact::Flag(flag) => flag.to_string(),
            Fact::Name(name) => name.clone(),
        };
        Value::object([("description", markup(&format!("{key}: {value}")))])
    });
    let (outcome, reason) = (seen.outcome().word(), seen.outcome().reason());
    only([
        ("collected", Some(time(seen.collected_at()))),
        (
            "description",
            Some(markup(&reason.map_or_else(|| outcome.to_owned(), |reason| format!("{outcome}: {reason}")))),
        ),
        ("expires", Some(time(expiry(control, seen.collected_at())))),
        ("methods", Some(Value::Array(vec![method(control.method)]))),
        (
            "props",
            props([
                prop("control", Some(control.id.to_string())),
                prop("outcome", Some(outcome.to_owned())),
                prop("collector", Some(seen.collector().to_owned())),
                prop("sha256", Some(seen.digest().to_string())),
            ]),
        ),
        ("relevant-evidence", list(facts)),
        ("remarks", seen.suggested_remedy().map(markup)),
        ("subjects", Some(Value::Array(vec![subject]))),
        ("title", Some(control.title.into())),
        ("types", Some(Value::Array(vec!["control-objective".into()]))),
        ("uuid", Some(id(seen, ids))),
    ])
}

fn attested(result: &ControlResult, attestation: &Attestation, ids: &Ids) -> Value {
    let control = result.control();
    let evidence =
        attestation.evidence_reference().map(|reference| Value::object([("description", markup(reference))]));
    let outcome = if result.has_valid_attestation() { "attested" } else { "not valid" };
    only([
        ("collected", Some(time(attestation.given_at()))),
        ("description", Some(markup(attestation.statement()))),
        ("expires", Some(time(attestation.valid_until()))),
        ("methods", Some(Value::Array(vec!["INTERVIEW".into()]))),
        (
            "props",
            props([
                prop("control", Some(control.id.to_string())),
                prop("outcome", Some(outcome.to_owned())),
                prop("attested-by", Some(attestation.by().to_owned())),
            ]),
        ),
        ("relevant-evidence", list(evidence)),
        ("title", Some(control.title.into())),
        ("types", Some(Value::Array(vec!["control-objective".into()]))),
        ("uuid", Some(ids.of("attestation", control.id.as_str()))),
    ])
}

/// The last moment at which evidence of that time is fresh.
fn expiry(control: &Control, collected_at: DateTime<Utc>) -> DateTime<Utc> {
    let max_age = TimeDelta::from_std(control.max_age).unwrap_or(TimeDelta::MAX);
    collected_at.checked_add_signed(max_age).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// The methods of NIST SP 800-53A, in OSCAL's words.
fn method(method: Method) -> Value {
    match method {
        Method::Test => "TEST",
        Method::Examine => "EXAMINE",
        Method::Attest => "INTERVIEW",
    }
    .into()
}
