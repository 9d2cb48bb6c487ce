//! Erasing a person's values from the audit log.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use maud::{Markup, html};
use serde::Deserialize;
use stockade::audit_chain::postgres::Erasure;

use super::{LONGEST, Persons, confirm, filled, open, overview, refuse};
use crate::{
    desk::Desk,
    domain::retention::{self, Asked, Done, Hold, Who},
    permissions::Perm,
    web::{Form, SignedIn, WebApp, problem::Problem},
};

/// The grounds of Art. 17(1), with what they say.
const GROUNDS: [(&str, &str); 4] = [
    ("GDPR Art. 17(1)(a)", "no longer necessary"),
    ("GDPR Art. 17(1)(b)", "consent withdrawn"),
    ("GDPR Art. 17(1)(c)", "objection"),
    ("GDPR Art. 17(1)(e)", "legal obligation"),
];

/// What the form sends.
#[derive(Debug, Deserialize)]
pub(crate) struct Draft {
    who: String,
    request: String,
    basis: String,
    #[serde(default)]
    confirmed: String,
}

/// `POST /administration/retention/erasures`
pub(crate) async fn erase(State(app): WebApp, visitor: SignedIn, Form(form): Form<Draft>) -> Result<Response, Problem> {
    let mut desk = open(&app, visitor.clone(), Perm::AuditErase).await?;
    let persons = Persons::read(&mut desk).await?;
    let person = form.who.parse().ok().and_then(|who: Who| Some((who, persons.name(who)?)));
    let ground = GROUNDS.iter().any(|(ground, _)| *ground == form.basis);
    let (Some((who, name)), Some(request), true) = (person, filled(&form.request), ground) else {
        desk.commit(&app).await?;
        let complaint = "Choose a person and a ground, and give the request's number, in at most 120 characters.";
        return refuse(&app, visitor, complaint).await;
    };
    let holds = retention::holds(&mut desk.tx).await?;
    if form.confirmed != "yes" {
        let what = review(&mut desk, who, name, &form, &holds).await?;
        let who = who.to_string();
        let fields = [("who", who.as_str()), ("request", request), ("basis", form.basis.as_str())];
        return confirm(&app, desk, "Erase for good", &what, &fields, "/administration/retention/erasures").await;
    }
    let asked = Asked { who, request: request.to_owned(), basis: form.basis };
    match retention::erase(&app, desk, &asked).await? {
        Ok(erasure) => Ok(overview(&app, visitor, &outcome(name, &erasure, &holds)).await?.into_response()),
        Err(refused) => Err(Problem::Refused(refused.to_string())),
    }
}

async fn review(desk: &mut Desk, who: Who, name: &str, form: &Draft, holds: &[Hold]) -> Result<Markup, Problem> {
    let entries = retention::entries_of(&mut desk.tx, who).await?;
    Ok(html! {
        p { strong { (name) } ", request " strong { (form.request) } ", " (form.basis) "." }
        p {
            @match who {
                Who::User(_) => { "The name, the address and the browser go from the " (entries) " entries of the log in which this person acted. What was done stays, under a pseudonym." },
                Who::Driver(_) => { "The personal values go from the " (entries) " entries of the log about this driver. The driver's own record is another matter." },
            }
        }
        p { "Copies that were exported before are beyond its reach." }
        @if !holds.is_empty() { div.note.warn { p { (under(holds)) " It will keep what it covers." } } }
    })
}

fn under(holds: &[Hold]) -> String {
    let matters: Vec<_> = holds.iter().map(|hold| hold.matter.as_str()).collect();
    match matters.as_slice() {
        [matter] => format!("A legal hold is in force, for {matter}."),
        matters => format!("Legal holds are in force, for {}.", matters.join(", ")),
    }
}

/// What was done, in a sentence.
fn outcome(name: &str, erasure: &Erasure, holds: &[Hold]) -> Markup {
    let (erased, held, altered) = (erasure.erased.len(), erasure.held.len(), erasure.altered.len());
    html! {
        div.note.good[erased > 0].warn[erased == 0] role="status" {
            p {
                @if erased > 0 { strong { (erased) @if erased == 1 { " value" } @else { " values" } " of " (name) @if erased == 1 { " is" } @else { " are" } " erased." } " The log still verifies, and says that they were there." }
                @else { strong { "Nothing was erased." } }
                @if erased + held + altered == 0 { " The log holds no value of " (name) " that could be erased." }
            }
            @if held > 0 {
                p { (held) " values stay. " (under(holds)) " It suspends the right to erasure (GDPR Art. 17(3)); ask again when it is released." }
            }
            @if altered > 0 {
                p { (altered) " values are not what was recorded. They stay, because erasing them would hide that somebody altered them." }
            }
        }
    }
}

pub(super) fn card(erasures: &[Done], persons: &Persons, may: bool) -> Markup {
    html! {
        @if may {
            form.card method="post" action="/administration/retention/erasures" {
                h2 { "Erase a person's values from the audit log" }
                div.row {
                    div.field {
                        label for="who" { "Person" }
                        select id="who" name="who" required { @for (who, name) in &persons.0 { option value=(who) { (name) } } }
                    }
                    div.field {
                        label for="request" { "Number of the request" }
                        input id="request" name="request" required maxlength=(LONGEST) placeholder="DSR-01";
                    }
                    div.field.wide {
                        label for="basis" { "Ground (GDPR)" }
                        select id="basis" name="basis" { @for (ground, words) in GROUNDS { option value=(ground) { (ground.trim_start_matches("GDPR ")) ", " (words) } } }
                    }
                    div.field { button { "Erase ..." } }
                }
                p.muted { "The number and the ground stay in the log for good: name nobody in them." }
            }
        }
        div.card.flush {
            h2 { "Erasures" }
            div.scroll { table.stack {
                thead { tr { th { "Time (UTC)" } th { "Request" } th { "Ground" } th.num { "Values" } th.num { "Entry" } } }
                tbody { @for done in erasures { tr {
                    td.nowrap { (done.erased_at.format("%Y-%m-%d %H:%M:%S")) }
                    td { (done.request) }
                    td { (done.basis) }
                    td.num data-label="Values" { (done.values) }
                    td.num data-label="Entry" { @match done.seq { Some(seq) => a href={ "/audit/entries/" (seq) } { (seq) }, None => span.badge { "unsealed" } } }
                } } }
            } }
            @if erasures.is_empty() { p.muted.padded { "Nothing was erased." } }
        }
    }
}
