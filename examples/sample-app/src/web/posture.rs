//! The compliance dashboard: the posture crate's own page inside the application's frame, and what the audit log says of earlier days.

mod exports;
mod history;

use std::num::NonZeroU32;

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, PreEscaped, html};
use stockade::{
    audit_chain::{
        AuditRow, Outcome, Severity,
        postgres::{Filter, search},
    },
    posture::{Assessment, render},
    ratelimit::Key,
    rbac::Resource,
    session::tower::Visit,
};
use uuid::Uuid;

use super::{
    SignedIn, WebApp,
    layout::{Place, page},
    problem::Problem,
};
use crate::{
    app::App,
    authority::Viewer,
    controls,
    domain::{assessments, people::User},
    limits::DOWNLOAD_USER,
    permissions::Perm,
};

pub(crate) use exports::{csv, json, markdown, oscal};

/// `GET /posture`: measured while the page is made.
pub(crate) async fn show(State(app): WebApp, visit: Visit, viewer: Viewer) -> Result<Markup, Problem> {
    let events = events(&app, &viewer).await?;
    let own = Resource::in_tenant(viewer.user.tenant_id);
    let may_record = viewer.user.seen_by.is_none() && viewer.actor.decide(Perm::PostureRecord, &own).is_allowed();
    let (user, assessment) = measure(&app, &visit, viewer).await?;
    let recorded = controls::earlier(&app, user.tenant_id, assessment.at()).await?;
    let content = html! {
        link rel="stylesheet" href="/posture.css";
        div.actions.spaced {
            @if may_record { form.inline method="post" action="/posture" { button { "Record this assessment" } } }
            @for (path, name) in exports::LINKS { a.button.quiet href=(path) title={ "Download as " (name) } { (name) } }
        }
        (PreEscaped(render::html::fragment(&assessment)))
        div.grid.below { (history::card(&recorded, assessment.at().date_naive())) (recent(&events)) }
    };
    let lead =
        "Each control is measured on the running system when you open this page. What is not measured is not in place.";
    Ok(page(&user, Place::Posture, "Compliance", lead, &content))
}

/// `POST /posture`: assesses, and records it in the audit log.
pub(crate) async fn record(State(app): WebApp, visit: Visit, visitor: SignedIn) -> Result<Response, Problem> {
    limited(&app, visitor.session.user.into()).await?;
    match assessments::record(&app, &visitor, &visit).await? {
        Ok(_) => Ok(Redirect::to("/posture").into_response()),
        Err(refused) => Err(refused.into()),
    }
}

/// Measuring is work, and an export is a download.
async fn limited(app: &App, user: Uuid) -> Result<(), Problem> {
    let decision = app.limits.check(&[(DOWNLOAD_USER, Key::user(user.as_bytes()))]).await?;
    if decision.allowed { Ok(()) } else { Err(Problem::TooMany { retry_after: decision.retry_after_secs() }) }
}

/// The newest entries that somebody should look at, for whoever may read the log.
async fn events(app: &App, viewer: &Viewer) -> Result<Vec<AuditRow>, Problem> {
    const SHOWN: NonZeroU32 = NonZeroU32::new(8).unwrap();
    let tenant = viewer.user.tenant_id;
    let mut look = app.look(viewer).await?;
    let mut events = Vec::new();
    if look.may(Perm::AuditView, &Resource::in_tenant(tenant)) {
        let notable = Filter::new(tenant.into()).at_least(Severity::Notice).limit(SHOWN);
        events = search(&mut look.tx, &notable).await?.rows;
    }
    look.close().await?;
    Ok(events)
}

fn recent(events: &[AuditRow]) -> Markup {
    html! {
        @if !events.is_empty() {
            section.card aria-labelledby="recent" {
                h2 id="recent" { "Recent events" }
                ul.attempts {
                    @for event in events {
                        li {
                            div {
                                code { (event.action) } " "
                                @match event.severity {
                                    Severity::Critical => span.badge.bad { "critical" },
                                    Severity::Warning => span.badge.warn { "warning" },
                                    _ => {},
                                }
                                @if event.outcome != Outcome::Success { " " span.badge.bad { (event.outcome) } }
                            }
                            span.muted { (event.actor_name.as_deref().unwrap_or(&event.actor_id)) ", " (event.recorded_at.format("%Y-%m-%d %H:%M UTC")) }
                        }
                    }
                }
                p { a href="/audit?severity=notice" { "All of them" } }
            }
        }
    }
}

async fn measure(app: &App, visit: &Visit, viewer: Viewer) -> Result<(User, Assessment), Problem> {
    let look = app.look(&viewer).await?;
    let own = Resource::in_tenant(viewer.user.tenant_id);
    look.require(Perm::PostureView, &own, ("posture", "dashboard"))?;
    // The measurements take connections of their own: this one is given back first.
    look.close().await?;
    let assessment = controls::assess(app, viewer.user.tenant_id, Some(visit)).await?;
    Ok((viewer.user, assessment))
}
