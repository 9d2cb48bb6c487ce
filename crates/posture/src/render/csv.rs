//! An assessment as comma-separated values, for a spreadsheet.

use std::borrow::Cow;

use crate::{
    assessment::Assessment, fact::Fact, observation::Observation, render::timestamp, result::ControlResult,
    statement::Attestation, status::Status,
};

const COLUMNS: [&str; 15] = [
    "control",
    "title",
    "capability",
    "criteria",
    "weight",
    "method",
    "status",
    "subject",
    "outcome",
    "reason",
    "facts",
    "collected_at",
    "collector",
    "remedy",
    "digest",
];

/// The assessment as CSV (RFC 4180): a line of column names, then a line for each control and subject, lines that end in CR LF, times
/// in UTC.
///
/// An attestation is a line whose subject is who gave it. A control without evidence has one line with an empty subject, and so has
/// an exemption. A cell that a spreadsheet would take for a formula, because it begins with `=`, `+`, `-`, `@` or one of their
/// full-width forms, is prefixed with `'` (OWASP, CSV Injection). For programs there is [`json`](super::json()).
#[must_use]
pub fn csv(assessment: &Assessment) -> String {
    let mut out = String::new();
    write_line(&mut out, COLUMNS.map(Cow::Borrowed));
    for result in assessment.results() {
        let head = head(result);
        if let Some(attestation) = result.attestation() {
            write_line(&mut out, head.iter().cloned().chain(attested(attestation, result)));
        }
        for seen in result.observations() {
            write_line(&mut out, head.iter().cloned().chain(observed(seen)));
        }
        if result.subjects() == 0 || !result.is_applicable() {
            write_line(&mut out, head.into_iter().chain(nothing(result)));
        }
    }
    out
}

fn head(result: &ControlResult) -> [Cow<'_, str>; 7] {
    let control = result.control();
    let criteria: Vec<&str> = control.criteria.iter().map(|criterion| criterion.id()).collect();
    [
        control.id.as_str().into(),
        control.title.into(),
        control.capability.id().into(),
        criteria.join(" ").into(),
        control.weight.value().to_string().into(),
        control.method.word().into(),
        result.status().id().into(),
    ]
}

fn observed(seen: &Observation) -> [Cow<'_, str>; 8] {
    let facts: Vec<String> = seen
        .facts()
        .iter()
        .map(|(key, fact)| match fact {
            Fact::Count(count) => format!("{key}: {count}"),
            Fact::Flag(flag) => format!("{key}: {flag}"),
            Fact::Name(name) => format!("{key}: {name}"),
        })
        .collect();
    [
        seen.subject().as_str().into(),
        seen.outcome().word().into(),
        seen.outcome().reason().unwrap_or_default().into(),
        facts.join("; ").into(),
        timestamp(seen.collected_at()).into(),
        seen.collector().into(),
        seen.suggested_remedy().unwrap_or_default().into(),
        seen.digest().to_string().into(),
    ]
}

fn attested<'a>(attestation: &'a Attestation, result: &ControlResult) -> [Cow<'a, str>; 8] {
    let evidence = attestation.evidence_reference().map(|reference| format!("evidence: {reference}; "));
    let facts = format!("{}valid_until: {}", evidence.unwrap_or_default(), timestamp(attestation.valid_until()));
    [
        attestation.by().into(),
        if result.has_valid_attestation() { "attested" } else { "not valid" }.into(),
        attestation.statement().into(),
        facts.into(),
        timestamp(attestation.given_at()).into(),
        "attestation".into(),
        Cow::default(),
        Cow::default(),
    ]
}

/// A control without evidence, or an exempt one: why it has none.
fn nothing(result: &ControlResult) -> [Cow<'_, str>; 8] {
    let mut cells: [Cow<'_, str>; 8] = Default::default();
    let [_, outcome, reason, facts, ..] = &mut cells;
    match result.status() {
        Status::NotApplicable { reason: why, approved_by, until } => {
            *outcome = "exempt".into();
            *reason = why.into();
            *facts = format!("approved_by: {approved_by}; until: {}", timestamp(*until)).into();
        }
        _ => *outcome = "no evidence".into(),
    }
    cells
}

fn write_line<'a>(out: &mut String, cells: impl IntoIterator<Item = Cow<'a, str>>) {
    for (index, cell) in cells.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_cell(out, &cell);
    }
    out.push_str("\r\n");
}

fn write_cell(out: &mut String, cell: &str) {
    const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '\u{FF1D}', '\u{FF0B}', '\u{FF0D}', '\u{FF20}'];
    let guard = if cell.trim_start().starts_with(FORMULA) || cell.starts_with(FORMULA) { "'" } else { "" };
    if cell.contains(['"', ',', '\r', '\n']) {
        out.extend(["\"", guard, &cell.replace('"', "\"\""), "\""]);
    } else {
        out.extend([guard, cell]);
    }
}
