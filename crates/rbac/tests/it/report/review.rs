//! The frozen list of grants, and the numbers about them.

use std::io;

use chrono::{DateTime, TimeDelta, Utc};
use stockade_rbac::{AccessReview, AccessStatistics, Finding, GrantRow, Partial, Policy};
use uuid::Uuid;

use crate::desk::Perm;

const POLICY: &str = r#"
    role = [
        { name = "viewer", grants.own = ["load.view"] },
        { name = "base", assignable = false },
        { name = "clerk", inherits = ["base"], grants.tenant = ["load.edit"] },
        { name = "auditor", grants.tenant = ["load.view"] },
        { name = "owner", owner = true, grants.tenant = ["load.view", "load.edit"] },
        { name = "support", staff = true },
        { name = "idle" },
    ]
    separation = [{ name = "look-and-touch", kind = "static", roles = ["auditor", "clerk"] }]
"#;

fn policy() -> Policy<Perm> {
    Policy::compile(POLICY).unwrap()
}

fn noon() -> DateTime<Utc> {
    "2025-03-01T12:00:00Z".parse().unwrap()
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn grants() -> Vec<GrantRow> {
    let day = TimeDelta::days(1);
    vec![
        GrantRow::role(id(1), "owner").granted(id(9), noon() - day),
        GrantRow::role(id(2), "owner").until(noon() + day),
        GrantRow::role(id(3), "owner").suspended(),
        GrantRow::role(id(4), "clerk"),
        GrantRow::role(id(4), "auditor"),
        GrantRow::role(id(4), "viewer"),
        GrantRow::role(id(5), "dispacher"),
        GrantRow::role(id(5), "base"),
        GrantRow::role(id(6), "viewer").until(noon()),
        GrantRow::allow(id(7), "load.edit", "tenant").until(noon() + day * 40).because("=cmd|' /C calc'!A0"),
        GrantRow::allow(id(7), "load.view", "region"),
        GrantRow::deny(id(7), "load.vew"),
        GrantRow::role(id(8), "support"),
        GrantRow::role(id(10), "clerk"),
        GrantRow::role(id(10), "auditor").until(noon() - day),
    ]
}

fn freeze(rows: Vec<GrantRow>) -> AccessReview {
    let expected = rows.len();
    AccessReview::freeze(&policy(), id(50), noon(), expected, rows.into_iter().map(Ok::<_, io::Error>)).unwrap()
}

#[test]
fn every_grant_is_in_the_review_with_what_there_is_to_look_at() {
    let review = freeze(grants());
    let findings: Vec<Vec<Finding>> = review.rows().map(|(_, findings)| findings.to_vec()).collect();
    let apart = || vec![Finding::Separation("look-and-touch".to_owned())];
    let expected = [
        vec![Finding::Owner],
        vec![Finding::Owner],
        vec![Finding::Owner, Finding::Suspended],
        apart(),
        apart(),
        vec![],
        vec![Finding::Orphan],
        vec![Finding::NotAssignable],
        vec![Finding::Expired],
        vec![],
        vec![Finding::Orphan, Finding::NoExpiry],
        vec![Finding::Orphan],
        vec![Finding::Staff],
        vec![],
        vec![Finding::Expired],
    ];
    assert_eq!(findings, expected);
    assert!(review.rows().map(|(row, _)| row).eq(&grants()));
}

#[test]
fn a_review_that_would_leave_something_out_is_an_error() {
    let freeze = |expected, rows: Vec<Result<GrantRow, &'static str>>| {
        AccessReview::freeze(&policy(), id(50), noon(), expected, rows).unwrap_err()
    };
    let row = || Ok(GrantRow::role(id(1), "owner"));
    assert_eq!(freeze(2, vec![row(), Err("connection lost")]), Partial::Unread("connection lost"));
    assert_eq!(freeze(3, vec![row(), row()]), Partial::Count { expected: 3, found: 2 });
    assert_eq!(freeze(1, vec![row(), row()]).to_string(), "2 grants were read where 1 were counted");
}

