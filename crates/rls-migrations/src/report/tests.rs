use super::*;
use crate::finding::Rule;

fn report() -> LintReport {
    let finding = |rule, object: &str, detail: Option<&str>, fix: Option<&str>| Finding {
        rule,
        object: object.to_owned(),
        detail: detail.map(str::to_owned),
        fix: fix.map(str::to_owned),
    };
    LintReport::new(vec![
        finding(Rule::SecurityDisabled, "s.<a>&\"\n\u{1}", Some("seen <x>"), None),
        finding(Rule::UnloggedTable, "s.b", None, Some("ALTER TABLE s.b\nSET LOGGED")),
    ])
}

#[test]
fn a_person_can_read_the_table() {
    let shown = report().to_string();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 5, "{shown}");
    assert!(lines[0].starts_with("error    rls-disabled    s.<a>&\\\"\\n\\u{1}  policies do nothing"), "{shown}");
    assert_eq!(lines[1], "         seen: seen <x>");
    assert_eq!(lines[3], "         fix:  ALTER TABLE s.b SET LOGGED;");
    assert_eq!(lines[4], "1 errors, 1 warnings, 0 notices");
}

#[test]
fn a_level_is_reached_by_what_is_as_bad_or_worse() {
    assert!(report().reaches(Severity::Notice) && report().reaches(Severity::Error));
    let one = LintReport::new(report().findings()[1..].to_vec());
    assert!(one.reaches(Severity::Warning) && !one.reaches(Severity::Error));
    assert!(!LintReport::new(Vec::new()).reaches(Severity::Notice));
}

#[test]
fn xml_holds_no_markup_of_a_name() {
    let xml = report().to_junit();
    assert!(xml.contains(&format!("tests=\"{}\" failures=\"2\"", Rule::ALL.len())), "{xml}");
    assert!(xml.contains("`s.&lt;a&gt;&amp;\\&quot;\\n\\u{1}`") && xml.contains("seen &lt;x&gt;"), "{xml}");
    assert_eq!(xml.matches("<testcase ").count(), Rule::ALL.len());
    assert!(xml.chars().all(|c| c == '\n' || !c.is_control()));
}

/// What the published schema of SARIF 2.1.0 requires of the objects that are written, and GitHub beyond it.
#[cfg(feature = "serde")]
#[test]
fn sarif_has_what_its_schema_requires() {
    let log = report().to_sarif("migrations/0001.sql");
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "stockade-rls-migrations");
    let rules = driver["rules"].as_array().unwrap();
    assert_eq!(rules.len(), Rule::ALL.len());
    let mut ids: Vec<&str> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), rules.len(), "an identity stands for one rule");
    for rule in rules {
        for text in ["shortDescription", "fullDescription", "help"] {
            assert!(!rule[text]["text"].as_str().unwrap().is_empty());
        }
        assert!(["error", "warning", "note"].contains(&rule["defaultConfiguration"]["level"].as_str().unwrap()));
    }
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let location = &result["locations"][0];
        assert_eq!(location["physicalLocation"]["artifactLocation"]["uri"], "migrations/0001.sql");
        assert!(location["logicalLocations"][0]["fullyQualifiedName"].is_string());
    }
}

#[cfg(feature = "serde")]
#[test]
fn json_has_its_documented_keys() {
    let json = report().to_json();
    assert_eq!(json["summary"]["errors"], 1);
    let finding = json["findings"][1].as_object().unwrap();
    let keys: std::collections::BTreeSet<&str> = finding.keys().map(String::as_str).collect();
    assert_eq!(Vec::from_iter(keys), ["detail", "fix", "object", "rule", "severity", "why"]);
    assert_eq!(finding["rule"], "unlogged-table");
    assert!(finding["detail"].is_null());
}
