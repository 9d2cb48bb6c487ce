//! Asks what the table of routes says, before any handler runs.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use http::request::Parts;
use stockade::{
    bridge::request::{self, Reads, Refused},
    rbac::Scope,
    session::{Touch, tower::Refusal},
};

use super::{api, problem::Problem, routes::Guard, visitor::admit};
use crate::{app::App, permissions::Perm};

/// Where whoever looks after desks, and has none, begins.
const STAFF: &str = "/staff";

/// Lets a request through whose guard is satisfied, with who makes it.
pub(super) async fn ask(State((app, guard)): State<(Arc<App>, Guard)>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let answer = match guard {
        Guard::Public(_) => None,
        Guard::Token(permission) => api::enter(&mut parts, permission).await.err().map(IntoResponse::into_response),
        Guard::Own(_) | Guard::Needs(_) | Guard::Follows(_) => match enter(&app, &mut parts, guard).await {
            Ok(elsewhere) => elsewhere.map(IntoResponse::into_response),
            Err(problem) => Some(problem.into_response()),
        },
    };
    match answer {
        Some(answer) => answer,
        None => next.run(Request::from_parts(parts, body)).await,
    }
}

/// Puts who makes the request into its extensions, or says where they should go instead.
async fn enter(app: &App, parts: &mut Parts, guard: Guard) -> Result<Option<Redirect>, Problem> {
    if matches!(guard, Guard::Follows(_)) {
        // A page that is open in front of nobody must not keep its session alive.
        parts.extensions.insert(Touch::Never);
    }
    let by = match request::Viewer::<Perm>::from_request_parts(parts, &()).await {
        Err(Refused::Session(Refusal::ImpersonationOver)) => return Ok(Some(Redirect::to(STAFF))),
        by => by?,
    };
    let looks = by.impersonation().is_some();
    let (viewer, look) = app.enter(by, guard.permission()).await.map_err(|refused| match refused {
        Refused::NoMember if looks => Problem::Refused("There is nobody to look as any more.".to_owned()),
        refused => refused.into(),
    })?;
    if let Some(permission) = guard.permission() {
        let reaches = |permission| look.scope(permission) != Scope::None;
        if permission == Perm::LoadView && !reaches(permission) && reaches(Perm::Impersonate) {
            return Ok(Some(Redirect::to(STAFF)));
        }
        look.reach(permission, ("page", parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str)))?;
    }
    admit(parts, Some(viewer), look);
    Ok(None)
}
