//! Administration: the inspections of the schema, run while one looks.

use axum::extract::State;
use maud::{Markup, html};
use stockade::{
    audit_chain::postgres::Health,
    rbac::Resource,
    rls_migrations::{Finding, ProbeReport, ProbeRow, Severity, Verdict},
};

use super::{
    SignedIn, WebApp,
    layout::{Place, page},
    problem::Problem,
};
use crate::{
    app::App,
    domain::{inspection, people::User},
    permissions::Perm,
};

/// `GET /administration`
pub(crate) async fn show(State(app): WebApp, visitor: SignedIn) -> Result<Markup, Problem> {
    let user = inspector(&app, visitor, "schema.inspect").await?;
    Ok(render(&app, &user, &html! {}))
}

/// `POST /administration/lint`
pub(crate) async fn lint(State(app): WebApp, visitor: SignedIn) -> Result<Markup, Problem> {
    let user = inspector(&app, visitor, "schema.lint").await?;
    let findings = inspection::lint(&app).await?;
    Ok(render(&app, &user, &lint_card(&findings)))
}

/// `POST /administration/probe`
pub(crate) async fn probe(State(app): WebApp, visitor: SignedIn) -> Result<Markup, Problem> {
    let user = inspector(&app, visitor, "schema.probe").await?;
    let report = inspection::probe(&app).await?;
    let result = report.as_ref().map_or_else(
        || html! { div.note.warn role="status" { p { "The embedded engine cannot run the probe. Set DATABASE_URL to a PostgreSQL server." } } },
        probe_card,
    );
    Ok(render(&app, &user, &result))
}

/// `POST /administration/log`
pub(crate) async fn log(State(app): WebApp, visitor: SignedIn) -> Result<Markup, Problem> {
    let user = inspector(&app, visitor, "schema.log_rules").await?;
    let health = inspection::log_rules(&app).await?;
    Ok(render(&app, &user, &log_card(&health)))
}

/// Who may look, and an entry of the audit log that they did.
///
/// The desk is closed before the inspection begins: on the embedded engine there is one connection.
pub(super) async fn inspector(app: &App, visitor: SignedIn, action: &str) -> Result<User, Problem> {
    let mut desk = app.desk(&visitor).await?;
    desk.require(Perm::SchemaInspect, &Resource::in_tenant(desk.user.tenant_id), ("schema", "freight"))?;
    let entry = desk.entry(action).entity("schema", "freight");
    desk.record(&entry).await?;
    let user = desk.user.clone();
    desk.commit(app).await?;
    Ok(user)
}

pub(super) fn render(app: &App, user: &User, result: &Markup) -> Markup {
    let content = html! {
        (result)
        div.grid.even {
            (inspection(
                "/administration/lint",
                "Lint",
                "Lint the schema",
                "Compares the live schema with its declaration and with what is known to go wrong: policies, roles, grants, guards, indexes.",
            ))
            (inspection(
                "/administration/probe",
                "Attack",
                "Probe the isolation",
                "Gives two made-up tenants a row in every table, attacks one as the other with every known kind of attempt, and undoes it all.",
            ))
            (inspection(
                "/administration/log",
                "Compare",
                "Check the rules of the audit log",
                "Compares the triggers, functions, policies, privileges and owners around the audit log with what its migrations made.",
            ))
            (inspection(
                "/administration/helper",
                "Start it",
                "Run a helper process",
                "Starts a program in the sandbox with a list that allows every variable, beside the URL of a database, and shows what got through.",
            ))
            (inspection(
                "/administration/drill",
                "Drill",
                "Drill a restore",
                "Dumps the database, restores the dump beside it, and compares rows, policies, triggers, roles, migrations and chains. Nothing may be written meanwhile.",
            ))
        }
        div.card {
            h2 { "The audit log's signing key" }
            p { "An auditor checks checkpoints and bundles with it. It says nothing that has to be kept secret; hand it over on another way than the bundle." }
            p.mono.long { (app.watch.key()) }
            p.muted { "Checkpoints are kept outside the database, in " (app.watch.anchors().words()) "." }
            pre { "cargo run -p stockade-audit-chain --example verify_bundle -- audit.bundle.jsonl --key '" (app.watch.key()) "'" }
        }
    };
    let lead = "Inspections of the schema that every tenant shares, which leave nothing behind, and what concerns the audit log.";
    page(user, Place::Inspections, "Administration", lead, &content)
}

