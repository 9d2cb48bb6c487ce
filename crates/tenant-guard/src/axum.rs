//! The scope of a request, for axum.
//!
//! The session layer verifies who is signed in and says so by putting a [`Verified`] into the request's extensions. Handlers take a
//! [`TenantScope`], which reads nothing else: no header, no path, no query string.
//!
//! ```
//! use axum::extract::Request;
//! use axum::middleware::{self, Next};
//! use axum::response::Response;
//! use axum::{Router, routing::get};
//! use stockade_tenant_guard::axum::{TenantScope, Verified};
//! use stockade_tenant_guard::{TenantDb, TenantId};
//!
//! async fn sign_in(mut request: Request, next: Next) -> Response {
//!     if let Some(tenant) = tenant_of_session(&request) {
//!         request.extensions_mut().insert(Verified::by_session(tenant));
//!     }
//!     next.run(request).await
//! }
//!
//! async fn loads(scope: TenantScope) -> Result<String, http::StatusCode> {
//!     let mut tx = scope.read().await.map_err(|_| http::StatusCode::SERVICE_UNAVAILABLE)?;
//!     let loads: i64 = sqlx::query_scalar("SELECT count(*) FROM loads")
//!         .fetch_one(&mut tx).await.map_err(|_| http::StatusCode::INTERNAL_SERVER_ERROR)?;
//!     Ok(loads.to_string())
//! }
//!
//! # fn tenant_of_session(_: &Request) -> Option<TenantId> { None }
//! # fn app(tenants: TenantDb) -> Router {
//! Router::new().route("/loads", get(loads)).layer(middleware::from_fn(sign_in)).with_state(tenants)
//! # }
//! ```

use axum::extract::{FromRef, FromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use crate::actor::Principal;
use crate::db::TenantDb;
use crate::error::Error;
use crate::tenant::TenantId;
use crate::tx::{ReadTx, TenantTx};

/// A principal that the session layer vouches for.
///
/// Whoever constructs one says that it has verified a session; search for `by_session` to find all places that say so. It is not
/// deserialized from anything.
#[derive(Clone, Debug)]
pub struct Verified(Principal);

/// The scope of the request's verified principal. Without one the request is refused with 401.
#[derive(Clone, Debug)]
pub struct TenantScope {
    db: TenantDb,
    principal: Principal,
}

/// The request has no verified session: 401, without a body.
///
/// A session layer that is missing looks the same and refuses every request, which is noticed at once and opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request has no verified session")]
pub struct Unverified;

impl Verified {
    /// Vouches for a principal. Call this where a session has been verified, and nowhere else.
    #[must_use]
    pub fn by_session(principal: impl Into<Principal>) -> Self {
        Self(principal.into())
    }
}

impl TenantScope {
    /// The tenant of the request.
    #[must_use]
    pub const fn tenant_id(&self) -> TenantId {
        self.principal.tenant_id()
    }

    /// The principal of the request.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Opens a transaction.
    ///
    /// # Errors
    ///
    /// As [`TenantDb::begin`].
    pub async fn begin(&self) -> Result<TenantTx, Error> {
        self.db.begin(self.principal.clone()).await
    }

    /// Opens a `READ ONLY` transaction.
    ///
    /// # Errors
    ///
    /// As [`TenantDb::read`].
    pub async fn read(&self) -> Result<ReadTx, Error> {
        self.db.read(self.principal.clone()).await
    }
}

impl<S> FromRequestParts<S> for TenantScope
where
    S: Send + Sync,
    TenantDb: FromRef<S>,
{
    type Rejection = Unverified;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Unverified> {
        let Verified(principal) = parts.extensions.get().cloned().ok_or(Unverified)?;
        Ok(Self { db: TenantDb::from_ref(state), principal })
    }
}

impl IntoResponse for Unverified {
    fn into_response(self) -> Response {
        StatusCode::UNAUTHORIZED.into_response()
    }
}
