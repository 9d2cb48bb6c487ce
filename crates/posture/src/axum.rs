//! The exports as routes of [axum](https://docs.rs/axum), behind a guard that cannot be left out.
//!
//! | route | content |
//! |---|---|
//! | `/posture` | the page, [`html_page`](crate::render::html_page) |
//! | `/posture.json` | [`json`](crate::render::json()) |
//! | `/posture.md` | [`markdown`](crate::render::markdown()) |
//! | `/posture.csv` | [`csv`](crate::render::csv()), as a download |
//! | `/posture/oscal.json` | [`oscal`](crate::render::oscal()), as a download |
//!
//! ```
//! use axum::{http::{StatusCode, request::Parts}, response::{IntoResponse, Response}};
//! use chrono::Utc;
//! use stockade_posture::{Assessment, Error, axum::routes};
//!
//! #[derive(Clone)]
//! struct Officer(String);
//!
//! // In an application: the session of the request, and the permission to look at compliance.
//! async fn admit(request: Parts) -> Result<Officer, Response> {
//!     let name = request.headers.get("x-officer").and_then(|name| name.to_str().ok());
//!     name.map(|name| Officer(name.to_owned())).ok_or_else(|| StatusCode::FORBIDDEN.into_response())
//! }
//!
//! async fn assess(officer: Officer) -> Result<Assessment, Error> {
//!     Ok(Assessment::builder(Utc::now()).build()) // in an application: with what the collectors observe
//! }
//!
//! let app: axum::Router = routes(admit, assess);
//! # let _ = app;
//! ```
//!
//! The source gets what the guard gave, so there is no way to it that does not lead through the guard. A guard that admits everybody
//! has to be written, and can be read.
//!
//! ```compile_fail
//! # use stockade_posture::{Assessment, Error};
//! # async fn assess(_: ()) -> Result<Assessment, Error> { Err(Error::unavailable("closed")) }
//! let app: axum::Router = stockade_posture::axum::routes(assess); // no guard
//! ```

mod answer;

use std::{future::Future, sync::Arc};

use axum::{
    Router,
    http::{StatusCode, request::Parts},
    response::{IntoResponse as _, Response},
    routing::get,
};

use crate::{assessment::Assessment, error::Error};
use answer::Export;

/// Decides who may see the exports. It is asked before anything is measured, on every request.
///
/// Every async function from [`Parts`] to `Result<Admitted, Response>` is one.
pub trait Guard: Clone + Send + Sync + 'static {
    /// What is known of whoever was admitted: the session, the tenant, or just `()`.
    type Admitted: Send;

    /// Admits the request, or answers it.
    fn admit(&self, request: Parts) -> impl Future<Output = Result<Self::Admitted, Response>> + Send;
}

/// Makes the assessment for whoever was admitted.
///
/// Every async function from what the guard gives to `Result<Assessment, Error>` is one. It is asked on every request: one that costs much keeps its
/// last assessment for a while, and one that knows of earlier assessments adds them
/// ([`history`](crate::AssessmentBuilder::history)).
pub trait Source<Admitted>: Clone + Send + Sync + 'static {
    /// Makes the assessment.
    fn assess(&self, admitted: Admitted) -> impl Future<Output = Result<Assessment, Error>> + Send;
}

impl<F, Fut, Admitted> Guard for F
where
    F: Fn(Parts) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Admitted, Response>> + Send,
    Admitted: Send,
{
    type Admitted = Admitted;

    fn admit(&self, request: Parts) -> impl Future<Output = Result<Admitted, Response>> + Send {
        self(request)
    }
}

impl<F, Fut, Admitted> Source<Admitted> for F
where
    F: Fn(Admitted) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Assessment, Error>> + Send,
{
    fn assess(&self, admitted: Admitted) -> impl Future<Output = Result<Assessment, Error>> + Send {
        self(admitted)
    }
}

/// The routes. They answer `GET` and `HEAD`.
///
/// Every answer, a refusal too, may be neither stored nor sniffed, framed or read by another origin: `Cache-Control: no-store`,
/// `X-Content-Type-Options: nosniff`, `Referrer-Policy: no-referrer`, `Cross-Origin-Resource-Policy: same-origin` and a content security policy that allows nothing but
/// the page's own style. If the source fails, the answer is 503 with no word of why.
pub fn routes<S, G, A>(guard: G, source: A) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    G: Guard,
    A: Source<G::Admitted>,
{
    let behind = Arc::new((guard, source));
    Export::ALL.into_iter().fold(Router::new(), |router, export| {
        let behind = Arc::clone(&behind);
        let answer = move |request: axum::extract::Request| {
            let behind = Arc::clone(&behind);
            async move {
                let (guard, source) = behind.as_ref();
                let admitted = match guard.admit(request.into_parts().0).await {
                    Ok(admitted) => admitted,
                    Err(refusal) => return answer::protected(refusal),
                };
                match source.assess(admitted).await {
                    Ok(assessment) => export.answer(&assessment),
                    Err(_) => answer::protected(StatusCode::SERVICE_UNAVAILABLE.into_response()),
                }
            }
        };
        router.route(export.path(), get(answer))
    })
}
