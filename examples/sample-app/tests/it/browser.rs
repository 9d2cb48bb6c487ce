//! A browser without a screen: one cookie jar, requests that go straight to the router.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use axum::{Extension, Router, body::Body, extract::ConnectInfo};
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use sample_app::{
    app::App,
    database::{Prefix, Server},
    domain::loads::Load,
    evidence::Evidence,
    limits::Counting,
    secrets::Pair,
    seed::{self, Person, Tenant},
    web,
};
use sqlx::PgPool;
use tower::ServiceExt;

/// An installed application with the demonstration data, on the test's own database.
pub(crate) async fn app(pool: &PgPool) -> Arc<App> {
    let server = Server::at(pool.connect_options().as_ref().clone());
    let prefix = Prefix::scratch(rand_id());
    let secrets = Pair::generate().unwrap().parse().unwrap();
    let app = App::start(&server, prefix, secrets, &Counting::Memory, evidence().await).await.unwrap();
    seed::fill(&app).await.unwrap();
    Arc::new(app)
}

/// The loads of a tenant, the latest pick-up first, past every policy.
pub(crate) async fn loads(pool: &PgPool, tenant: &Tenant) -> Vec<Load> {
    let all = "SELECT *, NULL AS shared FROM freight.loads WHERE tenant_id = $1 ORDER BY pickup_on DESC, reference";
    sqlx::query_as(all).bind(tenant.id).fetch_all(pool).await.unwrap()
}

/// A key and an anchor file of its own.
pub(crate) async fn evidence() -> Evidence {
    Evidence::temporary().await.unwrap()
}

/// Roles belong to the whole server, and tests run side by side on it.
pub(crate) fn rand_id() -> u32 {
    let mut id = [0; 4];
    getrandom::fill(&mut id).unwrap();
    u32::from_ne_bytes(id)
}

pub(crate) struct Browser {
    router: Router,
    cookies: BTreeMap<String, String>,
}

pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) location: Option<String>,
    pub(crate) retry_after: Option<u64>,
    pub(crate) text: String,
}

impl Browser {
    pub(crate) fn new(app: &Arc<App>) -> Self {
        Self::at(app, [203, 0, 113, 7])
    }

    pub(crate) fn at(app: &Arc<App>, address: [u8; 4]) -> Self {
        let peer = SocketAddr::from((address, 4711));
        Self { router: web::router(Arc::clone(app)).layer(Extension(ConnectInfo(peer))), cookies: BTreeMap::new() }
    }

    /// A browser in which `person` of `tenant` has signed in, with a code if the account has one.
    pub(crate) async fn signed_in(app: &Arc<App>, tenant: &Tenant, person: &Person) -> Self {
        let mut browser = Self::new(app);
        let page = browser.post("/sign-in", &[("email", &tenant.email(person)), ("password", seed::PASSWORD)]).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
        if person.totp_seed.is_some() {
            let page = browser.post("/sign-in/code", &[("code", &seed::current_code(person).unwrap())]).await;
            assert_eq!(page.location.as_deref(), Some("/loads"), "{}", page.text);
        }
        browser
    }

    /// Another browser that has got hold of this one's cookies.
    pub(crate) fn clone_cookies(&self, app: &Arc<App>) -> Self {
        Self { cookies: self.cookies.clone(), ..Self::new(app) }
    }

    /// What a cookie holds.
    pub(crate) fn cookie(&self, name: &str) -> &str {
        self.cookies.get(name).unwrap_or_else(|| panic!("no cookie `{name}`"))
    }

    /// Forgets a cookie.
    pub(crate) fn drop_cookie(&mut self, name: &str) {
        assert!(self.cookies.remove(name).is_some(), "no cookie `{name}`");
    }

    pub(crate) async fn get(&mut self, path: &str) -> Page {
        let request = Request::get(path).body(Body::empty()).unwrap();
        self.send(request).await
    }

    pub(crate) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Page {
        self.post_from("same-origin", path, form).await
    }

    pub(crate) async fn post_from(&mut self, site: &str, path: &str, form: &[(&str, &str)]) -> Page {
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", site)
            .body(Body::from(serde_urlencoded::to_string(form).unwrap()))
            .unwrap();
        self.send(request).await
    }

    /// What the server answers, its body still to come.
    pub(crate) async fn open(&self, mut request: Request<Body>) -> Response<Body> {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request.headers_mut().insert(header::COOKIE, cookies.join("; ").parse().unwrap());
        }
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn send(&mut self, request: Request<Body>) -> Page {
        let response = self.open(request).await;
        self.keep_cookies(&response);
        let goes_on = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
        let header =
            |name| response.headers().get(name).map(|value: &http::HeaderValue| value.to_str().unwrap().to_owned());
        Page {
            status: response.status(),
            location: header(header::LOCATION),
            retry_after: header(header::RETRY_AFTER).map(|seconds| seconds.parse().unwrap()),
            text: match goes_on {
                true => String::new(),
                false => String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap(),
            },
        }
    }

    fn keep_cookies(&mut self, response: &Response<Body>) {
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.starts_with("__Host-") && cookie.contains("; Secure; HttpOnly; SameSite=Lax"), "{cookie}");
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if value.is_empty() {
                self.cookies.remove(name)
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned())
            };
        }
    }
}
