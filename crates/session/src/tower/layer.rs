//! The layer.

use std::{fmt, net::IpAddr, sync::Arc};

use http::request::Parts;
use tower_http::csrf::CsrfLayer;
use tower_layer::Layer;

use super::{cross_site::CrossSite, service::Sessions};
use crate::{
    auth::Auth,
    cookie::Cookies,
    error::{Error, Result},
};

/// Puts a [`Visit`](super::Visit) into each request, refuses cross-site requests, and sets cookies.
///
/// An unsafe request (any method but `GET`, `HEAD` and `OPTIONS`) is answered with 403 if `Sec-Fetch-Site` or `Origin` says that
/// another site caused it, or if it brings a cookie of this crate and neither header. A request with `Authorization: Bearer` passes,
/// and its cookies are not read.
#[derive(Clone)]
pub struct SessionLayer {
    pub(super) auth: Auth,
    pub(super) cookies: Cookies,
    pub(super) address: Address,
    csrf: CsrfLayer,
}

pub(super) type Address = Arc<dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync>;

impl SessionLayer {
    /// A layer over one `Auth`. `address` says where a request comes from: the peer of the connection (with axum, `axum::peer` of
    /// this crate), or what a trusted proxy says it is. A sign-in without an address is an error.
    #[must_use]
    pub fn new(
        auth: Auth,
        cookies: Cookies,
        address: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        Self { auth, cookies, address: Arc::new(address), csrf: CsrfLayer::new() }
    }

    /// An origin whose pages may send unsafe requests here, written as browsers do: `https://app.example.com`, without a default
    /// port or a path.
    ///
    /// # Errors
    ///
    /// `Configuration` if it is no origin.
    pub fn trust_origin(self, origin: &str) -> Result<Self> {
        let csrf = self.csrf.add_trusted_origin(origin);
        let csrf = csrf.map_err(|_| Error::configuration("a trusted origin is a scheme, a host and perhaps a port"))?;
        Ok(Self { csrf, ..self })
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = Sessions<S>;

    fn layer(&self, inner: S) -> Sessions<S> {
        Sessions::new(inner, self.clone(), CrossSite::new(&self.csrf))
    }
}

impl fmt::Debug for SessionLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer").field("cookies", &self.cookies).field("csrf", &self.csrf).finish_non_exhaustive()
    }
}
