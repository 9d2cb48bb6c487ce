//! Findings as JSON.

use serde_json::{Value, json};

use super::LintReport;
use crate::finding::{Finding, Severity};

impl LintReport {
    /// The findings as a JSON document: `summary` with a count for each severity, and `findings` with `rule`, `severity`,
    /// `object`, `why`, `detail` and `fix`, the last two of which may be null. Keys are only ever added.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let finding = |finding: &Finding| {
            json!({
                "rule": finding.rule().id(),
                "severity": finding.severity().to_string(),
                "object": finding.object(),
                "why": finding.why(),
                "detail": finding.detail(),
                "fix": finding.fix(),
            })
        };
        json!({
            "summary": {
                "errors": self.count(Severity::Error),
                "warnings": self.count(Severity::Warning),
                "notices": self.count(Severity::Notice),
            },
            "findings": self.findings.iter().map(finding).collect::<Vec<_>>(),
        })
    }
}
