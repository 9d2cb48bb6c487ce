//! Who is asking, as handlers take it, and what the audit log is told about the request.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, MatchedPath},
    response::{IntoResponse, Response},
};
use http::request::Parts;
use stockade::{audit_chain::RequestContext, session::tower::Visit};
use uuid::Uuid;

use super::problem::Problem;
use crate::{
    app::App,
    authority::{Viewer, Visitor},
};

/// A person who works in their own name. Only a guarded route has one.
pub(crate) type SignedIn = Visitor;

impl FromRequestParts<Arc<App>> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Response> {
        let nobody = || match parts.extensions.get::<Viewer>() {
            Some(_) => Problem::Refused("You look at this desk as somebody else, and change nothing.".to_owned()),
            None => Problem::Failed(anyhow::anyhow!("a handler without a guard asked for its visitor")),
        };
        parts.extensions.get::<Self>().cloned().ok_or_else(|| nobody().into_response())
    }
}

impl FromRequestParts<Arc<App>> for Viewer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Response> {
        let unguarded = || Problem::Failed(anyhow::anyhow!("a handler without a guard asked for its viewer"));
        parts.extensions.get::<Self>().cloned().ok_or_else(|| unguarded().into_response())
    }
}

/// What the audit log says of a request.
pub(super) fn request(parts: &Parts, visit: &Visit) -> Result<RequestContext, Problem> {
    let client = visit.client()?;
    let mut request = RequestContext::new().ip(client.ip).request_id(Uuid::now_v7().to_string());
    if let Some(agent) = client.user_agent {
        request = request.user_agent(agent.chars().take(256).collect::<String>());
    }
    if let Some(path) = parts.extensions.get::<MatchedPath>() {
        request = request.endpoint(parts.method.as_str(), path.as_str());
    }
    Ok(request)
}
