//! The OSCAL document against the schema that NIST publishes.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};
use stockade_posture::{Assessment, ControlId, Observation, Plan, Status, Subject, render};

use crate::evidence::{Evidence, evidence, filled_with, hostile, now};

/// Of the releases before and after 1.2.2: see tests/data/oscal/README.md.
const SCHEMAS: [&str; 2] = [
    include_str!("../data/oscal/assessment-results-1.2.1.json"),
    include_str!("../data/oscal/assessment-results-1.2.3.json"),
];

fn schemas() -> [Value; 2] {
    SCHEMAS.map(|schema| serde_json::from_str(schema).unwrap())
}

fn validators() -> Vec<jsonschema::Validator> {
    let build = |schema: &Value| jsonschema::options().should_validate_formats(true).build(schema).unwrap();
    schemas().iter().map(build).collect()
}

fn document(assessment: &Assessment) -> Value {
    serde_json::from_str(&render::oscal(assessment)).unwrap()
}

fn problems(validators: &[jsonschema::Validator], document: &Value) -> Vec<String> {
    let each = validators.iter().flat_map(|validator| validator.iter_errors(document));
    each.map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Every UUID that a key names, at any depth.
fn uuids(document: &Value, wanted: &str, found: &mut Vec<String>) {
    match document {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if key == wanted => found.push(text.clone()),
                    value => uuids(value, wanted, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| uuids(item, wanted, found)),
        _ => {}
    }
}

fn all(document: &Value, key: &str) -> Vec<String> {
    let mut found = vec![];
    uuids(document, key, &mut found);
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_assessment_is_valid(evidence in evidence()) {
        let problems = problems(&validators(), &document(&evidence.assess()));
        prop_assert!(problems.is_empty(), "{:?}", problems);
    }

    /// Hostile text leaves a document valid, and every place in it where it was.
    #[test]
    fn hostile_text_stays_text(text in hostile()) {
        let (hostile, harmless) = (document(&filled_with(&text)), document(&filled_with("x")));
        let problems = problems(&validators(), &hostile);
        prop_assert!(problems.is_empty(), "{:?}", problems);
        prop_assert_eq!(shape(&hostile), shape(&harmless));
        // A bracket after a backslash, which JSON doubles, is text.
        let text = markup(&hostile).to_string().replace("\\\\]", "");
        prop_assert!(!text.contains('<') && !text.contains("]("), "{}", text);
    }

    /// Every reference has an aim, and no two things share an identifier.
    #[test]
    fn every_reference_is_resolved(evidence in evidence()) {
        let document = document(&evidence.assess());
        let defined = all(&document, "uuid");
        let unique: BTreeSet<&String> = defined.iter().collect();
        prop_assert_eq!(unique.len(), defined.len());
        for key in ["observation-uuid", "risk-uuid", "subject-uuid"] {
            for reference in all(&document, key) {
                prop_assert!(unique.contains(&reference), "{} {}", key, reference);
            }
        }
        let plan = document["assessment-results"]["import-ap"]["href"].as_str().unwrap();
        prop_assert!(unique.contains(&plan.trim_start_matches('#').to_owned()));
    }

    #[test]
    fn findings_say_what_the_statuses_say(evidence in evidence()) {
        let assessment = evidence.assess();
        let document = document(&assessment);
        let findings = document["assessment-results"]["results"][0]["findings"].as_array().cloned().unwrap_or_default();
        let applicable: Vec<_> = assessment.results().iter().filter(|result| result.is_applicable()).collect();
        prop_assert_eq!(findings.len(), applicable.len());
        for (finding, result) in findings.iter().zip(applicable) {
            prop_assert_eq!(&finding["target"]["target-id"], result.control().id.as_str());
            let satisfied = finding["target"]["status"]["state"] == "satisfied";
            prop_assert_eq!(satisfied, *result.status() == Status::InPlace);
            let related = finding["related-observations"].as_array().map_or(0, Vec::len) as u64;
            prop_assert_eq!(related, result.subjects());
        }
    }
}

/// The document without its texts: what hostile text must not change. Identifiers follow the digest.
fn shape(document: &Value) -> Value {
    match document {
        Value::Object(fields) => {
            // A blank text is no property at all, so lists of properties may differ.
            let kept = fields.iter().filter(|(key, _)| *key != "props");
            kept.map(|(key, value)| (key.clone(), shape(value))).collect()
        }
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::String(_) => json!("text"),
        other => other.clone(),
    }
}

/// The document without its properties, whose values are plain text and no markup.
fn markup(document: &Value) -> Value {
    match document {
        Value::Object(fields) => {
            fields.iter().filter(|(key, _)| *key != "props").map(|(key, value)| (key.clone(), markup(value))).collect()
        }
        Value::Array(items) => items.iter().map(markup).collect(),
        other => other.clone(),
    }
}

/// That the neighbours of 1.2.2 say the same of these documents is no luck: they differ in one list of suggestions.
#[test]
fn the_releases_around_it_differ_in_nothing_that_binds() {
    let [mut before, mut after] = schemas();
    assert_ne!(before, after);
    for schema in [&mut before, &mut after] {
        schema["$id"] = json!("");
        let kinds =
            &mut schema["definitions"]["oscal-ar-oscal-implementation-common:system-component"]["properties"]["type"];
        assert_eq!(kinds["anyOf"][0], json!({"$ref": "#/definitions/StringDatatype"}), "any text is allowed");
        kinds["anyOf"] = json!(null);
    }
    assert_eq!(before, after);
}

/// A control: the validator finds what is wrong.
#[test]
fn the_validator_refuses_what_is_wrong() {
    let mut document = document(&filled_with("x"));
    assert_eq!(problems(&validators(), &document), [""; 0]);
    document["assessment-results"]["results"][0]["findings"][0]["target"]["status"]["state"] = json!("perhaps");
    document["assessment-results"]["uuid"] = json!("not-one");
    document["assessment-results"]["extra"] = json!(1);
    assert!(problems(&validators(), &document).len() >= 6);
}

#[test]
fn the_same_assessment_gives_the_same_bytes() {
    let (one, again) = (render::oscal(&filled_with("x")), render::oscal(&filled_with("x")));
    assert_eq!(one, again);
    let other = render::oscal(&filled_with("y"));
    let id = |text: &str| all(&serde_json::from_str(text).unwrap(), "uuid");
    assert!(id(&one).iter().all(|id| !other.contains(id)), "identifiers belong to one assessment");
    assert!(id(&one).iter().all(|id| id.as_bytes()[14] == b'5'));
}

#[test]
fn an_exempt_control_is_excluded_with_its_reason() {
    let selection =
        &document(&filled_with("x"))["assessment-results"]["results"][0]["reviewed-controls"]["control-selections"][0];
    assert_eq!(selection["exclude-controls"], json!([{"control-id": "crypto.disposal"}]));
    assert_eq!(selection["remarks"], "crypto.disposal: xx (approved by xx, until 2026-04-03)");
}

#[test]
fn a_plan_is_a_deadline() {
    let plan = Plan::new(ControlId::RLS_FORCED, "team", now() + TimeDelta::days(7));
    let evidence = Evidence { plans: vec![plan], ..Evidence::default() };
    let document = document(&evidence.assess());
    let risks = document["assessment-results"]["results"][0]["risks"].as_array().unwrap();
    let risk = risks.iter().find(|risk| risk["title"] == "Not in place: Row-level security forced").unwrap();
    assert_eq!((&risk["status"], &risk["deadline"]), (&json!("remediating"), &json!("2026-03-11T09:00:00.000000Z")));
}

/// OSCAL writes no year before 1900 and none after 2999.
#[test]
fn times_out_of_range_are_moved_into_it() {
    for year in [-5_000, 1, 1_899, 3_000, 9_999, 20_000] {
        let at: DateTime<Utc> = Utc.with_ymd_and_hms(year, 6, 1, 0, 0, 0).unwrap();
        let seen = Observation::pass(ControlId::RLS_FORCED, Subject::new("t"), at);
        let document = document(&Assessment::builder(now()).observe([seen]).build());
        assert_eq!(problems(&validators(), &document), [""; 0], "{year}");
    }
}
