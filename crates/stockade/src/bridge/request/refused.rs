//! Why a request was not answered.

use std::{error::Error, fmt, sync::Arc};

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use stockade_rbac::Denied;
use stockade_session::tower::Refusal;

/// Why a request was not answered. The response has its status and no body, and this (of a session's refusal: that) in its extensions: an
/// application that wants a page there exchanges the response in a layer around.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Nobody is signed in, or not as it takes; see [`Refusal::status`].
    #[error(transparent)]
    Session(#[from] Refusal),
    /// The policy: 403. It is in the audit log.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Whoever is signed in is no active member of the tenant: 403.
    #[error("not an active member of the tenant")]
    NoMember,
    /// There is nothing of that name, or it is another tenant's: 404. For handlers.
    #[error("there is no such thing")]
    NotFound,
    /// What the person may do was changed again and again while the request was on its way: 503. The same request may succeed.
    #[error("what the person may do was changed meanwhile")]
    Overtaken,
    /// The question could not be answered: 503 if the same request may succeed later, and 500 otherwise.
    #[error("the request failed")]
    Failed(#[source] Failure),
}

/// What failed, for the operator's log.
#[derive(Clone)]
pub struct Failure {
    cause: Arc<dyn Error + Send + Sync>,
    status: StatusCode,
}

impl Refused {
    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Session(refusal) => refusal.status(),
            Self::Denied(_) | Self::NoMember => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Overtaken => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(failure) => failure.status,
        }
    }

    pub(super) fn without_layer() -> Self {
        Self::failed("no request layer for these permissions is around the service", false)
    }

    pub(super) fn unrecorded() -> Self {
        Self::failed("a refusal was not recorded", true)
    }

    fn failed(cause: impl Into<Box<dyn Error + Send + Sync>>, retryable: bool) -> Self {
        let status = if retryable { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::INTERNAL_SERVER_ERROR };
        Self::Failed(Failure { cause: Arc::from(cause.into()), status })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

impl From<stockade_session::Error> for Refused {
    fn from(error: stockade_session::Error) -> Self {
        Self::Session(error.into())
    }
}

impl From<stockade_tenant_guard::Error> for Refused {
    fn from(error: stockade_tenant_guard::Error) -> Self {
        let retryable = error.is_retryable();
        Self::failed(error, retryable)
    }
}

impl From<stockade_audit_chain::Error> for Refused {
    fn from(error: stockade_audit_chain::Error) -> Self {
        let retryable = error.is_retryable();
        Self::failed(error, retryable)
    }
}

impl From<stockade_rbac::Error> for Refused {
    fn from(error: stockade_rbac::Error) -> Self {
        let retryable = error.is_retryable();
        Self::failed(error, retryable)
    }
}

impl From<stockade_tenant_guard::InvalidScopes> for Refused {
    fn from(error: stockade_tenant_guard::InvalidScopes) -> Self {
        Self::failed(error, false)
    }
}

impl From<stockade_tenant_guard::InvalidAuditContext> for Refused {
    fn from(error: stockade_tenant_guard::InvalidAuditContext) -> Self {
        Self::failed(error, false)
    }
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        let retryable = matches!(error, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut);
        Self::failed(error, retryable)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        if let Self::Session(refusal) = self {
            return refusal.into_response();
        }
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
