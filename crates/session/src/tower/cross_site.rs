//! Whether another site caused a request.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use http::{
    HeaderName, Method, Request, Response,
    header::{HOST, ORIGIN},
    request::Parts,
};
use tower_http::csrf::{Csrf, CsrfLayer};
use tower_layer::Layer;
use tower_service::Service;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What proves who a request is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Credential {
    /// A cookie of this crate, which a browser sends whoever caused the request.
    Cookie,
    /// An `Authorization` header with a bearer token, which no other site can make a browser send.
    Bearer,
    /// Neither.
    None,
}

/// The judgement of tower-http's middleware, asked apart from its service because that knows no credentials.
#[derive(Debug, Clone)]
pub(super) struct CrossSite(Csrf<Passed>);

#[derive(Debug, Clone, Copy)]
struct Passed;

impl CrossSite {
    pub(super) fn new(layer: &CsrfLayer) -> Self {
        Self(layer.layer(Passed))
    }

    /// Whether a request may change something, as far as its origin goes.
    ///
    /// tower-http lets pass what has neither `Sec-Fetch-Site` nor `Origin`, because no browser of the last years sends a request like
    /// that for another site. Here such a request may not use a cookie.
    pub(super) async fn allows(&self, request: &Parts, credential: Credential) -> bool {
        if credential == Credential::Bearer || matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return true;
        }
        let told = [ORIGIN, SEC_FETCH_SITE].iter().any(|name| request.headers.get(name).is_some_and(|v| !v.is_empty()));
        if credential == Credential::Cookie && !told {
            return false;
        }
        let mut question = Request::new(());
        *question.method_mut() = request.method.clone();
        *question.uri_mut() = request.uri.clone();
        for name in [ORIGIN, SEC_FETCH_SITE, HOST] {
            if let Some(value) = request.headers.get(&name) {
                question.headers_mut().insert(name, value.clone());
            }
        }
        self.0.clone().call(question).await.is_ok_and(|answer| answer.status().is_success())
    }
}

impl Service<Request<()>> for Passed {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new(())))
    }
}
