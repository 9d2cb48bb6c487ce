//! One request, and what it may do to the session of its browser.

mod brought;
mod change;

use std::{fmt, net::IpAddr, sync::Arc};

use http::{
    Extensions, HeaderMap, HeaderValue,
    header::{CACHE_CONTROL, USER_AGENT},
    request::Parts,
};
use tokio::sync::OnceCell;

use self::brought::Brought;
use super::{
    cross_site::Credential,
    layer::SessionLayer,
    outgoing::{Outgoing, Slot},
    refusal::Refusal,
    visitor::Visitor,
};
use crate::{
    access::Access,
    api_token::ApiToken,
    auth::Auth,
    client::ClientInfo,
    cookie::Cookies,
    error::{Error, Result},
    session::Session,
    token::SessionToken,
    touch::Touch,
};

/// One request as the [`SessionLayer`] sees it. The cookies of what its methods do are set on the response, with
/// `Cache-Control: no-store`. Clones are the same visit.
///
/// A cookie that is malformed, or that came twice, is not read. With `Authorization: Bearer` no cookie is.
#[derive(Clone)]
pub struct Visit(Arc<Inner>);

struct Inner {
    auth: Auth,
    cookies: Cookies,
    brought: Brought,
    address: Option<IpAddr>,
    user_agent: Option<HeaderValue>,
    visitor: OnceCell<Visitor>,
    outgoing: Outgoing,
}

impl Visit {
    pub(super) fn new(layer: &SessionLayer, request: &Parts) -> Self {
        Self(Arc::new(Inner {
            auth: layer.auth.clone(),
            cookies: layer.cookies,
            brought: Brought::read(layer.cookies, &request.headers),
            // A listener for both families reports IPv4 peers as IPv6.
            address: (layer.address)(request).map(|address| address.to_canonical()),
            user_agent: request.headers.get(USER_AGENT).cloned(),
            visitor: OnceCell::new(),
            outgoing: Outgoing::default(),
        }))
    }

    /// The visit that the layer put into a request.
    ///
    /// # Errors
    ///
    /// `Configuration` if no [`SessionLayer`] is around the service.
    pub fn of(extensions: &Extensions) -> Result<Self> {
        extensions.get().cloned().ok_or_else(|| Error::configuration("no session layer is around the service"))
    }

    /// Who the request is from, as of the first call in it: one query, two with the token of an impersonation. Later calls repeat the
    /// answer.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn visitor(&self) -> Result<&Visitor> {
        self.visitor_with(Touch::Throttled).await
    }

    /// As [`visitor`](Self::visitor); the first call of the request decides whether it counts as use of the session.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn visitor_with(&self, touch: Touch) -> Result<&Visitor> {
        self.0.visitor.get_or_try_init(|| self.find(touch)).await
    }

    /// The session of a user who is signed in as nobody else and owes no second factor; see [`Visitor::session`].
    ///
    /// # Errors
    ///
    /// Those of [`Visitor::session`], and `Failed` if the store fails.
    pub async fn session(&self) -> Result<Option<&Session>, Refusal> {
        self.visitor().await?.session()
    }

    /// The live API token of an `Authorization: Bearer` header. Nothing without one; what it may do is
    /// [less than its owner may](ApiToken).
    ///
    /// # Errors
    ///
    /// `SignedOut` if the token is none, or has ended; `Failed` with `Configuration` without an
    /// [`ApiTokenPolicy`](crate::ApiTokenPolicy) or without an address, and with `Store`.
    pub async fn api_token(&self) -> Result<Option<ApiToken>, Refusal> {
        let Some(header) = &self.0.brought.bearer else { return Ok(None) };
        let text = header.to_str().ok().and_then(|header| header.split_once(' ')).ok_or(Refusal::SignedOut)?.1;
        let token = self.0.auth.api_tokens().authenticate(text.trim(), &self.client()?).await?;
        token.map(Some).ok_or(Refusal::SignedOut)
    }

    /// The token of the request's session cookie, live or not, for what asks for one:
    /// [`Auth::step_up`], [`Auth::change_password`]. [`carry`](Self::carry) what comes back.
    #[must_use]
    pub fn token(&self) -> Option<&SessionToken> {
        self.0.brought.session.as_ref()
    }

    /// Where the request comes from.
    ///
    /// # Errors
    ///
    /// `Configuration` if the layer was not told.
    pub fn client(&self) -> Result<ClientInfo> {
        let ip = self.0.address.ok_or_else(|| Error::configuration("nothing says where the request comes from"))?;
        let agent = self.0.user_agent.as_ref().map(|agent| String::from_utf8_lossy(agent.as_bytes()).into_owned());
        Ok(ClientInfo { ip, user_agent: agent })
    }

    async fn find(&self, touch: Touch) -> Result<Visitor> {
        let Some(token) = &self.0.brought.session else { return Ok(Visitor::Nobody) };
        let session = match self.0.auth.access_with(token, touch).await? {
            Access::Granted(session) => session,
            Access::MustEnrol(session) => return Ok(Visitor::MustEnrol(session)),
            Access::Denied => return Ok(Visitor::Nobody),
        };
        let visitor = self.0.auth.impersonations().caller(session, self.0.brought.impersonation.as_ref()).await?.into();
        if matches!(visitor, Visitor::Over(_)) {
            self.0.outgoing.set(Slot::Impersonation, &self.0.cookies.clear_impersonation())?;
        }
        Ok(visitor)
    }

    pub(super) fn credential(&self) -> Credential {
        self.0.brought.credential()
    }

    /// Sets the cookies. A response that came of a session is not to be stored either, unless the service said otherwise.
    pub(super) fn finish(&self, headers: &mut HeaderMap) {
        if self.0.visitor.get().is_some_and(|visitor| *visitor != Visitor::Nobody)
            && !headers.contains_key(CACHE_CONTROL)
        {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        self.0.outgoing.write(headers);
    }
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visit").field("credential", &self.credential()).finish_non_exhaustive()
    }
}
