//! What benchmarks tell `scripts/bench`.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, panic::catch_unwind, path::Path};

use serde_json::{Value, json};
use stockade_benches::{Report, Times};

fn told(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_result_carries_what_beside_what_their_values_the_ratio_and_the_bar() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.jsonl");
    let report = Report::to("tenant_guard", Some(path.clone()));
    let by_hand = "BEGIN, query with WHERE, COMMIT by hand";
    let named = ["scope", "scope with an actor", "scope with a lease", "set_config in a trip of its own", by_hand];
    let measured: Vec<_> = named.into_iter().zip([303.0, 330.0, 306.0, 450.0, 300.0]).collect();
    report.tell("a transaction with one query", &measured);
    let told = told(&path);
    assert_eq!(told.len(), 4);
    let expected = json!({
        "bench": "tenant_guard", "in": "a transaction with one query", "of": "scope", "over": by_hand, "unit": "ns",
        "faster": false, "at_most": 1.05, "at_least": null, "ours": 303.0, "theirs": 300.0, "ratio": 1.01,
    });
    assert_eq!(told.first(), Some(&expected));
}

#[test]
fn a_value_without_a_peer_has_no_ratio_and_results_are_added_to_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.jsonl");
    for bytes in [2.5, f64::NAN] {
        let report = Report::to("session_check", Some(path.clone()));
        report.tell("one request, write-ahead log", &[("check", bytes)]);
    }
    let told = told(&path);
    let values: Vec<_> =
        told.iter().map(|one| (&one["ours"], &one["theirs"], &one["ratio"], &one["at_most"])).collect();
    let (null, bar) = (Value::Null, json!(5.0));
    assert_eq!(values, [(&json!(2.5), &null, &null, &bar), (&null, &null, &null, &bar)]);
}

#[test]
fn a_ratio_of_rounds_is_the_median_within_a_round_and_faster_turns_it_around() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.jsonl");
    let report = Report::to("audit_read", Some(path.clone()));
    // The machine was slower in the second round: the ratio of the medians would be 0.5.
    let (verify, read) = (vec![10.0, 100.0, 20.0], vec![8.0, 80.0, 10.0]);
    report.tell_rounds("20,000 entries in PostgreSQL", &[("verify", verify), ("read the same rows", read)]);
    let told = told(&path);
    let one = told.first().unwrap();
    assert_eq!((&one["ours"], &one["theirs"], &one["ratio"]), (&json!(20.0), &json!(10.0), &json!(0.8)));
}

#[test]
fn times_that_criterion_asks_for_are_told_per_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.jsonl");
    let (report, times) = (Report::to("audit_sqlite", Some(path.clone())), Times::default());
    let mut runs = 0;
    let taken = times.of("verify", 4, || runs += 1);
    assert!(times.of("read the same rows", 1, || ()).as_secs() < 3_600);
    times.tell(&report, "10,000 entries in SQLite");
    let told = told(&path);
    assert_eq!(runs, 4);
    assert_eq!(told.first().unwrap()["ours"], json!(taken.as_nanos() as f64 / 4.0));
}

#[test]
fn what_bars_toml_does_not_name_cannot_be_told_and_what_it_names_has_to_be() {
    let rotation = "50,000 rows sealed anew";
    let said = |tell: &(dyn Fn() + std::panic::RefUnwindSafe)| {
        let panic = catch_unwind(tell).unwrap_err();
        panic.downcast_ref::<String>().cloned().unwrap()
    };
    assert_eq!(said(&|| drop(Report::to("unheard", None))), "bars.toml does not name `unheard`");
    let report = || Report::to("field_rotation", None);
    assert_eq!(said(&|| report().tell("unheard", &[])), "bars.toml has no row of `unheard` in `field_rotation`");
    assert_eq!(
        said(&|| report().tell(rotation, &[("Rewriter", 1.0)])),
        format!("`one statement a row` was not measured in `{rotation}`")
    );
    report().tell(rotation, &[("Rewriter", 1.0), ("one statement a row", 1.0)]);
}
