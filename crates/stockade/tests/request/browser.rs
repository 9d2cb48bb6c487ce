//! A browser without a screen: one cookie jar, one peer, requests that go straight to a router.

use std::{collections::BTreeMap, net::SocketAddr};

use axum::{Router, body::Body, extract::ConnectInfo};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::install::{PASSWORD, PEOPLE};

#[derive(Clone)]
pub(crate) struct Browser {
    router: Router,
    peer: [u8; 4],
    pub(crate) headers: HeaderMap,
    cookies: BTreeMap<String, String>,
}

pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Browser {
    /// A browser at 203.0.113.7.
    pub(crate) fn new(router: &Router) -> Self {
        Self::at(router, [203, 0, 113, 7])
    }

    pub(crate) fn at(router: &Router, peer: [u8; 4]) -> Self {
        let headers = HeaderMap::from_iter([(header::USER_AGENT, "NCSA_Mosaic/2.0".parse().unwrap())]);
        Self { router: router.clone(), peer, headers, cookies: BTreeMap::new() }
    }

    /// A browser in which the `person`th of the example's people has signed in.
    pub(crate) async fn signed_in(router: &Router, person: usize) -> Self {
        let mut browser = Self::new(router);
        let page = browser.sign_in(PEOPLE[person].0, PASSWORD).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
        browser
    }

    pub(crate) async fn sign_in(&mut self, email: &str, password: &str) -> Page {
        self.post("/sign-in", &[("email", email), ("password", password)]).await
    }

    /// The same cookies, in front of another router.
    pub(crate) fn before(&self, router: &Router) -> Self {
        Self { router: router.clone(), ..self.clone() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(name, value.parse().unwrap());
        self
    }

    pub(crate) fn cookie(mut self, set: &str) -> Self {
        let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
        self.cookies.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) async fn get(&mut self, path: &str) -> Page {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Page {
        self.post_from("same-origin", path, form).await
    }

    pub(crate) async fn post_from(&mut self, site: &str, path: &str, form: &[(&str, &str)]) -> Page {
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", site)
            .body(Body::from(serde_urlencoded::to_string(form).unwrap()));
        self.send(request.unwrap()).await
    }

    pub(crate) async fn send(&mut self, mut request: Request<Body>) -> Page {
        request.headers_mut().extend(self.headers.clone());
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request.headers_mut().insert(header::COOKIE, cookies.join("; ").parse().unwrap());
        }
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((self.peer, 4711))));
        let response = self.router.clone().oneshot(request).await.unwrap();
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            match value {
                "" => self.cookies.remove(name),
                _ => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Page { status: head.status, headers: head.headers, text: String::from_utf8(body.to_vec()).unwrap() }
    }
}
