//! Loads: the list, one load, and the form that changes it.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    Form, SignedIn, WebApp,
    layout::{Place, page},
    problem::Problem,
    sharing::Card,
};
use crate::{
    desk::{Desk, Look, Reads},
    domain::{
        documents,
        loads::{self, Change, Load, STATUSES},
        money::Cents,
        sharing::{Kind, Row},
    },
    permissions::Perm,
};

/// `GET /loads`
pub(crate) async fn list(mut look: Look) -> Result<Markup, Problem> {
    let loads = loads::all(&mut look).await?;
    let user = look.close().await?;
    let content = html! {
        div.card.flush { div.scroll {
            table.stack {
                thead { tr { th { "Load" } th { "Customer" } th { "Lane" } th { "Pick-up" } th { "Status" } th.num { "Rate" } } }
                tbody {
                    @for load in &loads {
                        tr {
                            td.nowrap { a href={ "/loads/" (load.id) } { (load.reference) } }
                            td { (load.customer) }
                            td { (load.origin) " → " (load.destination) }
                            td.nowrap { (load.pickup_on) }
                            td { (status(&load.status)) }
                            td.num { (load.rate_cents) }
                        }
                    }
                }
            }
            @if loads.is_empty() { p.muted.padded { "You see no load: none is of your office or team, and none is shared with you." } }
        } }
    };
    Ok(page(&user, Place::Loads, "Loads", "Everything that is quoted, booked, under way or delivered.", &content))
}

/// `GET /loads/{id}`
pub(crate) async fn show(mut look: Look, Path(id): Path<Uuid>) -> Result<Markup, Problem> {
    let load = loads::find(&mut look, id).await?.ok_or(Problem::NotFound)?;
    let beside = beside(&mut look, &load).await?;
    let page = one(&look, &load, &Draft::of(&load), &beside);
    look.close().await?;
    Ok(page)
}

/// What the form sends.
#[derive(Debug, Deserialize)]
pub(crate) struct Sent {
    rate: String,
    status: String,
}

/// `POST /loads/{id}`
pub(crate) async fn change(
    State(app): WebApp,
    visitor: SignedIn,
    Path(id): Path<Uuid>,
    Form(sent): Form<Sent>,
) -> Result<Response, Problem> {
    let mut desk = app.desk(&visitor).await?;
    let load = loads::find(&mut desk, id).await?.ok_or(Problem::NotFound)?;
    let mut draft = Draft { rate: sent.rate, status: sent.status, ..Draft::default() };
    let Some(change) = draft.read() else {
        let beside = beside(&mut desk, &load).await?;
        let page = one(&desk, &load, &draft, &beside);
        desk.commit(&app).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    };
    let outcome = loads::change(&mut desk, &load, &change).await?;
    desk.commit(&app).await?;
    match outcome {
        Ok(()) => Ok(Redirect::to("/loads").into_response()),
        Err(refused) => Err(Problem::Refused(refused.to_string())),
    }
}

/// What stands in the form, and what is wrong with it.
#[derive(Debug, Default)]
struct Draft {
    rate: String,
    status: String,
    rate_error: Option<String>,
    status_error: Option<&'static str>,
}

impl Draft {
    fn of(load: &Load) -> Self {
        Self { rate: load.rate_cents.to_string(), status: load.status.clone(), ..Self::default() }
    }

    fn read(&mut self) -> Option<Change> {
        let rate = match Cents::parse(&self.rate) {
            Ok(rate) if rate.0 < 0 => {
                self.rate_error = Some("A rate is not negative.".to_owned());
                None
            }
            Ok(rate) => Some(rate),
            Err(error) => {
                self.rate_error = Some(error.to_string());
                None
            }
        };
        if !STATUSES.contains(&self.status.as_str()) {
            self.status_error = Some("Choose one of the four.");
            return None;
        }
        Some(Change { rate: rate?, status: self.status.clone() })
    }
}

/// What stands beside the load itself: its documents, and with whom it is shared.
async fn beside<W: Reads<Perm>>(desk: &mut Desk<W>, load: &Load) -> Result<Markup, Problem> {
    let facts = load.resource(desk.user.id);
    let documents = documents::of(desk, load.id).await?;
    let may = desk.user.seen_by.is_none() && desk.may(Perm::DocumentDownload, &facts);
    let shares = Card::read(desk, &Row { kind: Kind::Load, id: load.id, facts }).await?;
    Ok(html! { (super::documents::card(&documents, may)) (shares.render()) })
}

fn one<W: Reads<Perm>>(desk: &Desk<W>, load: &Load, draft: &Draft, beside: &Markup) -> Markup {
    let may_edit = desk.may(Perm::LoadEdit, &load.resource(desk.user.id));
    let content = html! {
        div.grid {
            div.card {
                h2 { "Shipment" }
                p { strong { (load.customer) } br; (load.origin) " → " (load.destination) }
                p.muted { "Pick-up " (load.pickup_on) }
                p { (status(&load.status)) " " strong { (load.rate_cents) } }
            }
            form.card method="post" {
                h2 { "Change" }
                div.field {
                    label for="rate" { "Rate" }
                    input id="rate" name="rate" value=(draft.rate) inputmode="decimal" required disabled[!may_edit]
                        aria-invalid=[draft.rate_error.as_ref().map(|_| "true")] aria-describedby=[draft.rate_error.as_ref().map(|_| "rate-error")];
                    @if let Some(error) = &draft.rate_error { p.error id="rate-error" { (error) } }
                }
                div.field {
                    label for="status" { "Status" }
                    select id="status" name="status" disabled[!may_edit] {
                        @for one in STATUSES { option value=(one) selected[one == draft.status] { (one) } }
                    }
                    @if let Some(error) = draft.status_error { p.error { (error) } }
                }
                @if may_edit { button { "Save" } }
                @else { p.muted { "Your role may look at this load, not change it." } }
            }
        }
        (beside)
    };
    page(
        &desk.user,
        Place::Loads,
        &load.reference,
        "A change is saved together with its audit entry, or not at all.",
        &content,
    )
}

fn status(status: &str) -> Markup {
    let class = match status {
        "delivered" => "badge good",
        "in transit" => "badge warn",
        _ => "badge",
    };
    html! { span class=(class) { (status) } }
}
