//! Asks what the table of routes says, before any handler runs.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use stockade::{
    audit_chain::{Outcome, Severity},
    rbac::{Permission, Resource, Scope},
};

use super::{api, problem::Problem, routes::Guard, visitor};
use crate::{
    app::App,
    authority::{Viewer, Visitor},
    permissions::Perm,
};

/// Lets a request through whose guard is satisfied, with who makes it.
pub(super) async fn ask(State((app, guard)): State<(Arc<App>, Guard)>, request: Request, next: Next) -> Response {
    let permission = match guard {
        Guard::Public(_) => return next.run(request).await,
        Guard::Own(_) => None,
        Guard::Needs(permission) => Some(permission),
        Guard::Token(permission) => return api::enter(&app, permission, request, next).await,
    };
    let (mut parts, body) = request.into_parts();
    let entered = async {
        let visitor = visitor::resolve(&parts, &app).await?;
        if let Some(permission) = permission {
            permit(&app, &visitor, permission, parts.extensions.get::<MatchedPath>()).await?;
        }
        Ok::<_, Problem>(visitor)
    };
    match entered.await {
        Ok(visitor) => {
            parts.extensions.insert(Viewer::from(visitor.clone()));
            parts.extensions.insert(visitor);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// Whether the permission reaches anything. A refusal is recorded, as it is where it reaches too little.
async fn permit(app: &App, visitor: &Visitor, permission: Perm, path: Option<&MatchedPath>) -> Result<(), Problem> {
    if visitor.actor.scope(permission) != Scope::None {
        return Ok(());
    }
    let reason = visitor.actor.decide(permission, &Resource::in_tenant(visitor.user.tenant_id)).to_string();
    let mut desk = app.desk(visitor).await?;
    let entry = desk
        .entry(permission.key())
        .entity("page", path.map_or("", MatchedPath::as_str))
        .outcome(Outcome::Denied)
        .severity(Severity::Notice)
        .after(serde_json::json!({ "reason": reason }));
    desk.record(&entry).await?;
    desk.commit(app).await?;
    Err(Problem::Refused(reason))
}
