//! Placing and releasing a legal hold.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use super::{LONGEST, Persons, confirm, filled, open, refuse};
use crate::{
    domain::retention::{self, Hold},
    permissions::Perm,
    web::{Form, SignedIn, WebApp, problem::Problem},
};

const PAGE: &str = "/administration/retention";
const TOO_LONG: &str = "Say why, in at most 120 characters.";

/// For what, and whether that was confirmed.
#[derive(Debug, Deserialize)]
pub(crate) struct Reason {
    reason: String,
    #[serde(default)]
    confirmed: String,
}

/// `POST /administration/retention/holds`
pub(crate) async fn place(
    State(app): WebApp,
    visitor: SignedIn,
    Form(form): Form<Reason>,
) -> Result<Response, Problem> {
    let desk = open(&app, visitor.clone(), Perm::AuditHold).await?;
    let Some(matter) = filled(&form.reason) else {
        desk.commit(&app).await?;
        return refuse(&app, visitor, TOO_LONG).await;
    };
    if form.confirmed != "yes" {
        let what = html! {
            p { "A legal hold for " strong { (matter) } ", on everything that the audit log of " (desk.user.tenant_name) " holds." }
            p { "While it lasts nothing of it is erased, whoever asks, and no month of it is purged." }
        };
        let fields = [("reason", matter)];
        return confirm(&app, desk, "Place the hold", &what, &fields, "/administration/retention/holds").await;
    }
    let placed = retention::place_hold(&app, desk, matter).await?;
    placed.map_err(|refused| Problem::Refused(refused.to_string()))?;
    Ok(Redirect::to(PAGE).into_response())
}

/// `POST /administration/retention/holds/{id}/release`
pub(crate) async fn release(
    State(app): WebApp,
    visitor: SignedIn,
    Path(id): Path<Uuid>,
    Form(form): Form<Reason>,
) -> Result<Response, Problem> {
    let mut desk = open(&app, visitor.clone(), Perm::AuditHold).await?;
    let hold = retention::holds(&mut desk.tx).await?.into_iter().find(|hold| hold.id == id);
    let (Some(hold), Some(reason)) = (&hold, filled(&form.reason)) else {
        desk.commit(&app).await?;
        return if hold.is_none() { Err(Problem::NotFound) } else { refuse(&app, visitor, TOO_LONG).await };
    };
    if form.confirmed != "yes" {
        let what = html! {
            p { "The hold for " strong { (hold.matter) } " ends, because: " strong { (reason) } "." }
            p { "Erasures that it kept back are not made up for: whoever asked has to ask again." }
        };
        let action = format!("/administration/retention/holds/{id}/release");
        return confirm(&app, desk, "Release the hold", &what, &[("reason", reason)], &action).await;
    }
    match retention::release_hold(&app, desk, id, reason).await? {
        Ok(true) => Ok(Redirect::to(PAGE).into_response()),
        Ok(false) => Err(Problem::NotFound),
        Err(refused) => Err(Problem::Refused(refused.to_string())),
    }
}

pub(super) fn card(holds: &[Hold], persons: &Persons, may: bool) -> Markup {
    html! {
        div.card {
            h2 { "Legal holds" }
            @if holds.is_empty() { p.muted { "No hold is in force." } }
            @for hold in holds {
                div.hold {
                    p {
                        strong { (hold.matter) } " "
                        span.muted { "since " (hold.placed_at.format("%Y-%m-%d %H:%M UTC")) ", placed by " (persons.actor(&hold.actor_id)) }
                    }
                    @if may {
                        form method="post" action={ "/administration/retention/holds/" (hold.id) "/release" } {
                            div.row {
                                div.field { label for={ "release-" (hold.id) } { "Why it is released" } input id={ "release-" (hold.id) } name="reason" required maxlength=(LONGEST); }
                                div.field { button.quiet { "Release ..." } }
                            }
                        }
                    }
                }
            }
            @if may {
                form method="post" action="/administration/retention/holds" {
                    div.row {
                        div.field { label for="matter" { "The matter of a new hold" } input id="matter" name="reason" required maxlength=(LONGEST) placeholder="C-2026-01"; }
                        div.field { button { "Place a hold ..." } }
                    }
                }
            }
        }
    }
}
