//! Sessions in front of a [`tower`](https://docs.rs/tower) service over [`http`](https://docs.rs/http) types.
//!
//! [`SessionLayer`] refuses requests that another site caused and puts a [`Visit`] into the extensions of each other one. A visit
//! looks the session up when it is first asked, once a request, and sets the cookies of what happened to the session:
//!
//! ```
//! use http::{Request, Response};
//! use stockade_session::tower::{Refusal, Visit};
//!
//! async fn handle<B>(request: Request<B>) -> Result<Response<String>, Refusal> {
//!     let visit = Visit::of(request.extensions())?;
//!     let session = visit.session().await?.ok_or(Refusal::SignedOut)?;
//!     Ok(Response::new(format!("you are {}", session.user)))
//! }
//! ```
//!
//! With axum, see the module `axum` (feature `axum`).

mod cross_site;
mod layer;
mod outgoing;
mod refusal;
mod service;
mod visit;
mod visitor;

pub use layer::SessionLayer;
pub use refusal::Refusal;
pub use service::Sessions;
pub use visit::Visit;
pub use visitor::Visitor;
