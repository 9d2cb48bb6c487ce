//! Who is asking: resolved once per request, from the session cookie and the connection.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, MatchedPath},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, header, request::Parts};
use stockade::{
    audit_chain::RequestContext,
    session::{Caller, ClientInfo, PendingToken, Session, SessionToken},
};
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

/// Who makes a request. Whoever is not signed in is sent to the sign-in page.
pub(super) async fn resolve(parts: &Parts, app: &App) -> Result<(Caller, Session, RequestContext), Problem> {
    let token = session_token(app, &parts.headers).ok_or(Problem::SignedOut)?;
    let session = app.auth.resolve(&token).await?.ok_or(Problem::SignedOut)?;
    let mut request = RequestContext::new().ip(address(parts)?).request_id(Uuid::now_v7().to_string());
    if let Some(agent) = user_agent(&parts.headers) {
        request = request.user_agent(agent);
    }
    if let Some(path) = parts.extensions.get::<MatchedPath>() {
        request = request.endpoint(parts.method.as_str(), path.as_str());
    }
    let look = app.cookies.read_impersonation(cookies(&parts.headers));
    let caller = app.auth.impersonations().caller(session.clone(), look.as_ref()).await?;
    Ok((caller, session, request))
}

/// The connection of somebody who may not be signed in.
#[derive(Clone, Debug)]
pub(crate) struct Client(pub(crate) ClientInfo);

impl FromRequestParts<Arc<App>> for Client {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Response> {
        let ip = address(parts).map_err(IntoResponse::into_response)?;
        Ok(Self(ClientInfo { ip, user_agent: user_agent(&parts.headers).map(str::to_owned) }))
    }
}

/// The session cookie's token, if the request brings a well-formed one.
pub(crate) fn session_token(app: &App, headers: &HeaderMap) -> Option<SessionToken> {
    app.cookies.read_session(cookies(headers))
}

/// The token of a sign-in that waits for its second step.
pub(crate) fn pending_token(app: &App, headers: &HeaderMap) -> Option<PendingToken> {
    app.cookies.read_pending(cookies(headers))
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok())
}

/// The peer's address. Behind a reverse proxy this is the proxy's: the application trusts no forwarded header.
fn address(parts: &Parts) -> Result<IpAddr, Problem> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map(|peer| peer.0.ip())
        .ok_or_else(|| Problem::Failed(anyhow::anyhow!("the router is served without connect info")))
}

fn user_agent(headers: &HeaderMap) -> Option<&str> {
    let agent = headers.get(header::USER_AGENT)?.to_str().ok()?;
    agent.get(..agent.len().min(256))
}

/// The address of somebody who may not be signed in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address(pub(crate) IpAddr);

impl FromRequestParts<Arc<App>> for Address {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Response> {
        address(parts).map(Self).map_err(IntoResponse::into_response)
    }
}
