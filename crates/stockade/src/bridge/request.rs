//! One layer per request, in front of an [axum](https://docs.rs/axum) router: who asks, from where, for which tenant.
//!
//! [`RequestLayer`] finds the client's address behind trusted proxies, names the request, holds off other sites and looks the session up
//! when it is first asked for. It owns the application's [`TenantDb`](stockade_tenant_guard::TenantDb), so the only way to a tenant's rows
//! is a type that says who asks:
//!
//! | A handler takes | and is reached by | which may |
//! |---|---|---|
//! | [`Desk`] | a person who is signed in, in their own name | [`begin`](Desk::begin) a [`Work`], or [`read`](Desk::read) a [`Look`] |
//! | [`Viewer`] | such a person, or staff who look as somebody else | [`read`](Viewer::read) a [`Look`] |
//! | [`Program`] | an API token, with its owner's authority cut down to its scopes | as a desk |
//! | [`Asked`] | everybody | neither |
//!
//! Functions that read in a work or in a look take what [`Reads`]. Where no request is, [`RequestLayer::desk`] and its like open the same.
//!
//! What the person may do is read inside the very transaction in which it is used, by the version of their authority: one row.

mod asked;
mod authority;
mod caller;
mod front;
mod impersonated;
mod layer;
mod look;
mod reads;
mod recordings;
mod refused;
mod service;
mod viewer;
mod work;

pub use self::asked::{Asked, subject};
pub use self::authority::Authority;
pub use self::caller::{Desk, Keys, Program};
pub use self::layer::RequestLayer;
pub use self::look::Look;
pub use self::reads::Reads;
pub use self::refused::{Failure, Refused};
pub use self::service::Requests;
pub use self::viewer::Viewer;
pub use self::work::{Use, Work};
