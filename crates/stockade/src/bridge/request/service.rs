//! The service: say what is known, pass on, wait until refusals are written.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{body::Body, response::IntoResponse};
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{CACHE_CONTROL, LOCATION, SET_COOKIE},
};
use stockade_ratelimit::tower::TrustedProxies;
use stockade_rbac::Permission;
use stockade_session::{
    axum::peer,
    tower::{Refusal, Sessions},
};
use tower_service::Service;

use super::{
    asked::{Asked, REQUEST_ID},
    front::Front,
    layer::RequestLayer,
};

/// A service behind a [`RequestLayer`].
pub struct Requests<S, P: Permission> {
    inner: Sessions<S>,
    around: Arc<Around<P>>,
}

struct Around<P: Permission> {
    proxies: TrustedProxies,
    sign_in: Option<HeaderValue>,
    front: Arc<Front<P>>,
}

impl<S, P: Permission> Requests<S, P> {
    pub(super) fn new(inner: Sessions<S>, layer: &RequestLayer<P>) -> Self {
        let around =
            Around { proxies: layer.proxies.clone(), sign_in: layer.sign_in.clone(), front: Arc::clone(&layer.front) };
        Self { inner, around: Arc::new(around) }
    }
}

impl<S, P, Q, R> Service<Request<Q>> for Requests<S, P>
where
    Sessions<S>: Service<Request<Q>, Response = Response<R>> + Clone + Send + 'static,
    <Sessions<S> as Service<Request<Q>>>::Future: Send,
    P: Permission,
    Q: Send + 'static,
    R: Default + Send,
{
    type Response = Response<R>;
    type Error = <Sessions<S> as Service<Request<Q>>>::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        // The one that is ready is the one that is called.
        let standby = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, standby);
        let (mut parts, body) = request.into_parts();
        let asked = Asked::read(&self.around.proxies, peer(&parts), &parts);
        parts.extensions.insert(asked.clone());
        parts.extensions.insert(Arc::clone(&self.around.front));
        let safe = matches!(parts.method, Method::GET | Method::HEAD);
        let sign_in = self.around.sign_in.clone().filter(|_| safe);
        Box::pin(async move {
            let mut response = inner.call(Request::from_parts(parts, body)).await?;
            if let Err(unrecorded) = asked.settle().await {
                response = instead(&response, unrecorded.into_response());
            }
            if let (Some(Refusal::SignedOut), Some(path)) = (response.extensions().get(), sign_in) {
                response = instead(&response, (StatusCode::SEE_OTHER, [(LOCATION, path)]).into_response());
            }
            response.headers_mut().insert(REQUEST_ID, asked.header());
            Ok(response)
        })
    }
}

/// Another answer, with the cookies of the one that there was.
fn instead<R: Default>(was: &Response<R>, answer: Response<Body>) -> Response<R> {
    let mut answer = answer.map(|_| R::default());
    for name in [SET_COOKIE, CACHE_CONTROL] {
        for value in was.headers().get_all(&name) {
            answer.headers_mut().append(name.clone(), value.clone());
        }
    }
    answer
}

impl<S: Clone, P: Permission> Clone for Requests<S, P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), around: Arc::clone(&self.around) }
    }
}

impl<S: fmt::Debug, P: Permission> fmt::Debug for Requests<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").field("inner", &self.inner).finish_non_exhaustive()
    }
}
