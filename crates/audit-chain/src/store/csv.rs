//! Rows as comma-separated values, for people with a spreadsheet.

use std::borrow::Cow;

use chrono::SecondsFormat;

use crate::AuditRow;

const COLUMNS: [&str; 24] = [
    "seq",
    "entry_id",
    "recorded_at",
    "occurred_at",
    "severity",
    "outcome",
    "action",
    "actor_kind",
    "actor_id",
    "actor_name",
    "actor_role",
    "on_behalf_of",
    "impersonation",
    "entity_type",
    "entity_id",
    "before",
    "after",
    "changes",
    "ip",
    "user_agent",
    "method",
    "endpoint",
    "status",
    "request_id",
];

/// Writes rows as CSV (RFC 4180): a line of column names, lines that end in CR LF, cells quoted
/// where they must be, times in UTC.
///
/// A cell that a spreadsheet would take for a formula is prefixed with `'` (OWASP, CSV Injection): one
/// that begins with `=`, `+`, `-`, `@` or one of their full-width forms, with white space before them
/// or without, or with a tab, CR or LF. So the result is for reading, and nothing can be verified with it.
#[must_use]
pub fn csv(rows: &[AuditRow]) -> String {
    let mut out = String::new();
    write_line(&mut out, COLUMNS.map(Cow::Borrowed));
    out.push_str(&lines(rows));
    out
}

/// The rows without the line of column names.
pub(crate) fn lines(rows: &[AuditRow]) -> String {
    let mut out = String::new();
    for row in rows {
        write_line(&mut out, cells(row));
    }
    out
}

/// One line of any cells, for the fuzz target.
#[cfg(fuzzing)]
#[must_use]
pub fn csv_line(cells: &[String]) -> String {
    let mut out = String::new();
    write_line(&mut out, cells.iter().map(Cow::from));
    out
}

fn cells(row: &AuditRow) -> [Cow<'_, str>; COLUMNS.len()] {
    let time = |time: &chrono::DateTime<chrono::Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
    [
        row.seq.map(|seq| seq.to_string()).unwrap_or_default().into(),
        row.entry_id.to_string().into(),
        time(&row.recorded_at).into(),
        row.occurred_at.as_ref().map(time).unwrap_or_default().into(),
        row.severity.as_str().into(),
        row.outcome.as_str().into(),
        row.action.as_str().into(),
        row.actor_kind.as_str().into(),
        row.actor_id.as_str().into(),
        row.actor_name.as_deref().unwrap_or_default().into(),
        row.actor_role.as_deref().unwrap_or_default().into(),
        row.on_behalf_of.as_deref().unwrap_or_default().into(),
        row.impersonation.as_deref().unwrap_or_default().into(),
        row.entity_type.as_deref().unwrap_or_default().into(),
        row.entity_id.as_deref().unwrap_or_default().into(),
        row.before.as_ref().map(ToString::to_string).unwrap_or_default().into(),
        row.after.as_ref().map(ToString::to_string).unwrap_or_default().into(),
        row.changes.join(" ").into(),
        row.ip.map(|ip| ip.to_string()).unwrap_or_default().into(),
        row.user_agent.as_deref().unwrap_or_default().into(),
        row.method.as_deref().unwrap_or_default().into(),
        row.endpoint.as_deref().unwrap_or_default().into(),
        row.status.map(|status| status.to_string()).unwrap_or_default().into(),
        row.request_id.as_deref().unwrap_or_default().into(),
    ]
}

fn write_line<'a>(out: &mut String, cells: impl IntoIterator<Item = Cow<'a, str>>) {
    for (index, cell) in cells.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_cell(out, &cell);
    }
    out.push_str("\r\n");
}

/// What a spreadsheet takes for the beginning of a formula, or passes over before one.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '\u{FF1D}', '\u{FF0B}', '\u{FF0D}', '\u{FF20}'];

fn write_cell(out: &mut String, cell: &str) {
    let guard = if cell.trim_start().starts_with(FORMULA) || cell.starts_with(FORMULA) { "'" } else { "" };
    if cell.contains(['"', ',', '\r', '\n']) {
        out.extend(["\"", guard, &cell.replace('"', "\"\""), "\""]);
    } else {
        out.extend([guard, cell]);
    }
}

#[cfg(test)]
mod tests;
