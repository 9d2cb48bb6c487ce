use chrono::DateTime;
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::{COLUMNS, csv, write_line};
use crate::{ActorKind, AuditRow, Outcome, Severity};

fn row() -> AuditRow {
    AuditRow {
        entry_id: Uuid::from_u128(1),
        tenant: Uuid::from_u128(2).into(),
        seq: Some(7),
        recorded_at: DateTime::from_timestamp_millis(1_767_225_600_123).unwrap(),
        occurred_at: None,
        action: "load.update".to_owned(),
        severity: Severity::Notice,
        outcome: Outcome::Success,
        actor_kind: ActorKind::User,
        actor_id: "3f0a".to_owned(),
        actor_name: Some("=HYPERLINK(\"http://x\",\"Ana\")".to_owned()),
        actor_role: None,
        on_behalf_of: None,
        impersonation: None,
        entity_type: Some("load".to_owned()),
        entity_id: Some("-7".to_owned()),
        before: None,
        after: Some(json!({"note": "two\nlines, and a \"quote\""})),
        changes: vec![],
        ip: Some("192.0.2.7".parse().unwrap()),
        user_agent: Some("\tcurl".to_owned()),
        method: None,
        endpoint: None,
        status: Some(303),
        request_id: Some("@SUM(A1)".to_owned()),
    }
}

/// Reads RFC 4180, section 2, and nothing else.
fn read(text: &str) -> Vec<Vec<String>> {
    let (mut lines, mut line, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '"' if cell.is_empty() => loop {
                match chars.next().expect("a quoted cell ends") {
                    '"' if chars.peek() == Some(&'"') => cell.push(chars.next().unwrap()),
                    '"' => break assert!(matches!(chars.peek(), Some(',' | '\r'))),
                    char => cell.push(char),
                }
            },
            ',' => line.push(std::mem::take(&mut cell)),
            '\r' => {
                assert_eq!(chars.next(), Some('\n'));
                line.push(std::mem::take(&mut cell));
                lines.push(std::mem::take(&mut line));
            }
            '"' | '\n' => panic!("{char:?} outside quotes"),
            char => cell.push(char),
        }
    }
    assert!(line.is_empty() && cell.is_empty(), "the last line ends in CR LF");
    lines
}

#[test]
fn guards_formulas() {
    let lines = read(&csv(&[row()]));
    let cell = |name| lines[1][COLUMNS.iter().position(|column| *column == name).unwrap()].as_str();
    assert_eq!(lines[0], COLUMNS);
    assert_eq!(cell("actor_name"), "'=HYPERLINK(\"http://x\",\"Ana\")");
    assert_eq!(cell("entity_id"), "'-7");
    assert_eq!(cell("user_agent"), "'\tcurl");
    assert_eq!(cell("request_id"), "'@SUM(A1)");
    assert_eq!(cell("after"), r#"{"note":"two\nlines, and a \"quote\""}"#);
    assert_eq!(cell("recorded_at"), "2026-01-01T00:00:00.123Z");
    assert_eq!((cell("seq"), cell("ip"), cell("before")), ("7", "192.0.2.7", ""));
}

/// Each beginning of a formula is guarded wherever a person's text can stand; what only looks like one further on is left alone.
#[test]
fn each_beginning_of_a_formula_is_guarded() {
    let guarded = |text: &str| {
        let lines = read(&csv(&[AuditRow { user_agent: Some(text.to_owned()), ..row() }]));
        lines[1][COLUMNS.iter().position(|column| *column == "user_agent").unwrap()].clone()
    };
    for sign in ["=", "+", "-", "@", "＝", "＋", "－", "＠"] {
        for before in ["", " ", "   ", "\t", "\r", "\n", " \t", "\r\n ", "\u{a0}", "\u{3000}", "\u{2009}"] {
            let formula = format!("{before}{sign}cmd|'/C calc'!A0");
            assert_eq!(guarded(&formula), format!("'{formula}"), "{formula:?}");
        }
    }
    for before in ["\t", "\r", "\n"] {
        assert_eq!(guarded(&format!("{before}curl")), format!("'{before}curl"), "{before:?}");
    }
    for harmless in ["a=b", "ana@acme.test", "1-2", " curl", "", "'", "'=1"] {
        assert_eq!(guarded(harmless), harmless);
    }
}

proptest! {
    #[test]
    fn any_cell_reads_back_and_none_is_a_formula(cells in prop::collection::vec("[=+@\\-＝＋－＠\t\r\n\",a'é \u{a0}]{0,4}", 1..4)) {
        let mut text = String::new();
        write_line(&mut text, cells.iter().map(|cell| cell.as_str().into()));
        let lines = read(&text);
        prop_assert_eq!(lines.len(), 1);
        for (read, cell) in lines[0].iter().zip(&cells) {
            prop_assert!(!read.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']), "{read:?}");
            prop_assert!(!read.starts_with(['\t', '\r', '\n']), "{read:?}");
            let guarded = format!("'{cell}");
            prop_assert!(read == cell || *read == guarded);
        }
        prop_assert_eq!(lines[0].len(), cells.len());
    }
}
