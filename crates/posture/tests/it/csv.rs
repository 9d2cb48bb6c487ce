//! The CSV, read back with an implementation that is not ours.

use proptest::prelude::*;
use stockade_posture::{Assessment, ControlId, Observation, Subject, catalog, render};

use crate::evidence::{evidence, filled_with, hostile, now};

fn read(csv: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(false).from_reader(csv.as_bytes());
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// What a spreadsheet takes for the beginning of a formula.
fn is_formula(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'])
}

proptest! {
    /// Hostile text stays in its cell: the same lines, the same number of cells, and no cell is a formula.
    #[test]
    fn hostile_text_stays_text(text in hostile()) {
        let (hostile, harmless) = (read(&render::csv(&filled_with(&text))), read(&render::csv(&filled_with("x"))));
        prop_assert_eq!(hostile.len(), harmless.len());
        for (hostile, harmless) in hostile.iter().zip(&harmless) {
            prop_assert_eq!(&hostile[..7], &harmless[..7]);
            prop_assert!(!hostile.iter().any(|cell| is_formula(cell)), "{:?}", hostile);
        }
    }

    /// What is read back is what was observed, subject by subject.
    #[test]
    fn every_control_and_subject_has_its_line(evidence in evidence()) {
        let assessment = evidence.assess();
        let rows = read(&render::csv(&assessment));
        let mut lines = rows.iter().skip(1);
        for result in assessment.results() {
            let whole = result.control().id.as_str();
            if let Some(attestation) = result.attestation() {
                let line = lines.next().unwrap();
                prop_assert_eq!((line[0].as_str(), line[7].as_str()), (whole, attestation.by()));
            }
            for seen in result.observations() {
                let line = lines.next().unwrap();
                let digest = seen.digest().to_string();
                prop_assert_eq!(
                    [&line[0], &line[6], &line[7], &line[8], &line[14]],
                    [whole, result.status().id(), seen.subject().as_str(), seen.outcome().word(), &digest]
                );
            }
            if result.subjects() == 0 || !result.is_applicable() {
                prop_assert_eq!(lines.next().unwrap()[0].as_str(), whole);
            }
        }
        prop_assert_eq!(lines.next(), None);
    }
}

#[test]
fn a_formula_is_guarded_wherever_it_stands() {
    for text in ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "＝1", "\t=1", " =1", "=1,\"2\""] {
        let seen = Observation::fail(ControlId::RLS_FORCED, Subject::new(text), now(), text).remedy(text).by(text);
        let rows = read(&render::csv(&Assessment::builder(now()).observe([seen]).build()));
        let line = rows.iter().find(|line| line[8] == "fail").unwrap();
        for cell in [7, 9, 12, 13] {
            assert_eq!(line[cell], format!("'{}", text.trim()), "{cell}");
        }
    }
}

#[test]
fn it_begins_with_names_and_ends_its_lines_as_rfc_4180_says() {
    let csv = render::csv(&filled_with("x"));
    assert!(csv.starts_with("control,title,capability,criteria,weight,method,status,subject,outcome,"));
    assert!(csv.ends_with("\r\n") && csv.lines().count() > catalog().count());
    assert_eq!(csv.matches('\n').count(), csv.matches("\r\n").count());
}

/// An exemption says who approved it, whatever was observed before.
#[test]
fn an_exemption_has_its_line() {
    let rows = read(&render::csv(&filled_with("x")));
    let line = rows.iter().find(|line| line[0] == "crypto.disposal").unwrap();
    assert_eq!(
        line[6..11],
        ["not_applicable", "", "exempt", "xx", "approved_by: xx; until: 2026-04-03T09:00:00.000000Z"]
    );
}
