//! One request, and what it may do to the session of its browser.

use std::{borrow::Cow, fmt, net::IpAddr, sync::Arc};

use http::{
    Extensions, HeaderMap, HeaderValue,
    header::{AUTHORIZATION, CACHE_CONTROL, COOKIE, USER_AGENT},
    request::Parts,
};
use tokio::sync::OnceCell;

use super::{
    cross_site::Credential,
    layer::SessionLayer,
    outgoing::{Outgoing, Slot},
};
use crate::{
    auth::Auth,
    client::ClientInfo,
    cookie::Cookies,
    error::{Error, ErrorKind, Result},
    flow::{Flow, FullyVerified, Identified, PasswordVerified},
    id::SessionId,
    session::Session,
    token::{PendingToken, SessionToken},
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
    session: Option<SessionToken>,
    pending: Option<PendingToken>,
    credential: Credential,
    address: Option<IpAddr>,
    user_agent: Option<HeaderValue>,
    resolved: OnceCell<Option<Session>>,
    outgoing: Outgoing,
}

impl Visit {
    pub(super) fn new(layer: &SessionLayer, request: &Parts) -> Self {
        let bearer = request.headers.get_all(AUTHORIZATION).iter().any(is_bearer);
        let (session, pending) = match bearer {
            true => (None, None),
            false => {
                let lines = cookie_lines(&request.headers);
                let lines = || lines.iter().map(AsRef::as_ref);
                (layer.cookies.read_session(lines()), layer.cookies.read_pending(lines()))
            }
        };
        let credential = match (bearer, session.is_some() || pending.is_some()) {
            (true, _) => Credential::Bearer,
            (false, true) => Credential::Cookie,
            (false, false) => Credential::None,
        };
        Self(Arc::new(Inner {
            auth: layer.auth.clone(),
            cookies: layer.cookies,
            session,
            pending,
            credential,
            // A listener for both families reports IPv4 peers as IPv6.
            address: (layer.address)(request).map(|address| address.to_canonical()),
            user_agent: request.headers.get(USER_AGENT).cloned(),
            resolved: OnceCell::new(),
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

    /// The live session of the request's cookie, as of the first call in this request: one query, and later calls repeat its answer.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn session(&self) -> Result<Option<&Session>> {
        self.session_with(Touch::Throttled).await
    }

    /// The session, as [`session`](Self::session) finds it; the first call of the request decides whether it counts as use.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn session_with(&self, touch: Touch) -> Result<Option<&Session>> {
        let resolve = || async {
            match &self.0.session {
                Some(token) => self.0.auth.resolve_with(token, touch).await,
                None => Ok(None),
            }
        };
        Ok(self.0.resolved.get_or_try_init(resolve).await?.as_ref())
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

    /// Begins a sign-in from where the request comes from; see [`Auth::begin`].
    ///
    /// # Errors
    ///
    /// `Configuration` as for [`client`](Self::client); `Store`.
    pub async fn begin(&self, identifier: &str) -> Result<Flow<Identified>> {
        self.0.auth.begin(identifier, &self.client()?).await
    }

    /// Lets a sign-in wait for its second factor, in a cookie of its own.
    ///
    /// # Errors
    ///
    /// None that can happen: `Configuration` if the cookie cannot be a header.
    pub fn wait(&self, flow: &Flow<PasswordVerified>) -> Result<()> {
        self.0.outgoing.set(Slot::Pending, &self.0.cookies.pending(&flow.token()))
    }

    /// Takes up the sign-in that waits in the request's cookie. Nothing if none does, or it has ended; its cookie is removed then.
    ///
    /// # Errors
    ///
    /// `Configuration` as for [`client`](Self::client); `Store`.
    pub async fn resume(&self) -> Result<Option<Flow<PasswordVerified>>> {
        let Some(token) = &self.0.pending else { return Ok(None) };
        match self.0.auth.resume(token, &self.client()?).await {
            Ok(flow) => Ok(Some(flow)),
            Err(error) if error.kind() == ErrorKind::FlowEnded => {
                self.0.outgoing.set(Slot::Pending, &self.0.cookies.clear_pending())?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Makes a session of a finished sign-in and gives it to the browser. The session that the browser came with ends, so that no token
    /// from before the sign-in is worth anything after it (session fixation, ASVS 5.0, 7.2.4).
    ///
    /// # Errors
    ///
    /// As [`Auth::issue`].
    pub async fn issue(&self, flow: Flow<FullyVerified>) -> Result<Session> {
        if let Some(old) = self.session_with(Touch::Never).await? {
            self.0.auth.revoke(old.sid).await?;
        }
        let issued = self.0.auth.issue(flow).await?;
        self.0.outgoing.set(Slot::Session, &self.0.cookies.session(issued.token()))?;
        self.0.outgoing.set(Slot::Pending, &self.0.cookies.clear_pending())?;
        Ok(issued.session)
    }

    /// Replaces the token of the browser's session; see [`Auth::rotate`]. Requests that are under way with the old one find nothing.
    ///
    /// # Errors
    ///
    /// `Random`; `Store`.
    pub async fn rotate(&self) -> Result<Option<Session>> {
        let Some(token) = &self.0.session else { return Ok(None) };
        let Some(issued) = self.0.auth.rotate(token).await? else { return Ok(None) };
        self.0.outgoing.set(Slot::Session, &self.0.cookies.session(issued.token()))?;
        Ok(Some(issued.session))
    }

    /// Ends the browser's session, in the store and then in the browser. False if the request's token opens none: it had ended, or a
    /// rotation at the same moment replaced the token.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn sign_out(&self) -> Result<bool> {
        let session = self.session_with(Touch::Never).await?;
        if let Some(session) = session {
            self.0.auth.revoke(session.sid).await?;
        }
        self.0.outgoing.set(Slot::Session, &self.0.cookies.clear_session())?;
        Ok(session.is_some())
    }

    /// Ends a session of the same user, for a page of devices. False if the user has no live session of this name, whoever else has.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn revoke(&self, sid: SessionId) -> Result<bool> {
        let Some(own) = self.session().await? else { return Ok(false) };
        let theirs = self.0.auth.sessions(own.user).await?.iter().any(|session| session.sid == sid);
        if theirs {
            self.0.auth.revoke(sid).await?;
        }
        Ok(theirs)
    }

    pub(super) fn credential(&self) -> Credential {
        self.0.credential
    }

    /// Sets the cookies. A response that came of a session is not to be stored either, unless the service said otherwise.
    pub(super) fn finish(&self, headers: &mut HeaderMap) {
        if self.0.resolved.get().is_some_and(Option::is_some) && !headers.contains_key(CACHE_CONTROL) {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        self.0.outgoing.write(headers);
    }
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visit").field("credential", &self.0.credential).finish_non_exhaustive()
    }
}

/// The `Cookie` lines. A cookie of somebody else's may be no UTF-8, and must not hide ours.
fn cookie_lines(headers: &HeaderMap) -> Vec<Cow<'_, str>> {
    headers.get_all(COOKIE).iter().map(|line| String::from_utf8_lossy(line.as_bytes())).collect()
}

fn is_bearer(value: &HeaderValue) -> bool {
    let scheme = value.as_bytes().split(|byte| *byte == b' ').next();
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer"))
}
