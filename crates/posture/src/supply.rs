//! What a pipeline leaves about the parts that are shipped: `supply.deny` and `supply.sbom`.
//!
//! Bytes in, observations out: the caller fetches the files from wherever the pipeline puts them. A file that is too long, that is not
//! what it should be, or that is dated in the future is unknown.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    control::ControlId,
    observation::{Observation, Subject},
    report::{Age, Report},
};

/// The longest file that is read, in bytes.
const MOST_BYTES: usize = 32 << 20;

/// How long both count.
const LIMIT: TimeDelta = TimeDelta::days(30);

/// The checks that cargo-deny has to have made.
const CHECKS: [&str; 4] = ["advisories", "bans", "licenses", "sources"];

const DENY: &str = "supply.deny";
const SBOM: &str = "supply.sbom";

/// Measures `supply.deny`: `output` is what `cargo deny --format json check` wrote to standard error at `made_at`.
///
/// One subject for each of the four checks, after the summary at the end of the output, and one for each crate that an error names. A check
/// that was not made is unknown, and so are all of them if there is no summary.
#[must_use]
pub fn deny(output: &[u8], made_at: DateTime<Utc>, at: DateTime<Utc>) -> Vec<Observation> {
    let unknown = |reason: &str| {
        vec![Observation::unknown(ControlId::SUPPLY_DENY, Subject::new("cargo deny"), at, reason).by(DENY)]
    };
    let fail = |subject: Subject, reason: String| Observation::fail(ControlId::SUPPLY_DENY, subject, at, reason);
    match Age::of(made_at, LIMIT, at) {
        Age::Future => return unknown("the file is dated in the future"),
        Age::Old => {
            let subject = Subject::new("cargo deny");
            return vec![fail(subject, "the dependencies were last checked more than 30 days ago".to_owned()).by(DENY)];
        }
        Age::Fresh => {}
    }
    if output.len() > MOST_BYTES {
        return unknown("the file is too long to be read");
    }
    let (mut crates, mut summary) = (BTreeMap::new(), None);
    // A line that cannot be read, such as one whose graph is too deep, costs a crate's name: the summary counts all of them.
    for line in output.split(|byte| *byte == b'\n').filter_map(|line| Report::parse(line, MOST_BYTES).ok()) {
        match line.text("/type") {
            Some("diagnostic") if line.text("/fields/severity") == Some("error") => {
                let code = line.text("/fields/code").unwrap_or("error").to_owned();
                crates.entry(blamed(&line)).or_insert(code);
            }
            Some("summary") => summary = Some(line),
            _ => {}
        }
    }
    let Some(summary) = summary else { return unknown("the file has no summary: the check did not end") };
    let checks = CHECKS.map(|check| {
        let subject = Subject::new(check);
        match summary.number(&format!("/fields/{check}/errors")) {
            Some(0) => Observation::pass(ControlId::SUPPLY_DENY, subject, made_at),
            Some(errors) => fail(subject, format!("{errors} findings")).fact("errors", errors),
            None => Observation::unknown(ControlId::SUPPLY_DENY, subject, at, "this check was not made"),
        }
    });
    let crates = crates.into_iter().filter_map(|(blamed, code): (Option<(String, String)>, String)| {
        let (name, version) = blamed?;
        let seen = fail(Subject::new(format!("crate {name} {version}")), code);
        Some(seen.remedy(format!("cargo tree --invert {name}@{version}, then update or replace it")))
    });
    checks.into_iter().chain(crates).map(|seen| seen.by(DENY)).collect()
}

/// The crate that a diagnostic is about, if it says so.
fn blamed(line: &Report) -> Option<(String, String)> {
    let name = line.text("/fields/graphs/0/Krate/name")?;
    let version = line.text("/fields/graphs/0/Krate/version").unwrap_or_default();
    Some((name.to_owned(), version.to_owned()))
}

/// The program that a bill of materials has to be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running<'a> {
    /// Its name: `env!("CARGO_PKG_NAME")`.
    pub name: &'a str,
    /// Its version: `env!("CARGO_PKG_VERSION")`.
    pub version: &'a str,
}

/// Measures `supply.sbom`: `bill` is a bill of materials in CycloneDX JSON, as cargo-cyclonedx and cargo-sbom write it.
///
/// It passes if it is of this very program and version, lists at least one part and was made within 30 days before `at`. The
/// observation is as old as the bill, so that it runs out by itself.
#[must_use]
pub fn sbom(bill: &[u8], running: Running<'_>, at: DateTime<Utc>) -> Observation {
    let Running { name, version } = running;
    let subject = || Subject::new(format!("{name} {version}"));
    let unknown = |reason: &str| Observation::unknown(ControlId::SUPPLY_SBOM, subject(), at, reason).by(SBOM);
    let bill = match Report::parse(bill, MOST_BYTES) {
        Ok(bill) if bill.text("/bomFormat") == Some("CycloneDX") => bill,
        Ok(_) => return unknown("it is not a bill of materials in CycloneDX"),
        Err(reason) => return unknown(reason),
    };
    let Some(made_at) = bill.time("/metadata/timestamp") else { return unknown("the bill of materials has no date") };
    let listed = bill.text("/metadata/component/name").zip(bill.text("/metadata/component/version"));
    let parts = bill.list("/components").len();
    let fail = |reason: String| Observation::fail(ControlId::SUPPLY_SBOM, subject(), at, reason);
    let seen = match (Age::of(made_at, LIMIT, at), listed) {
        (Age::Future, _) => return unknown("the bill of materials is dated in the future"),
        (_, None) => fail("the bill of materials does not say what it is of".to_owned()),
        (_, Some(listed)) if listed != (name, version) => {
            fail(format!("the bill of materials is of {} {}", listed.0, listed.1))
        }
        (Age::Old, _) => fail("the bill of materials is more than 30 days old".to_owned()),
        (Age::Fresh, _) if parts == 0 => fail("the bill of materials lists no part".to_owned()),
        (Age::Fresh, _) => Observation::pass(ControlId::SUPPLY_SBOM, subject(), made_at),
    };
    seen.fact("parts", parts).fact("days_old", at.signed_duration_since(made_at).num_days()).by(SBOM)
}
