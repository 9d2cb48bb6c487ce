//! What is known of a request, whoever makes it.

use std::{fmt, net::IpAddr, sync::Arc};

use axum::extract::{FromRequestParts, MatchedPath};
use http::{HeaderMap, HeaderName, HeaderValue, header::USER_AGENT, request::Parts};
use stockade_audit_chain::RequestContext;
use stockade_ratelimit::{
    Key,
    tower::{Subject, TrustedProxies},
};
use stockade_session::ClientInfo;
use uuid::Uuid;

use super::{recordings::Recordings, refused::Refused};

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest user agent that is kept, in characters, and the longest request id of a proxy, in bytes.
const LONGEST: (usize, usize) = (256, 128);

/// The facts of a request: from where it comes, its id, and the route that it matched.
///
/// As an extractor it is for handlers that anybody may reach. It gives no way to any row.
///
/// What is no request, such as a job or a test, has one as well: `Asked::default()` or, of a client, `Asked::from(&client)`.
/// There nothing waits for the refusals to be recorded but [`settle`](Self::settle).
#[derive(Clone, Default)]
pub struct Asked {
    facts: Arc<Facts>,
    place: Option<Arc<Place>>,
}

struct Facts {
    ip: Option<IpAddr>,
    user_agent: Option<String>,
    id: HeaderValue,
    recordings: Recordings,
}

struct Place {
    method: String,
    route: String,
}

/// The sender of a request as far as its connection tells, for the layers of routes that are limited by address:
/// `RateLimitLayer::new(limiter, &Route::login(), bridge::request::subject)`.
///
/// Without a [`RequestLayer`](super::RequestLayer) around, nobody is known, and a rule that needs an address refuses.
#[must_use]
pub fn subject(request: &Parts) -> Subject {
    request.extensions.get::<Asked>().and_then(Asked::ip).map_or_else(Subject::unknown, Subject::at)
}

impl Asked {
    pub(super) fn read(proxies: &TrustedProxies, peer: Option<IpAddr>, request: &Parts) -> Self {
        let agent = request.headers.get(USER_AGENT).map(|agent| shown(&String::from_utf8_lossy(agent.as_bytes())));
        let believed = peer.is_some_and(|peer| proxies.trusts(peer));
        let facts = Facts {
            ip: peer.map(|peer| proxies.client(peer, &request.headers)),
            user_agent: agent,
            id: believed.then(|| named(&request.headers)).flatten().unwrap_or_else(new_id),
            recordings: Recordings::default(),
        };
        Self { facts: Arc::new(facts), place: None }
    }

    /// The request of these parts, with the route that it has matched by now.
    pub(super) fn of(request: &Parts) -> Result<Self, Refused> {
        let asked: &Self = request.extensions.get().ok_or_else(Refused::without_layer)?;
        let path = request.extensions.get::<MatchedPath>();
        Ok(path.map_or_else(|| asked.clone(), |path| asked.clone().at(request.method.as_str(), path.as_str())))
    }

    /// The same, as a request for `route`. The layer says so of requests by itself.
    #[must_use]
    pub fn at(self, method: &str, route: &str) -> Self {
        let place = Place { method: method.chars().take(16).collect(), route: route.to_owned() };
        Self { place: Some(Arc::new(place)), ..self }
    }

    /// Waits until everything that was refused in it is recorded. The layer does that before it answers. Where there is one connection, end
    /// the transaction first.
    ///
    /// # Errors
    ///
    /// `Failed` if a refusal could not be recorded: then what was refused should not be answered.
    pub async fn settle(&self) -> Result<(), Refused> {
        self.facts.recordings.settle().await
    }

    /// The client's address: of the connection, or what trusted proxies say it is. Nothing where the router is served without connect
    /// info.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.facts.ip
    }

    /// The id of the request, which the response repeats as `x-request-id`: a trusted proxy's, or a new UUID of version 7.
    #[must_use]
    pub fn id(&self) -> &str {
        self.facts.id.to_str().unwrap_or_default()
    }

    /// What an audit entry says of the request: address, user agent, method, the route as it is written in the router, id.
    #[must_use]
    pub fn context(&self) -> RequestContext {
        let mut context = RequestContext::new().request_id(self.id());
        if let Some(ip) = self.facts.ip {
            context = context.ip(ip);
        }
        if let Some(agent) = &self.facts.user_agent {
            context = context.user_agent(agent);
        }
        if let Some(place) = &self.place {
            context = context.endpoint(&place.method, &place.route);
        }
        context
    }

    /// The client's address as the key of a limit.
    #[must_use]
    pub fn key(&self) -> Option<Key> {
        self.facts.ip.map(Key::ip)
    }

    pub(super) fn route(&self) -> &str {
        self.place.as_ref().map_or("unknown", |place| &place.route)
    }

    pub(super) fn header(&self) -> HeaderValue {
        self.facts.id.clone()
    }

    pub(super) fn recordings(&self) -> &Recordings {
        &self.facts.recordings
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        Self::of(parts)
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("id", &self.id()).field("route", &self.route()).finish_non_exhaustive()
    }
}

impl Default for Facts {
    fn default() -> Self {
        Self { ip: None, user_agent: None, id: new_id(), recordings: Recordings::default() }
    }
}

impl From<&ClientInfo> for Asked {
    fn from(client: &ClientInfo) -> Self {
        let user_agent = client.user_agent.as_deref().map(shown);
        Self { facts: Arc::new(Facts { ip: Some(client.ip), user_agent, ..Facts::default() }), place: None }
    }
}

fn shown(agent: &str) -> String {
    agent.chars().filter(|one| !one.is_control()).take(LONGEST.0).collect()
}

/// The one id that the headers give, if it is made of what ids are made of.
fn named(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut ids = headers.get_all(REQUEST_ID).iter();
    let id = ids.next().filter(|_| ids.next().is_none())?;
    let usual =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'=' | b':' | b'/' | b'+');
    ((1..=LONGEST.1).contains(&id.len()) && id.as_bytes().iter().all(usual)).then(|| id.clone())
}

fn new_id() -> HeaderValue {
    // A UUID is made of hexadecimal digits and hyphens.
    HeaderValue::try_from(Uuid::now_v7().to_string()).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}
