//! What handlers take.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use crate::{
    session::{Assurance, Session},
    tower::{Refusal, Visit},
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

/// The live session of the request. A route under `Extension(Touch::Never)` does not count as use of it.
impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        session(parts).await?.ok_or(Refusal::SignedOut)
    }
}

/// `None` if nobody is signed in; a store that fails is refused all the same.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Refusal> {
        session(parts).await
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SecondFactor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let session = session(parts).await?.ok_or(Refusal::SignedOut)?;
        match session.assurance {
            Assurance::PasswordAndTotp => Ok(Self(session)),
            Assurance::Password => Err(Refusal::SecondFactorMissing),
        }
    }
}

async fn session(parts: &Parts) -> Result<Option<Session>, Refusal> {
    let touch = parts.extensions.get().copied().unwrap_or_default();
    Ok(Visit::of(&parts.extensions)?.session_with(touch).await?.cloned())
}
