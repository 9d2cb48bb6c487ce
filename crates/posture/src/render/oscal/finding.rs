//! Controls as OSCAL findings, and what is to be fixed as risks.

use super::{
    evidence,
    parts::{Ids, list, markup, only, prop, props, time},
};
use crate::{
    remediation::{Remediation, RemediationState},
    render::Value,
    result::{ControlResult, Standing},
    statement::Plan,
    status::StatusKind,
};

/// A control that applies.
pub(super) fn finding(result: &ControlResult, ids: &Ids) -> Option<Value> {
    let control = result.control();
    let (state, reason, implementation) = match (result.status().kind(), result.standing(), result.is_measured()) {
        (StatusKind::NotApplicable, ..) => return None,
        (StatusKind::InPlace, ..) => ("satisfied", "pass", Some("implemented")),
        (_, Standing::NotYet, measured) => {
            let planned = result.plan().is_some().then_some("planned");
            ("not-satisfied", if measured { "fail" } else { "other" }, planned)
        }
        (_, _, _) => ("not-satisfied", "fail", Some("partial")),
    };
    let implementation = implementation.map(|state| Value::object([("state", state.into())]));
    let words = format!("{} of {} subjects pass.", result.passing(), result.subjects());
    let status = Value::object([("reason", reason.into()), ("remarks", words.into()), ("state", state.into())]);
    let target = only([
        ("implementation-status", implementation),
        ("status", Some(status)),
        ("target-id", Some(control.id.as_str().into())),
        ("title", Some(control.title.into())),
        ("type", Some("objective-id".into())),
    ]);
    let criteria = control.criteria.iter().map(|criterion| {
        let name = format!("{}:{}", criterion.framework().id(), criterion.id());
        prop("criterion", Some(name))
    });
    let about = [
        prop("status", Some(result.status().id().to_owned())),
        prop("weight", Some(control.weight.value().to_string())),
        prop("attainment", Some(result.attainment().to_string())),
    ];
    let risk = (result.standing() != Standing::InPlace)
        .then(|| Value::object([("risk-uuid", ids.of("risk", control.id.as_str()))]));
    Some(only([
        ("description", Some(control.objective.into())),
        ("props", props(criteria.chain(about))),
        ("related-observations", evidence::related(result, ids)),
        ("related-risks", list(risk)),
        ("target", Some(target)),
        ("title", Some(control.title.into())),
        ("uuid", Some(ids.of("finding", control.id.as_str()))),
    ]))
}

/// What is to be fixed. Its identifier is the one that [`finding`] refers to.
pub(super) fn risk(item: &Remediation, ids: &Ids) -> Value {
    let control = item.control;
    let (status, lifecycle) = match item.state {
        RemediationState::Planned => ("remediating", "planned"),
        RemediationState::Open | RemediationState::Overdue => ("open", "recommendation"),
    };
    let fix = Value::object([
        ("description", markup(control.fix.text())),
        ("lifecycle", lifecycle.into()),
        ("remarks", markup(control.verify)),
        ("title", "Fix, and how to verify it".into()),
        ("uuid", ids.of("fix", control.id.as_str())),
    ]);
    only([
        ("deadline", item.due().map(time)),
        ("description", Some(control.objective.into())),
        (
            "props",
            props([
                prop("severity", Some(item.severity.word().to_owned())),
                prop("points-to-gain", Some(item.points.to_string())),
                prop("remediation-state", Some(item.state.word().to_owned())),
                prop("owner", item.plan.as_ref().map(Plan::owner).map(str::to_owned)),
            ]),
        ),
        ("remediations", Some(Value::Array(vec![fix]))),
        ("statement", Some(markup(&item.why))),
        ("status", Some(status.into())),
        ("title", Some(format!("Not in place: {}", control.title).into())),
        ("uuid", Some(ids.of("risk", control.id.as_str()))),
    ])
}
