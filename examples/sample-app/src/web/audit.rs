//! The audit log: search, and the button that verifies it.

use axum::extract::{Query, State};
use chrono::NaiveDate;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;
use stockade::{
    audit_chain::{
        AuditRow, Outcome, Report, Severity,
        postgres::{Filter, Page, VerifyOptions, lag, search, verify as verify_chain},
    },
    rbac::Resource,
};
use uuid::Uuid;

use super::{
    SignedIn, WebApp,
    layout::{Place, page},
    problem::Problem,
};
use crate::{
    app::App,
    desk::Desk,
    domain::people::{self, User},
    permissions::Perm,
};

/// What the search form sends. A field that does not parse narrows nothing and is said to be wrong.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Search {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    actor: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    severity: String,
    #[serde(default)]
    after: String,
}

/// `GET /audit`
pub(crate) async fn show(State(app): WebApp, visitor: SignedIn, Query(form): Query<Search>) -> Result<Markup, Problem> {
    let mut desk = open(&app, visitor, Perm::AuditView).await?;
    let page = render(&mut desk, &form, None).await?;
    desk.commit(&app).await?;
    Ok(page)
}

/// `POST /audit/verify`
pub(crate) async fn verify(State(app): WebApp, visitor: SignedIn) -> Result<Markup, Problem> {
    app.seal_now().await?;
    let mut desk = open(&app, visitor, Perm::AuditView).await?;
    let tenant = desk.user.tenant_id;
    let report = verify_chain(&mut desk.tx, tenant.into(), &VerifyOptions::default()).await?;
    let page = render(&mut desk, &Search::default(), Some(&report)).await?;
    desk.commit(&app).await?;
    Ok(page)
}

/// A desk at which `permission` holds for the tenant's log.
pub(super) async fn open(app: &App, visitor: SignedIn, permission: Perm) -> Result<Desk, Problem> {
    let mut desk = app.desk(&visitor.session, visitor.request).await?;
    let log = Resource::in_tenant(desk.user.tenant_id);
    match desk.require(permission, &log, ("audit_log", "tenant")).await? {
        Ok(()) => Ok(desk),
        Err(refused) => {
            desk.commit(app).await?;
            Err(Problem::Refused(refused.to_string()))
        }
    }
}

impl Search {
    /// What is asked for, and what of it could not be read.
    pub(super) fn filter(&self, tenant: Uuid) -> (Filter, Vec<&'static str>) {
        let mut wrong = Vec::new();
        let mut filter = Filter::new(tenant.into());
        let mut day = |text: &str, complaint| match text.trim() {
            "" => None,
            text => text.parse::<NaiveDate>().inspect_err(|_| wrong.push(complaint)).ok(),
        };
        if let Some(from) = day(&self.from, "The first day is not a date such as 2026-09-30.") {
            filter = filter.since(from.and_time(chrono::NaiveTime::MIN).and_utc());
        }
        if let Some(next) = day(&self.to, "The last day is not a date such as 2026-09-30.").and_then(|to| to.succ_opt())
        {
            filter = filter.until(next.and_time(chrono::NaiveTime::MIN).and_utc());
        }
        if !self.actor.trim().is_empty() {
            filter = filter.actor(self.actor.trim());
        }
        if !self.action.trim().is_empty() {
            filter = filter.action(self.action.trim());
        }
        match SEVERITIES.iter().find(|(name, _)| *name == self.severity) {
            Some((_, severity)) => filter = filter.at_least(*severity),
            None if self.severity.is_empty() => {}
            None => wrong.push("There is no such severity."),
        }
        (filter, wrong)
    }

    /// The same search as the query of a link.
    fn query(&self, after: &str) -> String {
        let pairs = [
            ("from", &*self.from),
            ("to", &*self.to),
            ("actor", &*self.actor),
            ("action", &*self.action),
            ("severity", &*self.severity),
            ("after", after),
        ];
        let filled: Vec<_> = pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        serde_urlencoded::to_string(filled).unwrap_or_default()
    }
}

const SEVERITIES: [(&str, Severity); 4] = [
    ("info", Severity::Info),
    ("notice", Severity::Notice),
    ("warning", Severity::Warning),
    ("critical", Severity::Critical),
];

async fn find(desk: &mut Desk, form: &Search) -> Result<Page, Problem> {
    let (mut filter, _) = form.filter(desk.user.tenant_id);
    if let Ok(cursor) = form.after.parse() {
        filter = filter.after(cursor);
    }
    Ok(search(&mut desk.tx, &filter).await?)
}

