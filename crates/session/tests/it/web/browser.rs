//! A browser without a screen: one cookie jar, requests that go straight to a router.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use axum::{
    Extension, Form, Router,
    body::Body,
    extract::{ConnectInfo, Path},
    routing::{get, post},
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use secrecy::SecretString;
use stockade_session::{
    ApiToken, Auth, Caller, Cookies, MustEnrol, Session, Step, TotpStep, Touch,
    axum::{SecondFactor, peer},
    tower::{Refusal, SessionLayer, Visit},
};
use tower::ServiceExt;
use uuid::Uuid;

use crate::support::*;

pub(crate) const SESSION: &str = "__Host-session";
pub(crate) const PENDING: &str = "__Host-signin";

/// An application with a page for each extractor and a route for each method of a visit.
pub(crate) fn app(auth: &Auth) -> Router {
    app_at(auth, peer)
}

pub(crate) fn app_at(
    auth: &Auth,
    address: impl Fn(&http::request::Parts) -> Option<IpAddr> + Send + Sync + 'static,
) -> Router {
    let layer = SessionLayer::new(auth.clone(), Cookies::host(), address);
    routes().layer(layer.trust_origin("https://partner.test").unwrap()).with_state(auth.clone())
}

pub(crate) fn routes() -> Router<Auth> {
    let bearer = async |token: ApiToken| token.scopes.join(" ");
    let who = async |session: Session| session.user.to_string();
    let maybe =
        async |session: Option<Session>| session.map_or("nobody".to_owned(), |session| session.user.to_string());
    Router::new()
        .route("/static", get(async || "static"))
        .route("/me", get(who).post(who).put(who).patch(who).delete(who))
        .route("/maybe", get(maybe).post(maybe))
        .route("/poll", get(maybe).layer(Extension(Touch::Never)))
        .route("/payroll", get(async |SecondFactor(session): SecondFactor| session.user.to_string()))
        .route("/thrice", get(async |_: Session, _: Option<Session>, _: SecondFactor| "thrice"))
        .route("/cached", get(async |_: Session| ([(header::CACHE_CONTROL, "private, max-age=5")], "cached")))
        .route("/enrol", get(async |must: MustEnrol| must.user().to_string()))
        .route(
            "/caller",
            get(async |caller: Caller| format!("{caller:?}")).post(async |caller: Caller| format!("{caller:?}")),
        )
        .route("/api", get(bearer).post(bearer))
        .route("/back", post(async |visit: Visit| answer(visit.end_impersonation().await)))
        .route("/client", get(async |visit: Visit| Ok::<_, Refusal>(visit.client()?.ip.to_string())))
        .route("/sign-in", post(sign_in))
        .route("/code", post(code))
        .route("/rotate", post(async |visit: Visit| answer(visit.rotate().await)))
        .route("/revoke/{sid}", post(revoke))
        .route("/sign-out", post(async |visit: Visit| answer(visit.sign_out().await)))
}

#[derive(serde::Deserialize)]
struct Person {
    name: String,
    password: SecretString,
}

#[derive(serde::Deserialize)]
struct Code {
    code: String,
}

async fn sign_in(visit: Visit, Form(sent): Form<Person>) -> Answer {
    match visit.begin(&sent.name).await?.verify_password(sent.password).await? {
        Step::Rejected(_) => Err(Refusal::SignedOut),
        Step::TotpRequired(flow) => answer(visit.wait(&flow)),
        Step::Done(flow) => answer(visit.issue(flow).await),
    }
}

async fn code(visit: Visit, Form(sent): Form<Code>) -> Answer {
    match visit.resume().await?.ok_or(Refusal::SignedOut)?.verify_totp(&sent.code).await? {
        TotpStep::Rejected(_) => Err(Refusal::SignedOut),
        TotpStep::Done(flow) => answer(visit.issue(flow).await),
    }
}

async fn revoke(visit: Visit, Path(sid): Path<Uuid>) -> Answer {
    match visit.revoke(sid.into()).await? {
        true => Ok(String::new()),
        false => Err(Refusal::SignedOut),
    }
}

type Answer = Result<String, Refusal>;

fn answer<T: std::fmt::Debug>(done: stockade_session::Result<T>) -> Answer {
    Ok(format!("{:?}", done?))
}

#[derive(Clone)]
pub(crate) struct Browser {
    router: Router,
    pub(crate) cookies: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) text: String,
}

impl Browser {
    pub(crate) fn new(router: &Router) -> Self {
        let peer = SocketAddr::from(([203, 0, 113, 7], 4711));
        Self { router: router.clone().layer(Extension(ConnectInfo(peer))), cookies: BTreeMap::new() }
    }

    /// A browser in which Ana has signed in.
    pub(crate) async fn signed_in(router: &Router) -> Self {
        let mut browser = Self::new(router);
        assert_eq!(browser.sign_in(ANA).await.status, StatusCode::OK);
        browser
    }

    pub(crate) async fn sign_in(&mut self, name: &str) -> Page {
        self.post("/sign-in", &[("name", name), ("password", PASSWORD)]).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Page {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Page {
        let fields: Vec<_> = form.iter().map(|(name, value)| format!("{name}={}", value.replace(' ', "+"))).collect();
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .body(Body::from(fields.join("&")))
            .unwrap();
        self.send(request).await
    }

    /// Sends what the jar has along, and keeps what comes back.
    pub(crate) async fn send(&mut self, mut request: Request<Body>) -> Page {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request.headers_mut().append(header::COOKIE, cookies.join("; ").parse().unwrap());
        }
        let page = send(&self.router, request).await;
        for cookie in page.headers.get_all(header::SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            if value.is_empty() {
                self.cookies.remove(name)
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned())
            };
        }
        page
    }

    /// The same browser with one cookie instead of its jar.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        Self { cookies: BTreeMap::from([(name.to_owned(), value.to_owned())]), ..self.clone() }
    }

    pub(crate) fn session(&self) -> String {
        self.cookies[SESSION].clone()
    }
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Page {
    let response: Response<Body> = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    Page {
        status: parts.status,
        headers: parts.headers,
        refusal: parts.extensions.get().cloned(),
        text: String::from_utf8(body.to_vec()).unwrap(),
    }
}

impl Page {
    pub(crate) fn header(&self, name: header::HeaderName) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value: &HeaderValue| value.to_str().unwrap()).collect()
    }
}
