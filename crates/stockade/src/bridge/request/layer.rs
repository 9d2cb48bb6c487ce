//! The layer.

use std::{fmt, num::NonZeroUsize, sync::Arc};

use http::{HeaderValue, request::Parts};
use stockade_ratelimit::tower::TrustedProxies;
use stockade_rbac::{Permission, Permit, Policy, Tag, Unrecorded};
use stockade_session::{ApiToken, Auth, Cookies, Impersonation, Session, tower::SessionLayer};
use stockade_tenant_guard::{TenantDb, TenantId};
use tower_layer::Layer;

use super::{
    asked::Asked,
    caller::{Desk, Program},
    front::{Front, Staff},
    refused::Refused,
    service::Requests,
    viewer::Viewer,
};

/// How many people's authority is kept; each time it is asked whether it still holds.
const PEOPLE: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// Tells every request who asks, from where and for which tenant. See the [module](super).
///
/// It stands around the router and is the session crate's layer as well. Serve the router with
/// `into_make_service_with_connect_info::<SocketAddr>()`, or no request has an address.
pub struct RequestLayer<P: Permission> {
    pub(super) session: SessionLayer,
    pub(super) proxies: TrustedProxies,
    pub(super) sign_in: Option<HeaderValue>,
    pub(super) front: Arc<Front<P>>,
}

impl<P: Permission> RequestLayer<P> {
    /// The layer of an application. It trusts no proxy, lets nobody impersonate, and answers 401 to whoever is not signed in.
    ///
    /// Hand `tenants` over and keep no clone of it: then no handler reaches a row without one of the types that say who asks.
    #[must_use]
    pub fn new(auth: Auth, cookies: Cookies, tenants: TenantDb, policy: Policy<P>) -> Self {
        let address = |request: &Parts| request.extensions.get::<Asked>().and_then(Asked::ip);
        Self {
            session: SessionLayer::new(auth, cookies, address),
            proxies: TrustedProxies::none(),
            sign_in: None,
            front: Arc::new(Front::new(tenants, policy, PEOPLE)),
        }
    }

    /// Believes these proxies about the client's address, and about the id of the request if they write `x-request-id`. A proxy that hands on the
    /// `x-request-id` of its client lets the client choose.
    #[must_use]
    pub fn behind(self, proxies: TrustedProxies) -> Self {
        Self { proxies, ..self }
    }

    /// Leads a `GET` of whoever is not signed in to this path (303), in place of 401.
    #[must_use]
    pub fn sign_in_at(self, path: &'static str) -> Self {
        Self { sign_in: Some(HeaderValue::from_static(path)), ..self }
    }

    /// An origin whose pages may send unsafe requests here; see [`SessionLayer::trust_origin`].
    ///
    /// # Errors
    ///
    /// `Configuration` if it is no origin.
    pub fn trust_origin(self, origin: &str) -> stockade_session::Result<Self> {
        Ok(Self { session: self.session.trust_origin(origin)?, ..self })
    }

    /// Lets the staff of tenant `home` who have the permission `T` look as somebody else, in the impersonations of the session crate: reading,
    /// under both names, each request an entry of the log of the tenant that is looked at. Before that an impersonation shows nothing.
    #[must_use]
    pub fn with_staff<T>(self, home: impl Into<TenantId>) -> Self
    where
        T: Tag<Perm = P, Grant = Unrecorded<Permit<T>>>,
    {
        let staff = Staff::of::<T>(home.into());
        Self { front: Arc::new(self.front.with_staff(staff)), ..self }
    }

    /// The desk of a person where no request is: of a stream that asks again while it is open, of a job in the person's name, of a test.
    /// The session is believed: [look it up](Auth::access_with) first.
    #[must_use]
    pub fn desk(&self, session: Session, asked: Asked) -> Desk<P> {
        Desk::of(Arc::clone(&self.front), asked, session)
    }

    /// As [`desk`](Self::desk), of staff who look as somebody else.
    #[must_use]
    pub fn viewer(&self, impersonation: Impersonation, asked: Asked) -> Viewer<P> {
        Viewer::looking(Arc::clone(&self.front), asked, impersonation)
    }

    /// As [`desk`](Self::desk), of a program.
    ///
    /// # Errors
    ///
    /// `Failed` if a scope of the token is no permission.
    pub fn program(&self, token: ApiToken, asked: Asked) -> Result<Program<P>, Refused> {
        Program::of(Arc::clone(&self.front), asked, token)
    }
}

impl<P: Permission, S> Layer<S> for RequestLayer<P> {
    type Service = Requests<S, P>;

    fn layer(&self, inner: S) -> Requests<S, P> {
        Requests::new(self.session.layer(inner), self)
    }
}

impl<P: Permission> Clone for RequestLayer<P> {
    fn clone(&self) -> Self {
        Self {
            session: self.session.clone(),
            proxies: self.proxies.clone(),
            sign_in: self.sign_in.clone(),
            front: Arc::clone(&self.front),
        }
    }
}

impl<P: Permission> fmt::Debug for RequestLayer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestLayer")
            .field("session", &self.session)
            .field("proxies", &self.proxies)
            .finish_non_exhaustive()
    }
}
