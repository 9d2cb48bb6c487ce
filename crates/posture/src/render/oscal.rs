//! An assessment as OSCAL assessment results, for the tools of governance and audit.

mod evidence;
mod finding;
mod parts;

use crate::{
    assessment::Assessment,
    render::{NOTICE, SCOPE, Value},
    status::Status,
};
use parts::{Ids, list, only, prop, props, time};

/// The version of OSCAL.
const OSCAL: &str = "1.2.2";

/// The assessment as an OSCAL 1.2.2 assessment-results document in JSON (NIST,
/// [OSCAL assessment layer](https://pages.nist.gov/OSCAL/learn/concepts/layer/assessment/assessment-results/)).
///
/// One result. A control that applies is a finding whose target is its objective: `satisfied` if it is in place, `not-satisfied`
/// otherwise. An exempt control is excluded, with the reason. Observations and attestations are observations (methods `TEST`, `EXAMINE` and
/// `INTERVIEW`), subjects are inventory items, what is to be fixed is a risk with its remediation, owner and deadline. The catalogue
/// stands in for an assessment plan, as a resource of the document. Texts from outside are escaped as Markdown, which OSCAL's markup is.
///
/// The same assessment gives the same bytes: keys are sorted, and every UUID is derived from the assessment's
/// [digest](Assessment::digest) (version 5, RFC 9562). Times outside the years 1900 to 2999, which OSCAL cannot write, are moved to
/// the nearest that it can.
#[must_use]
pub fn oscal(assessment: &Assessment) -> String {
    let ids = Ids::new(assessment.digest());
    let plan = ids.text("plan", "");
    let metadata = Value::object([
        ("last-modified", time(assessment.at())),
        ("oscal-version", OSCAL.into()),
        ("remarks", NOTICE.into()),
        ("title", "Compliance posture".into()),
        ("version", time(assessment.at())),
    ]);
    let plan_title = format!("Control catalogue of stockade-posture, version {}", assessment.catalog_version());
    let hash = Value::object([("algorithm", "SHA-256".into()), ("value", assessment.digest().to_string().into())]);
    let link = Value::object([
        ("hashes", Value::Array(vec![hash])),
        ("href", "posture.json".into()),
        ("media-type", "application/json".into()),
    ]);
    let resources = vec![
        Value::object([
            ("description", "What is assessed: every control of the catalogue, by the method that it names.".into()),
            ("title", plan_title.into()),
            ("uuid", (&plan).into()),
        ]),
        Value::object([
            ("rlinks", Value::Array(vec![link])),
            ("title", "The same assessment as canonical JSON".into()),
            ("uuid", ids.of("export", "")),
        ]),
    ];
    let results = Value::object([
        ("back-matter", Value::object([("resources", Value::Array(resources))])),
        ("import-ap", Value::object([("href", format!("#{plan}").into())])),
        ("metadata", metadata),
        ("results", Value::Array(vec![result(assessment, &ids)])),
        ("uuid", ids.of("document", "")),
    ]);
    Value::object([("assessment-results", results)]).to_string()
}

fn result(assessment: &Assessment, ids: &Ids) -> Value {
    let coverage = assessment.coverage();
    let score = assessment.score();
    let about = props([
        prop("score", score.map(|score| score.points.to_string())),
        prop("capped-by", score.and_then(|score| score.capped_by).map(|id| id.to_string())),
        prop("controls-measured", Some(coverage.measured.to_string())),
        prop("controls-applicable", Some(coverage.applicable.to_string())),
        prop("catalog-version", Some(assessment.catalog_version().to_string())),
        prop("json-sha256", Some(assessment.digest().to_string())),
    ]);
    let start = assessment.oldest_evidence().map_or(assessment.at(), |oldest| oldest.min(assessment.at()));
    let inventory = evidence::inventory(assessment, ids);
    only([
        ("description", Some(SCOPE.into())),
        ("end", Some(time(assessment.at()))),
        ("findings", list(assessment.results().iter().filter_map(|result| finding::finding(result, ids)))),
        ("local-definitions", list(inventory).map(|items| Value::object([("inventory-items", items)]))),
        ("observations", list(assessment.results().iter().flat_map(|result| evidence::observations(result, ids)))),
        ("props", about),
        ("reviewed-controls", Some(reviewed(assessment))),
        ("risks", list(assessment.fix_next().iter().map(|item| finding::risk(item, ids)))),
        ("start", Some(time(start))),
        ("title", Some("Controls measured on the running system".into())),
        ("uuid", Some(ids.of("result", ""))),
    ])
}

/// Every control but the exempt ones, and why they are.
fn reviewed(assessment: &Assessment) -> Value {
    let exempt = || assessment.results().iter().filter(|result| !result.is_applicable());
    let excluded = exempt().map(|result| Value::object([("control-id", result.control().id.as_str().into())]));
    let reasons: Vec<String> = exempt()
        .filter_map(|result| match result.status() {
            Status::NotApplicable { reason, approved_by, until } => Some(format!(
                "{}: {} (approved by {}, until {})",
                result.control().id,
                super::markdown::escape(reason),
                super::markdown::escape(approved_by),
                super::day(*until)
            )),
            _ => None,
        })
        .collect();
    let selection = only([
        ("exclude-controls", list(excluded)),
        ("include-all", Some(Value::object([]))),
        ("remarks", (!reasons.is_empty()).then(|| reasons.join("\n\n").into())),
    ]);
    Value::object([("control-selections", Value::Array(vec![selection]))])
}