#[test]
fn a_copy_of_a_review_that_was_changed_is_noticed() {
    let review = freeze(grants());
    let json = review.to_json();
    assert!(AccessReview::is_intact(&json) && AccessReview::is_intact(&format!("{json}\n")));
    assert!(json.ends_with(&format!(",\"sha256\":\"{}\"}}", review.digest())));
    for (from, to) in [
        ("clerk", "viewer"),
        ("\"owner\"", "\"idle\""),
        ("2025-03-01", "2025-04-01"),
        (&review.policy().to_string(), &"0".repeat(64)),
    ] {
        assert!(json.contains(from) && !AccessReview::is_intact(&json.replacen(from, to, 1)), "{from}");
    }
    for text in ["", "{}", "{\"content\":{},\"sha256\":\"\"}", &json[1..], &json[..json.len() - 2]] {
        assert!(!AccessReview::is_intact(text), "{text}");
    }
    let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(parsed["content"]["grants"].as_array().unwrap().len(), grants().len());
    assert_eq!(parsed["content"]["policy_sha256"], policy().digest().to_string());
}

/// A reason or a name must not be able to close the content and bring a digest of its own.
#[test]
fn a_text_in_a_review_cannot_forge_its_end() {
    let forged = GrantRow::role(id(1), "x\",\"sha256\":\"0").because("\"}],\"tenant\":\"\"},\"sha256\":\"00\"}");
    let json = freeze(vec![forged]).to_json();
    assert!(AccessReview::is_intact(&json));
    assert!(!AccessReview::is_intact(&json.replacen(":\\\"0", ":\\\"1", 1)));
}

#[test]
fn the_form_of_a_review_does_not_change() {
    let review = freeze(vec![GrantRow::role(id(1), "owner").granted(id(9), noon()).because("founder")]);
    let content = "{\"frozen_at\":\"2025-03-01T12:00:00.000000Z\",\"grants\":[{\"expires\":null,\"findings\":[\"owner\"],\
        \"granted_at\":\"2025-03-01T12:00:00.000000Z\",\"granted_by\":\"00000000-0000-0000-0000-000000000009\",\"kind\":\"role\",\
        \"name\":\"owner\",\"reason\":\"founder\",\"scope\":null,\"user\":\"00000000-0000-0000-0000-000000000001\"}],\
        \"policy_sha256\":\"";
    let json = review.to_json();
    assert!(json.starts_with(&format!("{{\"content\":{content}{}", policy().digest())), "{json}");
}

#[test]
fn a_spreadsheet_takes_no_cell_of_a_review_for_a_formula() {
    let csv = freeze(grants()).to_csv();
    let lines: Vec<_> = csv.split("\r\n").collect();
    assert_eq!(lines.len(), grants().len() + 2);
    assert_eq!(lines[0], "user,kind,name,scope,granted_by,granted_at,expires,reason,findings");
    assert!(lines[10].contains(",'=cmd|' /C calc'!A0,"), "{}", lines[10]);
    assert!(lines[7].ends_with("role,dispacher,,,,,,orphan"), "{}", lines[7]);
}

#[test]
fn the_numbers_are_those_of_the_table() {
    let rows = grants();
    let numbers = AccessStatistics::of(&policy(), noon(), TimeDelta::days(30), &rows);
    let holders = [("viewer", 1), ("clerk", 2), ("auditor", 1), ("owner", 2), ("support", 1), ("idle", 0)];
    assert!(numbers.holders.iter().map(|(name, people)| (name.as_str(), *people)).eq(holders));
    assert_eq!(numbers.unused_roles, ["idle"]);
    assert_eq!((numbers.people, numbers.owners, numbers.tenant_wide_writers), (7, 1, 5));
    assert_eq!((numbers.orphans, numbers.expired, numbers.expiring, numbers.without_expiry), (3, 2, 1, 1));
    assert_eq!((numbers.suspended, numbers.separations_broken), (1, 1));
    assert_eq!(AccessStatistics::of(&policy(), noon(), TimeDelta::MAX, &rows).expiring, 2);
    let none = AccessStatistics::of(&policy(), noon(), TimeDelta::zero(), []);
    assert_eq!((none.people, none.unused_roles.len()), (0, 6));
}
