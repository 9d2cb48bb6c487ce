//! The files of a pipeline.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use stockade_posture::{
    Observation,
    supply::{Running, deny, sbom},
};

use crate::evidence::now;

/// What cargo-deny 0.20 wrote to standard error, shortened: one line each.
const CLEAN: &str = include_str!("../data/deny-clean.jsonl");
const BANNED: &str = include_str!("../data/deny-banned.jsonl");
const BILL: &str = include_str!("../data/sbom.json");

const RUNNING: Running<'_> = Running { name: "sample-app", version: "0.1.0" };

fn told(seen: &[Observation]) -> Vec<String> {
    let reason = |o: &Observation| o.outcome().reason().map_or_else(String::new, |reason| format!(": {reason}"));
    seen.iter().map(|o| format!("{} {} {}{}", o.control(), o.subject(), o.outcome().word(), reason(o))).collect()
}

fn yesterday() -> DateTime<Utc> {
    now() - TimeDelta::days(1)
}

/// The date of the bill of materials in the file.
fn made() -> DateTime<Utc> {
    "2026-03-03T09:00:00Z".parse().unwrap()
}

#[test]
fn a_check_without_a_finding_passes() {
    let seen = deny(CLEAN.as_bytes(), yesterday(), now());
    assert_eq!(
        told(&seen),
        [
            "supply.deny advisories pass",
            "supply.deny bans pass",
            "supply.deny licenses pass",
            "supply.deny sources pass"
        ]
    );
    assert!(seen.iter().all(|o| o.collected_at() == yesterday()), "as old as the check");
}

#[test]
fn a_finding_fails_by_the_name_of_its_crate() {
    let seen = deny(BANNED.as_bytes(), yesterday(), now());
    let remedy = seen.last().and_then(Observation::suggested_remedy);
    assert_eq!(remedy, Some("cargo tree --invert hex@0.4.3, then update or replace it"));
    assert_eq!(
        told(&seen),
        [
            "supply.deny advisories pass",
            "supply.deny bans fail: 1 findings",
            "supply.deny licenses pass",
            "supply.deny sources pass",
            "supply.deny crate hex 0.4.3 fail: banned",
        ]
    );
}

#[test]
fn a_check_of_long_ago_fails() {
    let seen = deny(CLEAN.as_bytes(), now() - TimeDelta::days(31), now());
    assert_eq!(told(&seen), ["supply.deny cargo deny fail: the dependencies were last checked more than 30 days ago"]);
}

#[test]
fn a_check_that_was_not_made_is_unknown() {
    let partial = r#"{"type":"summary","fields":{"bans":{"errors":0},"advisories":{"errors":"0"}}}"#;
    let lines = told(&deny(partial.as_bytes(), yesterday(), now()));
    assert_eq!(lines[1], "supply.deny bans pass");
    for check in [0, 2, 3] {
        assert!(lines[check].ends_with(" unknown: this check was not made"), "{lines:?}");
    }
    let unknown = |output: &str, made_at| told(&deny(output.as_bytes(), made_at, now())).concat();
    let ended = "supply.deny cargo deny unknown: the file has no summary: the check did not end";
    assert_eq!(unknown("", yesterday()), ended);
    assert_eq!(unknown(BANNED.lines().next().unwrap(), yesterday()), ended, "cut off");
    assert_eq!(unknown("error: no such manifest", yesterday()), ended);
    let future = unknown(CLEAN, now() + TimeDelta::hours(1));
    assert_eq!(future, "supply.deny cargo deny unknown: the file is dated in the future");
}

fn bill(change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let mut bill = serde_json::from_str(BILL).unwrap();
    change(&mut bill);
    serde_json::to_vec(&bill).unwrap()
}

#[test]
fn a_bill_of_the_running_version_passes() {
    let seen = sbom(BILL.as_bytes(), RUNNING, now());
    assert_eq!(told(std::slice::from_ref(&seen)), ["supply.sbom sample-app 0.1.0 pass"]);
    assert_eq!((seen.collected_at(), &seen.facts()["parts"]), (made(), &2.into()));
}

#[test]
fn a_bill_of_another_version_fails() {
    let fails = |bill: Vec<u8>, at| told(&[sbom(&bill, RUNNING, at)]).concat();
    let other = bill(|bill| bill["metadata"]["component"]["version"] = "0.0.9".into());
    let subject = "supply.sbom sample-app 0.1.0";
    assert_eq!(fails(other, now()), format!("{subject} fail: the bill of materials is of sample-app 0.0.9"));
    let nameless = bill(|bill| bill["metadata"]["component"] = "sample-app".into());
    assert_eq!(fails(nameless, now()), format!("{subject} fail: the bill of materials does not say what it is of"));
    let empty = bill(|bill| bill["components"] = serde_json::json!([]));
    assert_eq!(fails(empty, now()), format!("{subject} fail: the bill of materials lists no part"));
    let old = fails(BILL.into(), made() + TimeDelta::days(31));
    assert_eq!(old, format!("{subject} fail: the bill of materials is more than 30 days old"));
}

#[test]
fn a_file_that_is_no_bill_is_unknown() {
    let unknown = |file: &[u8]| sbom(file, RUNNING, now()).outcome().word() == "unknown";
    assert!(unknown(b"") && unknown(b"{}") && unknown(b"\xff") && unknown("[".repeat(10_000).as_bytes()));
    assert!(unknown(br#"{"spdxVersion":"SPDX-2.3"}"#) && unknown(br#"{"bomFormat":"CycloneDX"}"#));
    assert!(unknown(&bill(|bill| bill["metadata"]["timestamp"] = "2999-01-01T00:00:00Z".into())));
    assert!(unknown(&vec![b' '; 33 << 20]));
}

proptest! {
    /// Neither reader panics, and neither takes what it does not understand for a pass.
    #[test]
    fn readers_are_total(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(sbom(&bytes, RUNNING, now()).outcome().word(), "unknown");
        for seen in deny(&bytes, yesterday(), now()) {
            prop_assert_eq!(seen.outcome().word(), "unknown");
        }
    }

    /// A file that was cut anywhere but at its very end never passes for a whole one.
    #[test]
    fn a_file_that_was_cut_never_passes(at in 0..CLEAN.trim_end().len(), end in 0..BILL.trim_end().len()) {
        let cut = CLEAN.as_bytes().get(..at).unwrap();
        prop_assert!(deny(cut, yesterday(), now()).iter().all(|seen| seen.outcome().word() == "unknown"));
        prop_assert_eq!(sbom(BILL.as_bytes().get(..end).unwrap(), RUNNING, now()).outcome().word(), "unknown");
    }
}
