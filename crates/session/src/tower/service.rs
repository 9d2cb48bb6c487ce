//! The service: refuse or pass on, then set cookies.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use super::{cross_site::CrossSite, layer::SessionLayer, refusal::Refusal, visit::Visit};

/// A service behind a [`SessionLayer`].
#[derive(Clone)]
pub struct Sessions<S> {
    inner: S,
    layer: SessionLayer,
    cross_site: CrossSite,
}

impl<S> Sessions<S> {
    pub(super) fn new(inner: S, layer: SessionLayer, cross_site: CrossSite) -> Self {
        Self { inner, layer, cross_site }
    }
}

impl<S, Q, R> Service<Request<Q>> for Sessions<S>
where
    S: Service<Request<Q>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    Q: Send + 'static,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        // The one that is ready is the one that is called.
        let standby = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, standby);
        let (mut parts, body) = request.into_parts();
        let visit = Visit::new(&self.layer, &parts);
        let cross_site = self.cross_site.clone();
        Box::pin(async move {
            if !cross_site.allows(&parts, visit.credential()).await {
                return Ok(Refusal::CrossSite.response());
            }
            parts.extensions.insert(visit.clone());
            let mut response = inner.call(Request::from_parts(parts, body)).await?;
            visit.finish(response.headers_mut());
            Ok(response)
        })
    }
}

impl<S: fmt::Debug> fmt::Debug for Sessions<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("inner", &self.inner).finish_non_exhaustive()
    }
}
