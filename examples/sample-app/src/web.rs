//! The web application: server-rendered pages, one stylesheet, no script.

mod account;
mod accounts;
mod administration;
mod api;
mod audit;
mod documents;
mod drivers;
mod encryption;
mod enrol;
mod exports;
mod features;
mod guard;
mod integrations;
mod invitations;
mod isolation;
mod layout;
mod ledger;
mod limits;
mod live;
mod loads;
mod navigation;
mod operations;
mod outbox;
mod people;
mod posture;
mod problem;
mod proof;
mod reset;
mod retention;
mod roles;
mod routes;
mod security;
mod settlements;
mod sharing;
mod shredding;
mod sign_in;
mod staff;
mod tampering;
mod visitor;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{FromRequest, FromRequestParts, Request, State},
    middleware::map_response_with_state,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_LENGTH, request::Parts};
use serde::de::DeserializeOwned;
use stockade::{bridge::request::Refused, session::tower::Refusal};
use tower::ServiceBuilder;
use tower_http::set_header::SetResponseHeaderLayer;

use self::problem::Problem;
pub use self::routes::{Guard, Route, routes};
pub(crate) use self::visitor::SignedIn;
use crate::app::App;

/// The application, as handlers take it.
pub(crate) type WebApp = State<Arc<App>>;

/// The application: the routes of the table, and what every response carries.
pub fn router(app: Arc<App>) -> Router {
    routes::router(&app)
        .fallback(|| async { Problem::NotFound })
        .layer(
            ServiceBuilder::new()
                .layer(response_header("content-security-policy", "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"))
                .layer(response_header("x-content-type-options", "nosniff"))
                .layer(response_header("referrer-policy", "same-origin"))
                .layer(response_header("cache-control", "no-store"))
                .layer(map_response_with_state(Arc::clone(&app), refused))
                .layer(app.requests.clone()),
        )
        .with_state(app)
}

/// Serves the application on `listener` until `stop` resolves.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    app: Arc<App>,
    listener: tokio::net::TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let live = Arc::clone(&app.live);
    let stop = async move {
        stop.await;
        live.close();
    };
    let service = router(app).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop).await
}

/// A form whose malformed body is a page for a person, not a line of plain text.
#[derive(Debug)]
pub(crate) struct Form<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        match axum::Form::from_request(request, state).await {
            Ok(axum::Form(value)) => Ok(Self(value)),
            Err(_) => Err(Problem::Malformed.into_response()),
        }
    }
}

/// The query of an address. A malformed one is a page for a person too.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(_) => Err(Problem::Malformed.into_response()),
        }
    }
}

/// A page for what the request layer refuses by itself. What somebody was refused is recorded by now, and to be sealed.
async fn refused(State(app): WebApp, response: Response) -> Response {
    let problem = match (response.extensions().get(), response.extensions().get()) {
        (Some(Refusal::CrossSite), _) => Problem::CrossSite,
        (_, Some(refused)) => Problem::from(Refused::clone(refused)),
        _ => {
            if response.status() == StatusCode::FORBIDDEN {
                app.seal_soon();
            }
            return response;
        }
    };
    // Its cookies and its id stay.
    let (mut parts, _) = response.into_parts();
    let (page, body) = problem.into_response().into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.extend(page.headers);
    parts.status = page.status;
    Response::from_parts(parts, body)
}

fn response_header(name: &'static str, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(HeaderName::from_static(name), HeaderValue::from_static(value))
}
