//! Findings as JUnit XML, which CI servers show as tests.

use std::fmt::Write as _;

use super::LintReport;
use crate::finding::{Finding, Rule};

impl LintReport {
    /// One test case for each rule; it fails when the rule found something, whatever its severity.
    #[must_use]
    pub fn to_junit(&self) -> String {
        let found = |rule: Rule| self.findings.iter().filter(move |finding| finding.rule() == rule);
        let (tests, failures) =
            (Rule::ALL.len(), Rule::ALL.iter().filter(|rule| found(**rule).next().is_some()).count());
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"rls-lint\" tests=\"{tests}\" failures=\"{failures}\">\n"
        );
        for rule in Rule::ALL.iter().copied() {
            xml.push_str(&format!("<testcase classname=\"rls-lint\" name=\"{}\">", rule.id()));
            let lines: Vec<String> = found(rule).map(Finding::to_string).collect();
            if !lines.is_empty() {
                let (kind, why, lines) = (rule.severity(), escape(rule.why()), escape(&lines.join("\n")));
                // Writing to a String does not fail.
                let _ = write!(xml, "<failure type=\"{kind}\" message=\"{why}\">{lines}</failure>");
            }
            xml.push_str("</testcase>\n");
        }
        xml.push_str("</testsuite>\n</testsuites>\n");
        xml
    }
}

/// XML 1.0 has no way to write most control characters; a finding escapes them before.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
