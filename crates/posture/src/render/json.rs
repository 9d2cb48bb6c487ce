//! Canonical JSON: one way to write an assessment, so that its digest can be checked anywhere.

use chrono::NaiveDate;

use crate::{
    assessment::Assessment,
    fact::Fact,
    history::{Change, Drift},
    observation::Observation,
    remediation::Remediation,
    render::{NOTICE, Value, timestamp},
    result::ControlResult,
    statement::{Attestation, Plan},
    status::Status,
};

/// The shape of the document. It changes with every change that is not an addition.
const SCHEMA: &str = "stockade.posture/1";

/// The assessment as canonical JSON: keys sorted, whole numbers only, no blank between tokens, no line break at the end.
///
/// [`Assessment::digest`] is the SHA-256 of exactly these bytes. The form is that of RFC 8785 (JSON Canonicalization
/// Scheme) as long as the keys of facts are ASCII and counts stay within ±2^53. Each observation carries the digest of its own
/// canonical form.
///
/// ```
/// use chrono::Utc;
/// use stockade_posture::{Assessment, render};
///
/// let empty = Assessment::builder(Utc::now()).build();
/// assert!(render::json(&empty).ends_with(r#""schema":"stockade.posture/1","score":null,"trend":[]}"#));
/// ```
#[must_use]
pub fn json(assessment: &Assessment) -> String {
    let (coverage, freshness) = (assessment.coverage(), assessment.freshness());
    Value::object([
        ("at", timestamp(assessment.at()).into()),
        ("catalog_version", assessment.catalog_version().into()),
        ("controls", assessment.results().iter().map(result).collect()),
        (
            "coverage",
            Value::object([("applicable", coverage.applicable.into()), ("measured", coverage.measured.into())]),
        ),
        ("drift", assessment.drift().map_or(Value::Null, drift)),
        ("fix_next", assessment.fix_next().iter().map(remediation).collect()),
        (
            "freshness",
            Value::object([
                ("fresh", freshness.fresh.into()),
                ("outdated", freshness.outdated.into()),
                ("stale", freshness.stale.into()),
            ]),
        ),
        ("notice", NOTICE.into()),
        ("schema", SCHEMA.into()),
        (
            "score",
            assessment.score().map_or(Value::Null, |score| {
                let capped_by = score.capped_by.map_or(Value::Null, |id| id.as_str().into());
                Value::object([("capped_by", capped_by), ("points", u32::from(score.points).into())])
            }),
        ),
        ("trend", assessment.trend().scores().map(day_score).collect()),
    ])
    .to_string()
}

/// One observation in canonical form, without its digest.
pub(crate) fn canonical_observation(seen: &Observation) -> String {
    bare_observation(seen).to_string()
}

fn result(result: &ControlResult) -> Value {
    let control = result.control();
    Value::object([
        ("attainment", result.attainment().into()),
        ("attestation", result.attestation().map_or(Value::Null, attestation)),
        ("capability", control.capability.id().into()),
        ("criteria", control.criteria.iter().map(|c| format!("{}:{}", c.framework().id(), c.id()).into()).collect()),
        ("id", control.id.as_str().into()),
        ("max_age_seconds", control.max_age.as_secs().into()),
        ("measured", Value::Flag(result.is_measured())),
        ("method", control.method.word().into()),
        ("objective", control.objective.into()),
        ("observations", result.observations().iter().map(observation).collect()),
        ("passing", result.passing().into()),
        ("plan", result.plan().map_or(Value::Null, plan)),
        ("status", status(result.status())),
        ("subjects", result.subjects().into()),
        ("title", control.title.into()),
        ("weight", u32::from(control.weight.value()).into()),
    ])
}

fn status(status: &Status) -> Value {
    match status {
        Status::NotApplicable { reason, approved_by, until } => Value::object([
            ("approved_by", approved_by.into()),
            ("is", status.id().into()),
            ("reason", reason.into()),
            ("until", timestamp(*until).into()),
        ]),
        _ => Value::object([("is", status.id().into())]),
    }
}

fn observation(seen: &Observation) -> Value {
    match bare_observation(seen) {
        Value::Object(mut fields) => {
            fields.insert("digest", seen.digest().to_string().into());
            Value::Object(fields)
        }
        other => other,
    }
}

fn bare_observation(seen: &Observation) -> Value {
    let facts = seen.facts().iter().map(|(key, fact)| {
        let value = match fact {
            Fact::Count(count) => Value::Number(*count),
            Fact::Flag(flag) => Value::Flag(*flag),
            Fact::Name(name) => name.into(),
        };
        (*key, value)
    });
    Value::object([
        ("collected_at", timestamp(seen.collected_at()).into()),
        ("collector", seen.collector().into()),
        ("control", seen.control().as_str().into()),
        ("facts", Value::object(facts)),
        ("outcome", seen.outcome().word().into()),
        ("reason", seen.outcome().reason().map_or(Value::Null, Value::from)),
        ("remedy", seen.suggested_remedy().map_or(Value::Null, Value::from)),
        ("subject", seen.subject().as_str().into()),
    ])
}

fn attestation(attestation: &Attestation) -> Value {
    Value::object([
        ("by", attestation.by().into()),
        ("evidence", attestation.evidence_reference().map_or(Value::Null, Value::from)),
        ("given_at", timestamp(attestation.given_at()).into()),
        ("statement", attestation.statement().into()),
        ("valid_until", timestamp(attestation.valid_until()).into()),
    ])
}

fn plan(plan: &Plan) -> Value {
    Value::object([("due", timestamp(plan.due()).into()), ("owner", plan.owner().into())])
}

fn remediation(item: &Remediation) -> Value {
    Value::object([
        ("control", item.control.id.as_str().into()),
        ("due", item.due().map_or(Value::Null, |due| timestamp(due).into())),
        ("fix", item.control.fix.text().into()),
        ("owner", item.owner().map_or(Value::Null, Value::from)),
        ("points", u32::from(item.points).into()),
        ("severity", item.severity.word().into()),
        ("state", item.state.word().into()),
        ("verify", item.control.verify.into()),
        ("why", (&item.why).into()),
    ])
}

fn drift(drift: &Drift) -> Value {
    let change = |change: &Change| {
        Value::object([
            ("control", change.control.as_str().into()),
            ("direction", change.direction().word().into()),
            ("from", change.from.id().into()),
            ("to", change.to.id().into()),
        ])
    };
    Value::object([
        ("catalog_version", drift.catalog_version.into()),
        ("changes", drift.changes.iter().map(change).collect()),
        ("digest", drift.digest.to_string().into()),
        ("points", drift.points.map_or(Value::Null, |points| u32::from(points).into())),
        ("since", timestamp(drift.since).into()),
    ])
}

fn day_score((day, points): (NaiveDate, u8)) -> Value {
    Value::object([("day", day.to_string().into()), ("points", u32::from(points).into())])
}
