//! The web application: server-rendered pages, one stylesheet, no script.

mod administration;
mod audit;
mod drivers;
mod encryption;
mod exports;
mod integrations;
mod isolation;
mod layout;
mod ledger;
mod limits;
mod loads;
mod posture;
mod problem;
mod proof;
mod retention;
mod roles;
mod shredding;
mod sign_in;
mod tampering;
mod visitor;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{FromRequest, Request, State},
    middleware::map_response,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use http::{HeaderName, HeaderValue, header};
use serde::de::DeserializeOwned;
use stockade::session::{
    axum::peer,
    tower::{Refusal, SessionLayer},
};
use tower::ServiceBuilder;
use tower_http::set_header::SetResponseHeaderLayer;

use self::problem::Problem;
pub(crate) use self::visitor::SignedIn;
use crate::app::App;

/// The application, as handlers take it.
pub(crate) type WebApp = State<Arc<App>>;

/// Every route. A page asks for a signed-in visitor and the policy; only the sign-in pages do not.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::to("/loads") }))
        .route("/sign-in", get(sign_in::form).post(sign_in::password))
        .route("/sign-in/code", get(sign_in::code_form).post(sign_in::code))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/sign-out/everywhere", post(sign_in::sign_out_everywhere))
        .route("/loads", get(loads::list))
        .route("/loads/{id}", get(loads::show).post(loads::change))
        .route("/drivers", get(drivers::list))
        .route("/drivers/find", post(drivers::find))
        .route("/drivers/{id}/ssn", post(drivers::reveal))
        .route("/integrations", get(integrations::list).post(integrations::connect))
        .route("/ledger", get(ledger::show))
        .route("/ledger/postings", post(ledger::post))
        .route("/ledger/periods/{id}/close-softly", post(ledger::close_softly))
        .route("/ledger/periods/{id}/close", post(ledger::close_for_good))
        .route("/ledger/periods/{id}/reopen", post(ledger::reopen))
        .route("/audit", get(audit::show))
        .route("/audit/verify", post(audit::verify))
        .route("/audit.csv", get(exports::csv))
        .route("/audit.jsonl", get(exports::json))
        .route("/audit.bundle", get(exports::bundle))
        .route("/audit/entries/{seq}", get(proof::show))
        .route("/audit/entries/{seq}/bundle", get(exports::one))
        .route("/isolation", get(isolation::show).post(isolation::attack))
        .route("/administration", get(administration::show))
        .route("/administration/lint", post(administration::lint))
        .route("/administration/log", post(administration::log))
        .route("/administration/probe", post(administration::probe))
        .route("/administration/retention", get(retention::show))
        .route("/administration/retention/holds", post(retention::place))
        .route("/administration/retention/holds/{id}/release", post(retention::release))
        .route("/administration/retention/erasures", post(retention::erase))
        .route("/administration/encryption", get(encryption::show))
        .route("/administration/encryption/rotation", get(encryption::again).post(encryption::rotate))
        .route("/administration/encryption/wrapping", get(encryption::again).post(encryption::rewrap))
        .route("/administration/shredding", get(shredding::show).post(shredding::schedule))
        .route("/administration/shredding/{id}/cancel", post(shredding::cancel))
        .route("/administration/shredding/{id}/execute", post(shredding::execute))
        .route("/administration/tampering", get(tampering::show).post(tampering::run))
        .route("/posture", get(posture::show))
        .route("/posture.json", get(posture::json))
        .route("/roles", get(roles::show))
        .route("/limits", get(limits::show))
        .route("/style.css", get(|| async { ([(header::CONTENT_TYPE, "text/css")], include_str!("../assets/style.css")) }))
        .route("/posture.css", get(|| async { ([(header::CONTENT_TYPE, "text/css")], stockade::posture::render::html::STYLE) }))
        .route("/icon.svg", get(|| async { ([(header::CONTENT_TYPE, "image/svg+xml")], layout::icon()) }))
        .fallback(|| async { Problem::NotFound })
        .layer(
            ServiceBuilder::new()
                .layer(response_header("content-security-policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"))
                .layer(response_header("x-content-type-options", "nosniff"))
                .layer(response_header("referrer-policy", "same-origin"))
                .layer(response_header("cache-control", "no-store"))
                .layer(map_response(refused))
                .layer(SessionLayer::new(app.auth.clone(), app.cookies, peer)),
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

/// A page for what the session layer refuses by itself.
async fn refused(response: Response) -> Response {
    match response.extensions().get() {
        Some(Refusal::CrossSite) => Problem::CrossSite.into_response(),
        _ => response,
    }
}

fn response_header(name: &'static str, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(HeaderName::from_static(name), HeaderValue::from_static(value))
}
