//! Why a request was not answered.

use std::sync::Arc;

use http::{HeaderValue, Response, StatusCode, header::WWW_AUTHENTICATE};

use crate::error::{Error, ErrorKind};

/// Why a request was refused. The response has its status and no body, and the refusal in its extensions: an application that wants
/// a page or a redirect there exchanges the response in a layer around this crate's.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No live session, or no live API token, came with the request: 401.
    #[error("nobody is signed in")]
    SignedOut,
    /// The session was opened by a password alone, and a second factor is asked for: 403.
    #[error("the session was opened without a second factor")]
    SecondFactorMissing,
    /// The tenant's policy demands a second factor that the account does not have: 403, until the user has enrolled.
    #[error("the account needs a second factor first")]
    MustEnrol,
    /// The request came as somebody else, who may only be looked at: 403.
    #[error("an impersonation changes nothing")]
    Impersonating,
    /// The request was meant as somebody else, and the impersonation is over: 403. Its cookie is removed.
    #[error("the impersonation is over")]
    ImpersonationOver,
    /// Another site caused the request, or nothing proves that none did: 403.
    #[error("the request may come from another site")]
    CrossSite,
    /// The question could not be answered.
    #[error("{0}")]
    Failed(#[source] Arc<Error>),
}

impl Refusal {
    /// The status of the response.
    ///
    /// What failed is 503 if it may pass, 400, 404 or 409 if it was the caller's argument, 401 if a sign-in must start again, and 500
    /// otherwise.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::SignedOut => StatusCode::UNAUTHORIZED,
            Self::SecondFactorMissing
            | Self::MustEnrol
            | Self::Impersonating
            | Self::ImpersonationOver
            | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::Failed(error) => match error.kind() {
                _ if error.is_retryable() => StatusCode::SERVICE_UNAVAILABLE,
                ErrorKind::InvalidInput => StatusCode::BAD_REQUEST,
                ErrorKind::NotFound => StatusCode::NOT_FOUND,
                ErrorKind::Conflict => StatusCode::CONFLICT,
                ErrorKind::FlowEnded => StatusCode::UNAUTHORIZED,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            },
        }
    }

    /// The response: the status, no body, and the refusal in the extensions. A 401 has the header that RFC 9110, 15.5.2 demands; browsers
    /// take no notice of it.
    #[must_use]
    pub fn response<B: Default>(self) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = self.status();
        if response.status() == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(Arc::new(error))
    }
}