fn inspection(action: &str, button: &str, title: &str, text: &str) -> Markup {
    html! {
        form.card method="post" action=(action) {
            h2 { (title) }
            p { (text) }
            button { (button) }
        }
    }
}

fn lint_card(findings: &[Finding]) -> Markup {
    html! {
        div.note.good[findings.is_empty()].warn[!findings.is_empty()] role="status" {
            p { @if findings.is_empty() { "No rule found anything." } @else { (findings.len()) " findings." } }
        }
        @if !findings.is_empty() {
            div.card.flush {
                h2 { "Findings" }
                div.scroll { table.stack {
                    thead { tr { th { "Severity" } th { "Rule" } th { "Object" } th { "Why" } th { "Repair" } } }
                    tbody { @for finding in findings { tr {
                        td { (severity(finding.severity())) }
                        td.nowrap { code { (finding.rule().id()) } }
                        td { code { (finding.object()) } }
                        td.prose { (finding.why()) }
                        td { @if let Some(fix) = finding.fix() { code { (fix) } } @else { span.muted { "a decision, or the next plan" } } }
                    } } }
                } }
            }
        }
    }
}

fn log_card(health: &Health) -> Markup {
    let intact = health.is_intact();
    html! {
        div.note.good[intact].bad[!intact] role="status" {
            p { @if intact { "Everything around the log is as its migrations made it." } @else { "Somebody changed what guards the log." } }
            @if !intact { ul { @for deviation in &health.deviations { li { (deviation) } } } }
        }
    }
}

fn probe_card(report: &ProbeReport) -> Markup {
    let count = |is: fn(&Verdict) -> bool| report.rows().iter().filter(|row| is(row.verdict())).count();
    let held = report.is_isolated();
    html! {
        div.note.good[held].bad[!held] role="status" {
            p { @if held { "No attempt reached the other tenant." } @else { "An attempt reached the other tenant. This is an incident." } }
        }
        div.tiles {
            (tile(count(|verdict| matches!(verdict, Verdict::Held)), "attempts held"))
            (tile(count(|verdict| matches!(verdict, Verdict::Leaked)), "attempts leaked"))
            (tile(count(|verdict| matches!(verdict, Verdict::Known(_))), "channels that PostgreSQL leaves open"))
            (tile(count(|verdict| matches!(verdict, Verdict::Untested(_))), "attempts not made"))
        }
        div.card.flush {
            h2 { "What did not simply hold" }
            div.scroll { table.stack {
                thead { tr { th { "Verdict" } th { "Attempt" } th { "On" } th { "Why" } } }
                tbody { @for row in report.rows().iter().filter(|row| *row.verdict() != Verdict::Held) { (probe_row(row)) } }
            } }
        }
    }
}

fn probe_row(row: &ProbeRow) -> Markup {
    html! {
        tr {
            td {
                @match row.verdict() {
                    Verdict::Leaked => span.badge.bad { "leaked" },
                    Verdict::Known(_) => span.badge { "known" },
                    _ => span.badge.warn { "not made" },
                }
            }
            td { "tenant A " (row.attempt().sentence()) small { code { (row.attempt().id()) } } }
            td { code { (row.object()) } }
            td {
                @match row.verdict() {
                    Verdict::Known(control) => (control),
                    Verdict::Untested(why) => (why),
                    _ => (row.seen()),
                }
            }
        }
    }
}

fn tile(number: usize, text: &str) -> Markup {
    html! { div.tile { b { (number) } span { (text) } } }
}

fn severity(severity: Severity) -> Markup {
    html! {
        @match severity {
            Severity::Error => span.badge.bad { "error" },
            Severity::Warning => span.badge.warn { "warning" },
            Severity::Notice => span.badge { "notice" },
        }
    }
}
