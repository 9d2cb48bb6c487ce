//! The compliance dashboard: the posture crate's own page inside the application's frame.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::header::CONTENT_TYPE;
use maud::{Markup, PreEscaped, html};
use stockade::{
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
    let (user, assessment) = measure(&app, viewer).await?;
    let content = html! {
        link rel="stylesheet" href="/posture.css";
        p { a.button.quiet href="/posture.json" { "Download as JSON" } }
        (PreEscaped(render::html::fragment(&assessment)))
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
