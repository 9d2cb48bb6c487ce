//! The audit log: search, and the button that verifies it.

mod rows;
mod standing;
mod stream;

use axum::extract::State;
use chrono::NaiveDate;
use maud::{Markup, html};
use serde::Deserialize;
use stockade::{
    audit_chain::{
        Report, Severity,
        postgres::{Filter, Page, lag, search},
    },
    rbac::Resource,
};
use uuid::Uuid;

pub(crate) use self::stream::stream;
use self::{
    rows::{Names, table},
    standing::Standing,
};
use super::{
    Query, SignedIn, WebApp,
    layout::{Place, page},
    live::bar,
    problem::Problem,
};
use crate::{
    app::App,
    desk::{Desk, Look, Reads},
    domain::{people, retention},
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
pub(crate) async fn show(State(app): WebApp, mut look: Look, Query(form): Query<Search>) -> Result<Markup, Problem> {
    let log = Resource::in_tenant(look.user.tenant_id);
    look.require(Perm::AuditView, &log, ("audit_log", "tenant"))?;
    let page = render(&app, &mut look, &form, None).await?;
    look.close().await?;
    Ok(page)
}

/// `POST /audit/verify`
pub(crate) async fn verify(State(app): WebApp, visitor: SignedIn) -> Result<Markup, Problem> {
    app.seal_now().await?;
    let mut desk = open(&app, visitor, Perm::AuditView).await?;
    let tenant = desk.user.tenant_id;
    let report = app.watch.verify(&mut desk.tx, tenant.into()).await?;
    let page = render(&app, &mut desk, &Search::default(), Some(&report)).await?;
    desk.commit(&app).await?;
    Ok(page)
}

/// A desk at which `permission` holds for the tenant's log.
pub(super) async fn open(app: &App, visitor: SignedIn, permission: Perm) -> Result<Desk, Problem> {
    let desk = app.desk(&visitor).await?;
    desk.require(permission, &Resource::in_tenant(desk.user.tenant_id), ("audit_log", "tenant"))?;
    Ok(desk)
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

    /// Where what is new to the same search comes from, for whoever has seen the log up to entry `seen`.
    fn stream(&self, seen: i64) -> String {
        format!("/audit/stream?{}&seen={seen}", self.query(""))
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

async fn find<W: Reads<Perm>>(desk: &mut Desk<W>, form: &Search) -> Result<Page, Problem> {
    let (mut filter, _) = form.filter(desk.user.tenant_id);
    if let Ok(cursor) = form.after.parse() {
        filter = filter.after(cursor);
    }
    Ok(search(desk.tx(), &filter).await?)
}

async fn render<W: Reads<Perm>>(
    app: &App,
    desk: &mut Desk<W>,
    form: &Search,
    report: Option<&Report>,
) -> Result<Markup, Problem> {
    // Before the search: what is sealed meanwhile is sent once more rather than not at all.
    let seen: Option<i64> = sqlx::query_scalar("SELECT seq FROM stockade.audit_head").fetch_optional(desk.tx()).await?;
    let found = find(desk, form).await?;
    let entries: Vec<Uuid> = found.rows.iter().map(|row| row.entry_id).collect();
    let erased = retention::erased(desk.tx(), &entries).await?;
    let standing = Standing::read(app, desk).await?;
    let people = Names(people::all(desk.tx()).await?);
    let (_, wrong) = form.filter(desk.user.tenant_id);
    let next = found.next.as_ref().map(ToString::to_string);
    let behind = lag(desk.tx()).await?;
    let content = html! {
        (standing.alarm())
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
                (field("from", "From", "date", day(&form.from)))
                (field("to", "To", "date", day(&form.to)))
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
        p.muted {
            @if behind.waiting == 0 { "Every entry has its place in the chain. " }
            @else { (behind.waiting) " entries wait for their place in the chain, the oldest for " (behind.oldest.as_millis()) " ms. " }
            (standing.sentence())
        }
        @if form.after.is_empty() && desk.user.seen_by.is_none() { (bar(&form.stream(seen.unwrap_or_default()), "entries")) }
        div.card.flush { div.scroll { (table(&found.rows, &people, &erased)) } }
        @if let Some(next) = next { p { a.button.quiet href={ "/audit?" (form.query(&next)) } { "Older entries" } } }
    };
    let lead = "Who did what, to what, from where, with the values before and after. Nobody can change it, and anybody can check it.";
    Ok(page(&desk.user, Place::Audit, "Audit log", lead, &content))
}

fn field(name: &str, label: &str, kind: &str, value: &str) -> Markup {
    html! { div.field { label for=(name) { (label) } input id=(name) name=(name) type=(kind) value=(value); } }
}

/// What a field for a date can show.
fn day(text: &str) -> &str {
    if text.parse::<NaiveDate>().is_ok() { text } else { "" }
}

/// What a verification found, in words that name the place.
fn verdict(report: &Report) -> Markup {
    html! {
        @if report.is_intact() {
            div.note.good role="status" {
                p { strong { "Intact. " } (report.checked()) " entries checked: each is what was recorded, none is missing, and the order is unbroken." }
                @if let Some(head) = report.head() { p.mono.long { "Head " (head.seq) ": " (head.hash) } }
            }
        } @else {
            div.note.bad role="alert" {
                p { strong { "Not intact. " } (report.verdicts().len()) " findings in " (report.checked()) " entries." }
                ul { @for verdict in report.verdicts() { li { (verdict) } } }
            }
        }
    }
}
