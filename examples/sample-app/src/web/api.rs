//! What programs ask, with an API token in place of a session.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header, request::Parts};
use serde_json::{Value, json};
use stockade::{
    audit_chain::{Outcome, Severity},
    rbac::{Permission, Resource, Scope, Scopes},
    session::tower::{Refusal, Visit},
};
use uuid::Uuid;

use super::{WebApp, problem::Problem, visitor};
use crate::{
    app::App,
    authority::{Authority, Viewer},
    domain::{
        features::{self, Feature},
        loads,
    },
    permissions::Perm,
};

/// `GET /api/loads`: those that the token's owner may see now, as far as the token goes.
pub(crate) async fn list(State(app): WebApp, viewer: Viewer) -> Result<Response, Failed> {
    let mut look = app.look(&viewer).await?;
    let on = features::is_on(&mut look.tx, Feature::Programs).await?;
    let loads = loads::all(&mut look).await?;
    look.close().await?;
    if !on {
        return Err(Failed::Denied("programs are switched off for your company".to_owned()));
    }
    let loads: Vec<Value> = loads
        .iter()
        .map(|load| {
            json!({
                "reference": load.reference, "customer": load.customer, "origin": load.origin,
                "destination": load.destination, "pickup_on": load.pickup_on.to_string(), "rate": load.rate_cents.to_string(),
                "status": load.status,
            })
        })
        .collect();
    Ok(answer(StatusCode::OK, &json!({ "loads": loads })))
}

/// Lets a request through whose token is for `permission`, as its owner with less authority.
pub(super) async fn enter(app: &App, permission: Perm, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match viewer(app, permission, &parts).await {
        Ok(viewer) => {
            parts.extensions.insert(viewer);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(failed) => failed.into_response(),
    }
}

async fn viewer(app: &App, permission: Perm, parts: &Parts) -> Result<Viewer, Failed> {
    let visit = Visit::of(&parts.extensions)?;
    let token = visit.api_token().await.map_err(Failed::Refused)?.ok_or(Failed::Refused(Refusal::SignedOut))?;
    let request = visitor::request(parts, &visit).map_err(Failed::Page)?;
    // The owner as of now. Whoever was suspended or lost a role takes their tokens along.
    let member = app.member(token.tenant.into(), token.user.into()).await?;
    let (mut user, loaded) = member.ok_or(Failed::Refused(Refusal::SignedOut))?;
    let actor = loaded.build().attenuate(&Scopes::parse(&token.scopes)?);
    user.roles = actor.roles().map(str::to_owned).collect();
    let viewer = Viewer { user, request, actor: Arc::new(Authority::Direct(actor)), looking: None };
    if viewer.actor.scope(permission) == Scope::None {
        let tenant = Resource::in_tenant(viewer.user.tenant_id);
        let reason = viewer.actor.decide(permission, &tenant).to_string();
        let look = app.look(&viewer).await?;
        let entry = look
            .entry(permission.key())
            .entity("api_token", Uuid::from(token.id).to_string())
            .outcome(Outcome::Denied)
            .severity(Severity::Notice)
            .after(json!({ "reason": reason }));
        look.close().await?;
        app.trail.send(viewer.user.tenant_id.into(), entry);
        app.seal_soon();
        return Err(Failed::Denied(reason));
    }
    Ok(viewer)
}

/// Why a program gets no answer, as JSON.
pub(crate) enum Failed {
    Refused(Refusal),
    Denied(String),
    Page(Problem),
}

impl<E: Into<anyhow::Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Page(Problem::Failed(error.into()))
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(refusal) => {
                let body = json!({ "error": refusal.to_string() });
                let mut response = refusal.response();
                let status = response.status();
                let told = answer(status, &body);
                response.headers_mut().extend(told.headers().clone());
                *response.body_mut() = told.into_body();
                response
            }
            Self::Denied(reason) => answer(StatusCode::FORBIDDEN, &json!({ "error": reason })),
            // The description goes to the operator's log.
            Self::Page(problem) => {
                let status = problem.into_response().status();
                answer(status, &json!({ "error": "something failed on our side" }))
            }
        }
    }
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
