//! Destroying a driver's key: planned a week ahead, called off, carried out.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use stockade::{
    field_crypto::postgres::{Execution, Shred, ShredReport, ShredState},
    rbac::Resource,
};
use uuid::Uuid;

use super::{
    Form, SignedIn, WebApp,
    layout::{Place, page},
    problem::Problem,
};
use crate::{
    app::App,
    desk::Refused,
    domain::{
        drivers::{self, Driver},
        shredding,
    },
    permissions::Perm,
};

const PAGE: &str = "/administration/shredding";

/// `GET /administration/shredding`
pub(crate) async fn show(State(app): WebApp, visitor: SignedIn) -> Result<Markup, Problem> {
    render(&app, visitor, &html! {}).await
}

/// Whose key, and why. The reason stays for good.
#[derive(Debug, Deserialize)]
pub(crate) struct Plan {
    driver: Uuid,
    reason: String,
}

/// `POST /administration/shredding`
pub(crate) async fn schedule(
    State(app): WebApp,
    visitor: SignedIn,
    Form(plan): Form<Plan>,
) -> Result<Response, Problem> {
    let desk = app.desk(&visitor).await?;
    let reason = plan.reason.trim();
    if reason.is_empty() || reason.chars().count() > 120 {
        desk.commit(&app).await?;
        let note =
            html! { div.note.warn role="alert" { p { "Give the number of the request, in at most 120 characters." } } };
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, render(&app, visitor, &note).await?).into_response());
    }
    permitted(shredding::schedule(&app, desk, plan.driver, reason).await?)?;
    Ok(Redirect::to(PAGE).into_response())
}

/// `POST /administration/shredding/{id}/cancel`
pub(crate) async fn cancel(State(app): WebApp, visitor: SignedIn, Path(id): Path<Uuid>) -> Result<Redirect, Problem> {
    let desk = app.desk(&visitor).await?;
    permitted(shredding::cancel(&app, desk, id).await?)?;
    Ok(Redirect::to(PAGE))
}

/// Whether the second step was taken.
#[derive(Debug, Deserialize)]
pub(crate) struct Confirmation {
    #[serde(default)]
    confirmed: String,
}

/// `POST /administration/shredding/{id}/execute`
pub(crate) async fn execute(
    State(app): WebApp,
    visitor: SignedIn,
    Path(id): Path<Uuid>,
    Form(form): Form<Confirmation>,
) -> Result<Markup, Problem> {
    if form.confirmed != "yes" {
        let ask = html! {
            form.card method="post" action={ (PAGE) "/" (id) "/execute" } {
                p { strong { "The key is destroyed for good. " } "Nobody opens the driver's number and bank account again, with no backup either once they have aged out." }
                input type="hidden" name="confirmed" value="yes";
                div.actions { button.bad { "Destroy the key" } a.button.quiet href=(PAGE) { "Cancel" } }
            }
        };
        return render(&app, visitor, &ask).await;
    }
    let desk = app.desk(&visitor).await?;
    let became = permitted(shredding::execute(&app, desk, id).await?)?;
    let answer = match &became {
        Execution::Executed(report) | Execution::Repeated(report) => done(report),
        Execution::NotDue { execute_after } => html! {
            div.note.warn role="status" { p { "Not before " (execute_after.format("%Y-%m-%d %H:%M UTC")) ": until then it can be called off." } }
        },
        Execution::Cancelled | Execution::Unknown => {
            html! { div.note.warn role="status" { p { "It was called off." } } }
        }
    };
    render(&app, visitor, &answer).await
}

fn permitted<T>(outcome: Result<Option<T>, Refused>) -> Result<T, Problem> {
    outcome.map_err(|refused| Problem::Refused(refused.to_string()))?.ok_or(Problem::NotFound)
}

fn done(report: &ShredReport) -> Markup {
    html! {
        div.note.good role="status" {
            p { strong { "The key is destroyed. " } "It is gone from the database since " (report.effective_live_at.format("%Y-%m-%d %H:%M:%S UTC")) "." }
            @if let Some(at) = report.effective_in_backups_at { p { "No backup holds it any more from " (at.format("%Y-%m-%d")) " on." } }
        }
    }
}

async fn render(app: &App, visitor: SignedIn, answer: &Markup) -> Result<Markup, Problem> {
    let mut desk = app.desk(&visitor).await?;
    let own = Resource::in_tenant(desk.user.tenant_id);
    desk.require(Perm::CryptoView, &own, ("shred", "drivers"))?;
    let drivers = drivers::all(&mut desk).await?;
    let (user, may) = (desk.user.clone(), desk.may(Perm::CryptoShred, &own));
    desk.commit(app).await?;
    let history = shredding::history(app, user.tenant_id).await?;
    let content = html! {
        (answer)
        (table(&history, &drivers, may))
        @if may { (form(&drivers)) }
    };
    let lead =
        "A driver's number and bank account are under a key of their own. Without it they are noise, in every copy.";
    Ok(page(&user, Place::Shredding, "Shredding", lead, &content))
}

fn table(history: &[Shred], drivers: &[Driver], may: bool) -> Markup {
    let name = |shred: &Shred| {
        let subject = shred.target.subject().map(Uuid::from);
        drivers
            .iter()
            .find(|driver| Some(driver.id) == subject)
            .map_or("a former driver", |driver| driver.name.as_str())
    };
    let day = |moment: chrono::DateTime<chrono::Utc>| moment.format("%Y-%m-%d").to_string();
    html! {
        div.card.flush {
            h2 { "Planned and done" }
            div.scroll { table.stack {
                thead { tr { th { "Driver" } th { "Request" } th { "Gone from the database" } th { "Gone from backups" } th { "State" } } }
                tbody { @for shred in history.iter().rev() { tr {
                    td { (name(shred)) }
                    td { (shred.reason) }
                    @match &shred.state {
                        ShredState::Executed { at, .. } => {
                            td data-label="Database" { (at.format("%Y-%m-%d %H:%M:%S")) }
                            td data-label="Backups" { (shredding::complete_after(*at).map(day).unwrap_or_default()) }
                            td { span.badge { "destroyed" } }
                        },
                        ShredState::Cancelled { .. } => { td {} td {} td { span.badge { "called off" } } },
                        _ => {
                            td data-label="Database" { "not before " (shred.execute_after.format("%Y-%m-%d %H:%M")) }
                            td data-label="Backups" { "not before " (shredding::complete_after(shred.execute_after).map(day).unwrap_or_default()) }
                            td {
                                span.badge.warn { "planned" }
                                @if may {
                                    div.actions {
                                        form.inline method="post" action={ (PAGE) "/" (shred.id) "/cancel" } { button.quiet.small { "Call off" } }
                                        form.inline method="post" action={ (PAGE) "/" (shred.id) "/execute" } { button.quiet.small { "Carry out ..." } }
                                    }
                                }
                            }
                        },
                    }
                } } }
            } }
            @if history.is_empty() { p.muted.padded { "Nothing is planned." } }
        }
    }
}

fn form(drivers: &[Driver]) -> Markup {
    html! {
        form.card method="post" action=(PAGE) {
            h2 { "Plan to destroy a driver's key" }
            div.row {
                div.field { label for="driver" { "Driver" } select id="driver" name="driver" required { @for driver in drivers { option value=(driver.id) { (driver.name) } } } }
                div.field { label for="reason" { "Number of the request" } input id="reason" name="reason" required maxlength="120" placeholder="DSR-01"; }
                div.field { button { "Plan it" } }
            }
            p.muted { "It can be called off for a week. The number stays for good: name nobody in it." }
        }
    }
}
