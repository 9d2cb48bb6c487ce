//! The service: ask, then pass on or refuse.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{Request, Response, StatusCode};
use tower_service::Service;

use crate::decision::{Decision, Source};
use crate::error::Error;
use crate::permit::Reservation;
use crate::route::Unit;
use crate::tower::body::{LimitedBody, Meter};
use crate::tower::fields;
use crate::tower::gate::{Correct, Gate};
use crate::tower::layer::Shared;
use crate::tower::subject::Subject;

/// A service behind a [`RateLimitLayer`](super::RateLimitLayer).
pub struct RateLimit<S, G, X> {
    inner: S,
    shared: Arc<Shared<G, X>>,
}

/// Why a request was refused, in the extensions of its response, for a log.
///
/// The status is 429 where a limit was exceeded and 503 where the question could not be answered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// A rule refused.
    ByRule(Decision),
    /// The rules could not be asked: a key was missing, say. Refused, because the other way lets everybody in.
    Unanswered(Arc<Error>),
}

impl<S, G, X> RateLimit<S, G, X> {
    pub(super) fn new(inner: S, shared: Arc<Shared<G, X>>) -> Self {
        Self { inner, shared }
    }
}

impl<S, G, X, Q, R> Service<Request<Q>> for RateLimit<S, G, X>
where
    S: Service<Request<Q>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    G: Gate,
    X: Fn(&Parts) -> Subject + Send + Sync + 'static,
    Q: Send + 'static,
    R: 'static,
{
    type Response = Response<LimitedBody<R, G::Permit>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        // The one that is ready is the one that is called.
        let standby = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, standby);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let permits = match shared.admit(&parts).await {
                Ok(permits) => permits,
                Err(refusal) => return Ok(shared.refuse(refusal)),
            };
            let decisions: Vec<Decision> = permits.iter().map(|(permit, _)| permit.decision()).collect();
            let meters = permits.into_iter().filter_map(|(permit, unit)| Meter::of(permit, unit)).collect();
            let (mut head, body) = inner.call(Request::from_parts(parts, body)).await?.into_parts();
            shared.describe(&mut head.headers, &decisions);
            Ok(Response::from_parts(head, LimitedBody::passed(body, meters)))
        })
    }
}

type Permits<P> = Vec<(P, Unit)>;

impl<G: Gate, X: Fn(&Parts) -> Subject> Shared<G, X> {
    /// Asks all rules. What one batch was charged is taken back if a later one refuses.
    async fn admit(&self, request: &Parts) -> Result<Permits<G::Permit>, Refusal> {
        let mut permits = Vec::new();
        let batches = self.batches(request).map_err(Refusal::unanswered)?;
        for batch in batches {
            let refusal = match self.gate.reserve(&batch.keys, batch.cost).await {
                Ok(Reservation::Granted(permit)) => {
                    permits.push((permit, batch.unit));
                    continue;
                }
                Ok(Reservation::Refused(decision)) => Refusal::ByRule(decision),
                Err(error) => Refusal::unanswered(error),
            };
            permits.into_iter().for_each(|(permit, _): (G::Permit, _)| permit.take_back());
            return Err(refusal);
        }
        Ok(permits)
    }

    fn refuse<R>(&self, refusal: Refusal) -> Response<LimitedBody<R, G::Permit>> {
        let mut response = Response::new(LimitedBody::empty());
        *response.status_mut() = refusal.status();
        if let Refusal::ByRule(decision) = &refusal {
            fields::retry_after(response.headers_mut(), self.route.disclosure(), decision);
            self.describe(response.headers_mut(), &[*decision]);
        }
        response.extensions_mut().insert(refusal);
        response
    }

    fn describe(&self, headers: &mut http::HeaderMap, decisions: &[Decision]) {
        let standings = decisions.iter().filter_map(|decision| Some((self.rule(decision.rule)?, decision)));
        fields::describe(headers, self.route.disclosure(), self.rules(), standings);
    }
}

impl Refusal {
    fn unanswered(error: Error) -> Self {
        Self::Unanswered(Arc::new(error))
    }

    /// 429 (RFC 6585 section 4), or 503 where it is not the client who did too much.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::ByRule(decision) if !matches!(decision.source, Source::TableFull | Source::StoreDown) => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::ByRule(_) | Self::Unanswered(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl<S: Clone, G, X> Clone for RateLimit<S, G, X> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<S: fmt::Debug, G, X> fmt::Debug for RateLimit<S, G, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit").field("inner", &self.inner).finish_non_exhaustive()
    }
}