async fn render(desk: &mut Desk, form: &Search, report: Option<&Report>) -> Result<Markup, Problem> {
    let found = find(desk, form).await?;
    let people = Names(people::all(&mut desk.tx).await?);
    let (_, wrong) = form.filter(desk.user.tenant_id);
    let next = found.next.as_ref().map(ToString::to_string);
    let behind = lag(&mut desk.tx).await?;
    let content = html! {
        @if let Some(report) = report { (verdict(report)) }
        div.row.spaced {
            form method="post" action="/audit/verify" { button { "Verify the chain" } }
            a.button.quiet href={ "/audit.csv?" (form.query("")) } { "Export as CSV" }
            a.button.quiet href={ "/audit.jsonl?" (form.query("")) } { "As JSON" }
            a.button.quiet href="/audit.bundle" { "Whole log, for an auditor" }
        }
        form.card method="get" action="/audit" {
            @for complaint in &wrong { div.note.warn role="alert" { p { (complaint) } } }
            div.row {
                (field("from", "From", "date", &form.from))
                (field("to", "To", "date", &form.to))
                div.field {
                    label for="actor" { "Who" }
                    select id="actor" name="actor" {
                        option value="" { "anybody" }
                        @for person in &people.0 {
                            @let id = person.id.to_string();
                            option value=(id) selected[id == form.actor] { (person.name) }
                        }
                    }
                }
                (field("action", "Action", "text", &form.action))
                div.field {
                    label for="severity" { "At least" }
                    select id="severity" name="severity" {
                        option value="" { "any severity" }
                        @for (name, _) in SEVERITIES { option value=(name) selected[name == form.severity] { (name) } }
                    }
                }
                div.field { button.quiet { "Search" } }
            }
        }
        div.card.flush { div.scroll { (table(&found.rows, &people)) } }
        p.muted {
            @if behind.waiting == 0 { "Every entry has its place in the chain." }
            @else { (behind.waiting) " entries wait for their place in the chain, the oldest for " (behind.oldest.as_millis()) " ms." }
        }
        @if let Some(next) = next { p { a.button.quiet href={ "/audit?" (form.query(&next)) } { "Older entries" } } }
    };
    let lead = "Who did what, to what, from where, with the values before and after. Nobody can change it, and anybody can check it.";
    Ok(page(&desk.user, Place::Audit, "Audit log", lead, &content))
}

fn field(name: &str, label: &str, kind: &str, value: &str) -> Markup {
    html! { div.field { label for=(name) { (label) } input id=(name) name=(name) type=(kind) value=(value); } }
}

/// What a verification found, in words that name the place.
fn verdict(report: &Report) -> Markup {
    html! {
        @if report.is_intact() {
            div.note.good role="status" {
                p { strong { "Intact. " } (report.checked()) " entries checked: each is what was recorded, none is missing, and the order is unbroken." }
                @if let Some(head) = report.head() { p.mono { "Head " (head.seq) ": " (head.hash) } }
            }
        } @else {
            div.note.bad role="alert" {
                p { strong { "Not intact. " } (report.verdicts().len()) " findings in " (report.checked()) " entries." }
                ul { @for verdict in report.verdicts() { li { (verdict) } } }
            }
        }
    }
}

fn table(rows: &[AuditRow], people: &Names) -> Markup {
    html! {
        table {
            thead { tr { th { "Time (UTC)" } th { "Who" } th { "What" } th { "Change" } th { "Through" } th.num { "No." } } }
            tbody {
                @for row in rows {
                    tr {
                        td.nowrap { (row.recorded_at.format("%Y-%m-%d %H:%M:%S%.3f")) }
                        td { (row.actor_name.as_deref().or(people.name(&row.actor_id)).unwrap_or(&row.actor_id)) @if let Some(role) = &row.actor_role { small { (role) } } }
                        td {
                            code { (row.action) } " " (mark(row))
                            @if let (Some(kind), Some(id)) = (&row.entity_type, &row.entity_id) { small title=(id) { (kind) " " (people.name(id).unwrap_or_else(|| short(id))) } }
                        }
                        td.change { (change(row.before.as_ref(), row.after.as_ref())) }
                        td { @if let (Some(method), Some(endpoint)) = (&row.method, &row.endpoint) { code { (method) " " (endpoint) } } @if let Some(ip) = row.ip { small { (ip) } } }
                        td.num { @match row.seq { Some(seq) => a href={ "/audit/entries/" (seq) } { (seq) }, None => span.badge { "unsealed" } } }
                    }
                }
            }
        }
        @if rows.is_empty() { p.muted.padded { "Nothing matches." } }
    }
}

/// The people of the tenant, to show a name where the log has an id.
struct Names(Vec<User>);

impl Names {
    fn name(&self, id: &str) -> Option<&str> {
        let id = Uuid::try_parse(id).ok()?;
        self.0.iter().find(|person| person.id == id).map(|person| person.name.as_str())
    }
}

/// The last part of a UUID, which tells neighbours apart; anything else as it is.
fn short(id: &str) -> &str {
    Uuid::try_parse(id).ok().and_then(|_| id.rsplit('-').next()).unwrap_or(id)
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
fn change(before: Option<&Value>, after: Option<&Value>) -> Markup {
    let empty = serde_json::Map::new();
    let before_map = before.and_then(Value::as_object).unwrap_or(&empty);
    let after_map = after.and_then(Value::as_object).unwrap_or(&empty);
    let mut names: Vec<&String> = before_map.keys().chain(after_map.keys()).collect();
    names.sort_unstable();
    names.dedup();
    html! {
        @for name in names {
            @let (old, new) = (before_map.get(name), after_map.get(name));
            @if old != new {
                div { (name) ": " @if let Some(old) = old { del { (text(old)) } " " } @if let Some(new) = new { ins { (text(new)) } } }
            }
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
