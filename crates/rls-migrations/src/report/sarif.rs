//! Findings as SARIF 2.1.0 (OASIS), which code hosts show beside a change.

use serde_json::{Value, json};

use super::LintReport;
use crate::finding::{Finding, Rule, Severity};

impl LintReport {
    /// The findings as a SARIF 2.1.0 log of one run. Every rule is described, also those that found nothing; the identity
    /// of a rule is [`Rule::id`]. A database has no source lines, so a result is at a logical location, the object, and at the
    /// artifact `artifact`: the path, in the repository, of the declaration or of the migrations, because some code hosts show
    /// nothing without one.
    #[must_use]
    pub fn to_sarif(&self, artifact: &str) -> Value {
        json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": {
                    "name": env!("CARGO_PKG_NAME"),
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": Rule::ALL.iter().copied().map(rule).collect::<Vec<_>>(),
                }},
                "results": self.findings.iter().map(|finding| result(finding, artifact)).collect::<Vec<_>>(),
                "columnKind": "utf16CodeUnits",
            }],
        })
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Notice => "note",
    }
}

fn rule(rule: Rule) -> Value {
    json!({
        "id": rule.id(),
        "name": format!("{rule:?}"),
        "shortDescription": { "text": rule.summary() },
        "fullDescription": { "text": rule.why() },
        "help": { "text": format!("{} {}.", rule.summary(), rule.why()) },
        "defaultConfiguration": { "level": level(rule.severity()) },
    })
}

fn result(finding: &Finding, artifact: &str) -> Value {
    let mut text = format!("{}: {}", finding.object(), finding.why());
    for more in [finding.detail(), finding.fix()].into_iter().flatten() {
        text.push('\n');
        text.push_str(more);
    }
    json!({
        "ruleId": finding.rule().id(),
        "ruleIndex": Rule::ALL.iter().position(|rule| *rule == finding.rule()),
        "level": level(finding.severity()),
        "message": { "text": text },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": artifact },
                "region": { "startLine": 1 },
            },
            "logicalLocations": [{ "fullyQualifiedName": finding.object() }],
        }],
        // What a code host knows a finding by from one run to the next.
        "partialFingerprints": { "ruleAndObject/v1": format!("{}:{}", finding.rule().id(), finding.object()) },
    })
}
