//! Asks what the table of routes says, before any handler runs.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use http::request::Parts;
use stockade::{
    audit_chain::{self, Outcome, Severity},
    rbac::{Permission, Resource, Scope},
    session::{self, Touch, tower::Visit},
};

use super::{api, problem::Problem, routes::Guard, visitor};
use crate::{
    app::App,
    authority::{Viewer, Visitor},
    permissions::Perm,
};

/// Where whoever looks after desks, and has none, begins.
const STAFF: &str = "/staff";

/// Lets a request through whose guard is satisfied, with who makes it.
pub(super) async fn ask(State((app, guard)): State<(Arc<App>, Guard)>, request: Request, next: Next) -> Response {
    match guard {
        Guard::Public(_) => return next.run(request).await,
        Guard::Token(permission) => return api::enter(&app, permission, request, next).await,
        Guard::Own(_) | Guard::Needs(_) | Guard::Follows(_) => {}
    }
    let (mut parts, body) = request.into_parts();
    match enter(&app, &mut parts, guard).await {
        Ok(None) => next.run(Request::from_parts(parts, body)).await,
        Ok(Some(answer)) => answer,
        Err(problem) => problem.into_response(),
    }
}

/// Puts who makes the request into its extensions: [`Visitor`] and [`Viewer`] for a person who works, [`Viewer`] alone for staff who
/// look. What takes a visitor cannot be reached by a look.
async fn enter(app: &App, parts: &mut Parts, guard: Guard) -> Result<Option<Response>, Problem> {
    let visit = Visit::of(&parts.extensions)?;
    let request = visitor::request(parts, &visit)?;
    // A page that is open in front of nobody must not keep its session alive.
    let touch = if matches!(guard, Guard::Follows(_)) { Touch::Never } else { Touch::Throttled };
    let viewer = match visit.visitor_with(touch).await? {
        session::tower::Visitor::Nobody => return Err(Problem::SignedOut),
        session::tower::Visitor::Own(session) => {
            let visitor = app.visitor(session.clone(), request).await?;
            let visitor = visitor.ok_or_else(|| refused("You are suspended, or no longer a member here."))?;
            let viewer = Viewer::from(visitor.clone());
            parts.extensions.insert(visitor);
            viewer
        }
        session::tower::Visitor::Impersonating(look) => {
            let viewer = app.looking(look, request).await?;
            viewer.ok_or_else(|| refused("There is nobody to look as, or you may not look any more."))?
        }
        session::tower::Visitor::Over(_) => return Ok(Some(Redirect::to(STAFF).into_response())),
        session::tower::Visitor::MustEnrol(_) => {
            return Err(Problem::MustEnrol);
        }
    };
    if let Some(permission) = guard.permission()
        && viewer.actor.scope(permission) == Scope::None
    {
        if permission == Perm::LoadView && viewer.actor.scope(Perm::Impersonate) != Scope::None {
            return Ok(Some(Redirect::to(STAFF).into_response()));
        }
        return Err(refuse(app, parts, &viewer, permission).await?);
    }
    parts.extensions.insert(viewer);
    Ok(None)
}

/// Records that somebody asked for what reaches nothing.
async fn refuse(app: &App, parts: &Parts, viewer: &Viewer, permission: Perm) -> Result<Problem, Problem> {
    let own = Resource::in_tenant(viewer.user.tenant_id);
    let reason = viewer.actor.decide(permission, &own).to_string();
    let entry = audit_chain::Entry::new(viewer.user.tenant_id.into(), viewer.user.author(), permission.key())
        .entity("page", parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str))
        .request(viewer.request.clone())
        .outcome(Outcome::Denied)
        .severity(Severity::Notice)
        .after(serde_json::json!({ "reason": reason }));
    match parts.extensions.get::<Visitor>() {
        Some(visitor) => {
            let mut desk = app.desk(visitor).await?;
            desk.record(&entry).await?;
            desk.commit(app).await?;
        }
        None => app.trail.send(viewer.user.tenant_id.into(), entry),
    }
    Ok(Problem::Refused(reason))
}

fn refused(why: &str) -> Problem {
    Problem::Refused(why.to_owned())
}
