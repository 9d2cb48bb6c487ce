//! Limits in front of a [`tower`](https://docs.rs/tower) service, and the client's address behind proxies.
//!
//! ```
//! use std::net::SocketAddr;
//! use stockade_ratelimit::tower::{RateLimitLayer, Subject, TrustedProxies};
//! use stockade_ratelimit::{Limiter, Route};
//!
//! let route = Route::sign_up();
//! let limiter = Limiter::builder().route(&route).build()?;
//! let proxies = TrustedProxies::x_forwarded_for(["10.0.0.0/8"])?;
//! // One layer a route, attached in the router: `post(sign_up).layer(layer)`.
//! let layer = RateLimitLayer::new(limiter, &route, move |request: &http::request::Parts| {
//!     // With axum: the extension is `ConnectInfo<SocketAddr>`.
//!     match request.extensions.get::<SocketAddr>() {
//!         Some(peer) => Subject::at(proxies.client(peer.ip(), &request.headers)),
//!         None => Subject::unknown(),
//!     }
//! })?;
//! # fn is_layer<S>(_: impl tower::Layer<S>) {}
//! # is_layer::<()>(layer);
//! # Ok::<(), stockade_ratelimit::Error>(())
//! ```

mod body;
mod fields;
mod forwarded;
mod gate;
mod layer;
mod proxies;
mod service;
mod subject;

pub use body::LimitedBody;
pub use gate::{Correct, Gate};
pub use layer::RateLimitLayer;
pub use proxies::TrustedProxies;
pub use service::{RateLimit, Refusal};
pub use subject::Subject;
