//! Sessions in [axum](https://docs.rs/axum).
//!
//! ```
//! use axum::{Extension, Router, response::{IntoResponse, Redirect, Response}, routing::get};
//! use axum::middleware::map_response;
//! use stockade_session::axum::{SecondFactor, peer};
//! use stockade_session::tower::{Refusal, SessionLayer};
//! use stockade_session::{Auth, Cookies, Session, Touch};
//!
//! async fn home(session: Session) -> String { format!("you are {}", session.user) } // 401 without a session
//! async fn news(session: Option<Session>) -> &'static str { if session.is_some() { "yours" } else { "everybody's" } }
//! async fn payroll(SecondFactor(session): SecondFactor) -> String { session.sid.to_string() } // 403 without a second factor
//!
//! # fn app(auth: Auth) -> Router {
//! Router::new()
//!     .route("/", get(home))
//!     .route("/news", get(news).layer(Extension(Touch::Never))) // asked every minute by a script: no use of the session
//!     .route("/payroll", get(payroll))
//!     .layer(SessionLayer::new(auth, Cookies::host(), peer))
//!     // Refusals have no body. Who wants a page or a redirect exchanges the response.
//!     .layer(map_response(|response: Response| async move {
//!         match response.extensions().get() {
//!             Some(Refusal::SignedOut) => Redirect::to("/sign-in").into_response(),
//!             _ => response,
//!         }
//!     }))
//! # }
//! ```
//!
//! [`Session`](crate::Session) is a user who is signed in as nobody else and owes no second factor. Pages for others say so:
//! [`MustEnrol`](crate::MustEnrol), [`Caller`](crate::Caller) for those that may be looked at as somebody else,
//! [`ApiToken`](crate::ApiToken) for programs, [`Visitor`](crate::tower::Visitor) for every case.
//!
//! Serve the router with `into_make_service_with_connect_info::<SocketAddr>()`, or [`peer`] finds no address and no sign-in begins.
//! Behind a proxy, give [`SessionLayer::new`](crate::tower::SessionLayer::new) a function that reads the proxy's header and trusts
//! nobody else's (`TrustedProxies` of stockade-ratelimit is one).

mod extract;

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::ConnectInfo,
    response::{IntoResponse, Response},
};
use http::request::Parts;

use crate::tower::Refusal;

pub use extract::SecondFactor;

/// The address at the other end of the connection, where the router is served with connect info. Behind a proxy that is the proxy's.
#[must_use]
pub fn peer(request: &Parts) -> Option<IpAddr> {
    request.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip())
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.response()
    }
}
