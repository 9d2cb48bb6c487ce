//! The demonstration: an entry of the audit log is altered, found, and put back.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use stockade::{audit_chain::Report, rbac::Resource};

use super::{
    Form, SignedIn, WebApp,
    layout::{Place, page},
    problem::Problem,
};
use crate::{
    app::App,
    domain::{
        people::User,
        tampering::{self, Alteration, Demonstration, Outcome},
    },
    permissions::Perm,
};

/// `GET /administration/tampering`
pub(crate) async fn show(State(app): WebApp, visitor: SignedIn) -> Result<Markup, Problem> {
    let user = permitted(&app, visitor, None).await?;
    Ok(render(&user, &Draft::default(), &html! {}))
}

/// Which entry, and what of it.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Draft {
    entry: String,
    what: String,
}

/// `POST /administration/tampering`
pub(crate) async fn run(State(app): WebApp, visitor: SignedIn, Form(form): Form<Draft>) -> Result<Response, Problem> {
    app.seal_now().await?;
    let chosen = Alteration::ALL.into_iter().find(|alteration| alteration.key() == form.what);
    let (Ok(seq), Some(alteration)) = (form.entry.trim().parse::<u64>(), chosen) else {
        let user = permitted(&app, visitor, None).await?;
        let page = render(&user, &form, &complaint("Give the number of an entry, and choose what is altered."));
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    };
    // The desk is closed before the demonstration begins, which has to wait for everybody who writes to the log.
    let user = permitted(&app, visitor, Some(seq)).await?;
    let result = match tampering::demonstrate(&app, user.tenant_id, seq, alteration).await? {
        Outcome::Shown(shown) => story(&shown, seq, alteration),
        Outcome::NothingToAlter => {
            let note = complaint("Your log has no sealed entry of this number, or that entry has no such value.");
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, render(&user, &form, &note)).into_response());
        }
        Outcome::Busy => complaint("Others are writing to the log at this moment. Try again."),
    };
    Ok(render(&user, &form, &result).into_response())
}

/// Who may see it, and an entry of the log that they ran it.
async fn permitted(app: &App, visitor: SignedIn, altering: Option<u64>) -> Result<User, Problem> {
    let mut desk = app.desk(&visitor).await?;
    desk.require(Perm::AuditTamper, &Resource::in_tenant(desk.user.tenant_id), ("audit_log", "tenant"))?;
    if let Some(seq) = altering {
        let entry = desk.entry("audit.demonstrate").entity("audit_entry", seq);
        desk.record(&entry).await?;
    }
    let user = desk.user.clone();
    desk.commit(app).await?;
    Ok(user)
}

fn render(user: &User, form: &Draft, result: &Markup) -> Markup {
    let content = html! {
        (result)
        form.card method="post" action="/administration/tampering" {
            div.row {
                div.field {
                    label for="entry" { "Entry number" }
                    input id="entry" name="entry" type="number" min="1" required value=(if form.entry.is_empty() { "1" } else { &form.entry });
                }
                div.field.wide {
                    label for="what" { "What is altered" }
                    select id="what" name="what" {
                        @for alteration in Alteration::ALL { option value=(alteration.key()) selected[alteration.key() == form.what] { (alteration.words()) } }
                    }
                }
                div.field { button { "Alter it, verify, undo" } }
            }
            p.muted {
                "Runs in one transaction that is never committed: if the process dies in the middle, the database undoes it. "
                "Others who write to the log wait meanwhile. A deployment leaves this page out."
            }
        }
    };
    let lead = "What it takes to alter the audit log behind the application's back, and how that is found.";
    page(user, Place::Tampering, "Tampering", lead, &content)
}

fn complaint(text: &str) -> Markup {
    html! { div.note.warn role="alert" { p { (text) } } }
}

fn story(shown: &Demonstration, seq: u64, alteration: Alteration) -> Markup {
    let found = !shown.altered.is_intact();
    html! {
        div.note.good[found].bad[!found] role="status" {
            p { @if found { strong { "Found. " } "Verification names the entry." } @else { strong { "Not found. " } "This is an incident." } }
        }
        div.card {
            ol.steps {
                li { "Somebody with every right in the database alters entry " (seq) ", " (alteration.words()) "." br; span.badge.good { "refused" } " " span.muted { (shown.refused) } }
                li { "The owner of the log switches its triggers and policies off, and alters it again." br; span.badge.warn { "altered" } }
                li { "The chain is verified." (verdicts(&shown.altered)) }
                li { "Everything is undone, and verified again." (verdicts(&shown.undone)) }
            }
        }
    }
}

fn verdicts(report: &Report) -> Markup {
    html! {
        @if report.is_intact() { br; span.badge.good { "intact" } }
        @for verdict in report.verdicts() {
            br; span.badge.bad { "found" } " "
            @if let Some(seq) = verdict.seq { "entry " (seq) ": " }
            (verdict.finding)
        }
    }
}
