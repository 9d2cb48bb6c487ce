//! What handlers take.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use crate::{
    access::MustEnrol,
    api_token::ApiToken,
    impersonation::Caller,
    session::{Assurance, Session},
    tower::{Refusal, Visit, Visitor},
};

/// A session whose sign-in had a second factor. Refused with 401 without a session and with 403 without the factor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondFactor(pub Session);

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Ok(Self::of(&parts.extensions)?)
    }
}

/// Who the request is from, every case of it. A route under `Extension(Touch::Never)` does not count as use of the session.
impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let touch = parts.extensions.get().copied().unwrap_or_default();
        Ok(Visit::of(&parts.extensions)?.visitor_with(touch).await?.clone())
    }
}

/// The session of a user who is signed in as nobody else and owes no second factor.
impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        <Self as OptionalFromRequestParts<S>>::from_request_parts(parts, state).await?.ok_or(Refusal::SignedOut)
    }
}

/// `None` if nobody is signed in. Whoever must enrol, is somebody else or just was is refused all the same, and so is everybody when the
/// store fails.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Refusal> {
        Ok(Visitor::from_request_parts(parts, state).await?.session()?.cloned())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SecondFactor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let session = <Session as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        match session.assurance {
            Assurance::PasswordAndTotp => Ok(Self(session)),
            Assurance::Password => Err(Refusal::SecondFactorMissing),
        }
    }
}

/// For the pages that set up a second factor. A user who may do more has a [`Session`]: a page for both takes a [`Visitor`].
impl<S: Send + Sync> FromRequestParts<S> for MustEnrol {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Visitor::from_request_parts(parts, state).await? {
            Visitor::MustEnrol(session) => Ok(session),
            _ => Err(Refusal::SignedOut),
        }
    }
}

/// For pages that can be looked at as somebody else. A handler without this extractor or a [`Visitor`] cannot be reached in an
/// impersonation.
impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Visitor::from_request_parts(parts, state).await? {
            Visitor::Nobody => Err(Refusal::SignedOut),
            Visitor::MustEnrol(_) => Err(Refusal::MustEnrol),
            Visitor::Own(session) => Ok(Self::Own(session)),
            Visitor::Impersonating(impersonation) => Ok(Self::Impersonating(impersonation)),
            Visitor::Over(session) => Ok(Self::Over(session)),
        }
    }
}

/// The API token of `Authorization: Bearer`. No cookie is looked at.
impl<S: Send + Sync> FromRequestParts<S> for ApiToken {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Visit::of(&parts.extensions)?.api_token().await?.ok_or(Refusal::SignedOut)
    }
}
