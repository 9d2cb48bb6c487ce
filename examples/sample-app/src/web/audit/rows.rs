//! The entries of the log as a table.

use maud::{Markup, html};
use serde_json::Value;
use stockade::audit_chain::{AuditRow, Outcome, Severity};
use uuid::Uuid;

use crate::domain::{people::User, retention::Erased};

/// A list of more characters than this is closed until somebody opens it.
const LONG: usize = 120;

/// A page of the log.
pub(super) fn table(rows: &[AuditRow], people: &Names, erased: &Erased) -> Markup {
    html! {
        table.stack {
            thead { tr { th { "Time (UTC)" } th { "Who" } th { "What" } th { "Change" } th { "Through" } th.num { "No." } } }
            tbody id="entries" {
                @for entry in rows { (row(entry, people, erased)) }
            }
        }
        @if rows.is_empty() { p.muted.padded { "Nothing matches." } }
    }
}

/// One entry as a row of the table, also where the page follows the log.
pub(super) fn row(row: &AuditRow, people: &Names, erased: &Erased) -> Markup {
    html! {
        tr id={ "entry-" (row.entry_id) } {
                td.nowrap { (row.recorded_at.format("%Y-%m-%d %H:%M:%S%.3f")) }
                td.who { (actor(row, people, erased)) @if let Some(role) = &row.actor_role { small { (role) } } }
                td {
                    code { (row.action) } " " (mark(row))
                    @if let (Some(kind), Some(id)) = (&row.entity_type, &row.entity_id) { small title=(id) { (kind) " " (people.name(id).unwrap_or_else(|| short(id))) } }
                }
                td.change { (change(row, erased)) }
                td { @if let (Some(method), Some(endpoint)) = (&row.method, &row.endpoint) { code { (method) " " @for part in endpoint.split_inclusive('/') { (part) wbr; } } } small { (address(row, erased)) } }
                td.num data-label="No." { @match row.seq { Some(seq) => a href={ "/audit/entries/" (seq) } { (seq) }, None => span.badge { "unsealed" } } }
        }
    }
}

/// The people of the tenant, to show a name where the log has an id.
pub(super) struct Names(pub(super) Vec<User>);

impl Names {
    fn name(&self, id: &str) -> Option<&str> {
        let id = Uuid::try_parse(id).ok()?;
        self.0.iter().find(|person| person.id == id).map(|person| person.name.as_str())
    }
}

/// Who did it. A name that was erased from the log is not looked up elsewhere.
fn actor(row: &AuditRow, people: &Names, erased: &Erased) -> Markup {
    html! {
        @match gone(row, "actor/name", erased) {
            Some(covered) => (covered),
            None => @match row.actor_name.as_deref().or(people.name(&row.actor_id)) {
                Some(name) => (name),
                None => span title=(row.actor_id) { (short(&row.actor_id)) },
            },
        }
    }
}

fn address(row: &AuditRow, erased: &Erased) -> Markup {
    html! {
        @match row.ip {
            Some(ip) => (ip),
            None => @if let Some(covered) = gone(row, "request/ip", erased) { "address " (covered) },
        }
    }
}

/// What stands in the place of a value that was erased.
fn gone(row: &AuditRow, path: &str, erased: &Erased) -> Option<Markup> {
    let covered = erased.get(&(row.entry_id, path.to_owned()))?;
    Some(html! {
        span.erased {
            "erased, covered by "
            @match covered {
                Some(seq) => a href={ "/audit/entries/" (seq) } { "entry " (seq) },
                None => "an entry that waits for its number",
            }
        }
    })
}

/// The last part of a UUID, which tells neighbours apart, and the beginning of a hash; anything else as it is.
fn short(id: &str) -> &str {
    match beginning(id) {
        Some(beginning) => beginning,
        None => Uuid::try_parse(id).ok().and_then(|_| id.rsplit('-').next()).unwrap_or(id),
    }
}

/// Of a hash in hexadecimal digits, as much as tells it from others.
fn beginning(text: &str) -> Option<&str> {
    let hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.get(..16).filter(|_| hash)
}

fn mark(row: &AuditRow) -> Markup {
    html! {
        @if row.outcome != Outcome::Success { span.badge.bad { (row.outcome) } " " }
        @match row.severity {
            Severity::Warning => span.badge.warn { "warning" },
            Severity::Critical => span.badge.bad { "critical" },
            _ => {},
        }
    }
}

/// The members that differ, old beside new.
fn change(row: &AuditRow, erased: &Erased) -> Markup {
    let empty = serde_json::Map::new();
    let before = row.before.as_ref().and_then(Value::as_object).unwrap_or(&empty);
    let after = row.after.as_ref().and_then(Value::as_object).unwrap_or(&empty);
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    html! {
        @for name in names {
            @let (old, new) = (before.get(name), after.get(name));
            @let (old_gone, new_gone) = (gone(row, &format!("before/{name}"), erased), gone(row, &format!("after/{name}"), erased));
            @if let Some(covered) = old_gone.or(new_gone) {
                div { (name) ": " (covered) }
            } @else if old != new {
                div { (name) ": " @if let Some(old) = old { del { (text(old)) } " " } @if let Some(new) = new { ins { (text(new)) } } }
            }
        }
    }
}

/// A value; of a hash the beginning, and of what is long how much there is to open.
fn text(value: &Value) -> Markup {
    let whole = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let members = value.as_object().map(serde_json::Map::len).or(value.as_array().map(Vec::len));
    html! {
        @if let Some(beginning) = beginning(&whole) { span title=(whole) { (beginning) "..." } }
        @else if let Some(members) = members.filter(|_| whole.len() > LONG) {
            details { summary { (members) " values" } (whole) }
        }
        @else { (whole) }
    }
}
