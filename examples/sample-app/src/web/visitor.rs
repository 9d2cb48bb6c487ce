//! Who is asking: the session layer's answer, and what the audit log is told about the request.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, MatchedPath},
    response::{IntoResponse, Response},
};
use http::request::Parts;
use stockade::{
    audit_chain::RequestContext,
    session::{Session, tower::Visit},
};
use uuid::Uuid;

use super::problem::Problem;
use crate::app::App;

/// A request of a signed-in person. Whoever is not is sent to the sign-in page.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    pub(crate) session: Session,
    pub(crate) request: RequestContext,
}

impl FromRequestParts<Arc<App>> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Response> {
        resolve(parts).await.map_err(IntoResponse::into_response)
    }
}

async fn resolve(parts: &Parts) -> Result<SignedIn, Problem> {
    let visit = Visit::of(&parts.extensions)?;
    let session = visit.session().await?.cloned().ok_or(Problem::SignedOut)?;
    let client = visit.client()?;
    let mut request = RequestContext::new().ip(client.ip).request_id(Uuid::now_v7().to_string());
    if let Some(agent) = client.user_agent {
        request = request.user_agent(agent.chars().take(256).collect::<String>());
    }
    if let Some(path) = parts.extensions.get::<MatchedPath>() {
        request = request.endpoint(parts.method.as_str(), path.as_str());
    }
    Ok(SignedIn { session, request })
}
