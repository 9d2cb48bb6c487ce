//! The compliance dashboard: the posture crate's own page inside the application's frame.

use std::num::NonZeroU32;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::header::CONTENT_TYPE;
use maud::{Markup, PreEscaped, html};
use stockade::{
    audit_chain::{
        AuditRow, Outcome, Severity,
        postgres::{Filter, search},
    },
    posture::{Assessment, render},
    ratelimit::Key,
    rbac::Resource,
};
use uuid::Uuid;

use super::{
    SignedIn, WebApp,
    layout::{Place, page},
    problem::Problem,
};
use crate::{app::App, authority::Viewer, controls, domain::people::User, limits::DOWNLOAD_USER, permissions::Perm};

/// `GET /posture`: measured while the page is made.
pub(crate) async fn show(State(app): WebApp, viewer: Viewer) -> Result<Markup, Problem> {
    let events = events(&app, &viewer).await?;
    let (user, assessment) = measure(&app, viewer).await?;
    let content = html! {
        link rel="stylesheet" href="/posture.css";
        p { a.button.quiet href="/posture.json" { "Download as JSON" } }
        (PreEscaped(render::html::fragment(&assessment)))
        div.grid.below { (recent(&events)) }
    };
    let lead =
        "Each control is measured on the running system when you open this page. What is not measured is not in place.";
    Ok(page(&user, Place::Posture, "Compliance", lead, &content))
}

/// `GET /posture.json`
pub(crate) async fn json(State(app): WebApp, visitor: SignedIn) -> Result<Response, Problem> {
    let keys = [(DOWNLOAD_USER, Key::user(Uuid::from(visitor.session.user).as_bytes()))];
    let decision = app.limits.check(&keys).await?;
    if !decision.allowed {
        return Err(Problem::TooMany { retry_after: decision.retry_after_secs() });
    }
    let (_, assessment) = measure(&app, visitor.into()).await?;
    Ok(([(CONTENT_TYPE, "application/json")], render::json(&assessment)).into_response())
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

async fn measure(app: &App, viewer: Viewer) -> Result<(User, Assessment), Problem> {
    let look = app.look(&viewer).await?;
    let own = Resource::in_tenant(viewer.user.tenant_id);
    look.require(app, Perm::PostureView, &own, ("posture", "dashboard"))?;
    let principal = look.principal()?;
    // The measurements take connections of their own: this one is given back first.
    look.close().await?;
    let assessment = controls::assess(app, &viewer.user, &principal).await?;
    Ok((viewer.user, assessment))
}
