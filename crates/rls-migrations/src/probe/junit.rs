//! The report as JUnit XML, for a pipeline that shows it beside its tests.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite, XmlString};

use super::report::{ProbeReport, ProbeRow, Verdict};

impl ProbeReport {
    /// The report as JUnit XML: a suite for each object, a case for each attempt. A leak is a failure, what was not tested is
    /// skipped with its reason, a known channel passes and says what closes it.
    #[cfg_attr(docsrs, doc(cfg(feature = "junit")))]
    #[must_use]
    pub fn to_junit(&self) -> String {
        let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
        for row in self.rows() {
            let suite = suites.entry(row.object()).or_insert_with(|| TestSuite::new(row.object()));
            suite.add_test_case(case(row));
        }
        let mut report = Report::new("isolation");
        report.add_test_suites(suites.into_values());
        // The writer only fails on text that is no XML, which `XmlString` has taken out.
        report.to_string().unwrap_or_default()
    }
}

fn case(row: &ProbeRow) -> TestCase {
    let status = match row.verdict() {
        Verdict::Held | Verdict::Known(_) => TestCaseStatus::success(),
        Verdict::Untested(reason) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason.as_str());
            status
        }
        Verdict::Leaked => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let (sentence, expected) = (row.attempt().sentence(), row.attempt().expected());
            status.set_message(format!("tenant A {sentence}: expected {expected}, seen {}", row.seen()));
            status
        }
    };
    let mut case = TestCase::new(row.attempt().id(), status);
    case.set_classname(row.object());
    if let Verdict::Known(control) = row.verdict() {
        case.set_system_out(XmlString::new(format!("closed by: {control}")));
    }
    case
}
