//! Settlements: what drivers are paid, and what dispatchers earn.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use stockade::rbac::Resource;
use uuid::Uuid;

use super::{
    Form, SignedIn, WebApp,
    layout::{Place, page},
    problem::Problem,
};
use crate::{
    desk::Look,
    domain::{
        money::{Cents, Share},
        people::User,
        settlements::{self, Change, STATUSES, Settlement},
    },
    permissions::Perm,
};

/// `GET /settlements`
pub(crate) async fn list(mut look: Look) -> Result<Markup, Problem> {
    let settlements = settlements::all(&mut look.tx).await?;
    let user = look.close().await?;
    let content = html! {
        div.card.flush { div.scroll { table.stack {
            thead { tr { th { "Load" } th { "Driver" } th { "Status" } th.num { "Rate" } th.num { "Driver's pay" } th.num { "Commission" } } }
            tbody { @for one in &settlements { tr {
                td.nowrap { a href={ "/settlements/" (one.id) } { (one.reference) } }
                td { (one.driver) }
                td { (status(&one.status)) }
                td.num data-label="Rate" { (one.rate_cents) }
                td.num data-label="Driver's pay" { (one.pay_cents) }
                td.num data-label="Commission" { (one.commission.of(one.rate_cents)) small { (one.commission) "%" } }
            } } }
            @if settlements.is_empty() { p.muted.padded { "Nothing is to be settled." } }
        } } }
    };
    Ok(page(&user, Place::Settlements, "Settlements", "What drivers are paid, and what dispatchers earn.", &content))
}

/// `GET /settlements/{id}`
pub(crate) async fn show(mut look: Look, Path(id): Path<Uuid>) -> Result<Markup, Problem> {
    let settlement = settlements::find(&mut look.tx, id).await?.ok_or(Problem::NotFound)?;
    let may = look.user.seen_by.is_none() && look.may(Perm::SettlementEdit, &Resource::in_tenant(look.user.tenant_id));
    let user = look.close().await?;
    Ok(one(&user, &settlement, may, &Sent::of(&settlement), None))
}

/// What the form sends.
#[derive(Deserialize)]
pub(crate) struct Sent {
    pay: String,
    commission: String,
    status: String,
}

/// `POST /settlements/{id}`
pub(crate) async fn change(
    State(app): WebApp,
    visitor: SignedIn,
    Path(id): Path<Uuid>,
    Form(sent): Form<Sent>,
) -> Result<Response, Problem> {
    let mut desk = app.desk(&visitor).await?;
    let settlement = settlements::find(&mut desk.tx, id).await?.ok_or(Problem::NotFound)?;
    let change = match sent.read() {
        Ok(change) => change,
        Err(complaint) => {
            desk.commit(&app).await?;
            let page = one(&visitor.user, &settlement, true, &sent, Some(complaint));
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
        }
    };
    let outcome = settlements::change(&mut desk, &settlement, &change).await?;
    desk.commit(&app).await?;
    outcome?;
    Ok(Redirect::to("/settlements").into_response())
}

impl Sent {
    fn of(settlement: &Settlement) -> Self {
        Self {
            pay: settlement.pay_cents.to_string(),
            commission: settlement.commission.to_string(),
            status: settlement.status.clone(),
        }
    }

    fn read(&self) -> Result<Change, &'static str> {
        let pay = Cents::parse(&self.pay)
            .ok()
            .filter(|pay| pay.0 >= 0)
            .ok_or("Write the pay as an amount such as 1,250.00.")?;
        let commission = Share::parse(&self.commission).ok_or("Write the commission as a percentage such as 12.5.")?;
        if !STATUSES.contains(&self.status.as_str()) {
            return Err("Choose one of the three.");
        }
        Ok(Change { pay, commission, status: self.status.clone() })
    }
}

fn one(user: &User, settlement: &Settlement, may: bool, sent: &Sent, complaint: Option<&str>) -> Markup {
    let fixed = !may || settlement.is_final();
    let content = html! {
        form.card.narrow method="post" {
            h2 { (settlement.driver) " " (status(&settlement.status)) }
            p.muted { "The customer pays " (settlement.rate_cents) "." }
            @if let Some(complaint) = complaint { div.note.warn role="alert" { p { (complaint) } } }
            div.field { label for="pay" { "Driver's pay" } input id="pay" name="pay" value=(sent.pay) inputmode="decimal" required disabled[fixed]; }
            div.field { label for="commission" { "Commission, in percent of the rate" } input id="commission" name="commission" value=(sent.commission) inputmode="decimal" required disabled[fixed]; }
            div.field {
                label for="status" { "Status" }
                select id="status" name="status" disabled[fixed] {
                    @for one in STATUSES { option value=(one) selected[one == sent.status] { (one) } }
                }
            }
            @if !fixed { button { "Save" } }
            @else if settlement.is_final() { p.muted { "It is paid, and changes no more." } }
            @else { p.muted { "Your role may look at this settlement, not change it." } }
        }
    };
    let lead =
        "A change is saved together with its audit entry, or not at all; the commission has an entry of its own.";
    page(user, Place::Settlements, &format!("Settlement of {}", settlement.reference), lead, &content)
}

fn status(status: &str) -> Markup {
    let class = match status {
        "paid" => "badge good",
        "approved" => "badge warn",
        _ => "badge",
    };
    html! { span class=(class) { (status) } }
}
