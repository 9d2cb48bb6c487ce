//! What programs ask, with an API token in place of a session.

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header, request::Parts};
use serde_json::{Value, json};
use stockade::{
    bridge::request::{self, Reads, Refused},
    session::tower::Refusal,
};

use super::{problem::Problem, visitor::admit};
use crate::{
    desk::Look,
    domain::{
        features::{self, Feature},
        loads, people,
    },
    permissions::Perm,
};

/// `GET /api/loads`: those that the token's owner may see now, as far as the token goes.
pub(crate) async fn list(mut look: Look) -> Result<Response, Failed> {
    let on = features::is_on(&mut look.tx, Feature::Programs).await?;
    let loads = loads::all(&mut look).await?;
    look.close().await?;
    if !on {
        return Err(Failed::Denied("programs are switched off for your company".to_owned()));
    }
    let loads: Vec<Value> = loads
        .iter()
        .map(|load| {
            json!({
                "reference": load.reference, "customer": load.customer, "origin": load.origin,
                "destination": load.destination, "pickup_on": load.pickup_on.to_string(), "rate": load.rate_cents.to_string(),
                "status": load.status,
            })
        })
        .collect();
    Ok(answer(StatusCode::OK, &json!({ "loads": loads })))
}

/// Lets a request through whose token is for `permission`, as its owner with less authority: the owner as of now, who takes their tokens
/// along when they are suspended or lose a role.
pub(super) async fn enter(parts: &mut Parts, permission: Perm) -> Result<(), Failed> {
    let program = request::Program::<Perm>::from_request_parts(parts, &()).await?;
    let mut look = program.read().await?;
    look.reach(permission, ("api_token", program.token().id))?;
    let user = people::find(&mut look.tx, program.user()).await?.ok_or(Refused::NoMember)?;
    admit(parts, None, Look::new(look, user));
    Ok(())
}

/// Why a program gets no answer, as JSON.
pub(crate) enum Failed {
    Refused(Refusal),
    Denied(String),
    Page(Problem),
}

impl<E: Into<anyhow::Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        match error.into().downcast() {
            Ok(Refused::Session(refusal)) => Self::Refused(refusal),
            Ok(Refused::NoMember) => Self::Refused(Refusal::SignedOut),
            Ok(Refused::Denied(denied)) => Self::Denied(denied.explanation().to_owned()),
            Ok(refused) => Self::Page(refused.into()),
            Err(error) => Self::Page(Problem::Failed(error)),
        }
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(refusal) => {
                let body = json!({ "error": refusal.to_string() });
                let mut response = refusal.response();
                let status = response.status();
                let told = answer(status, &body);
                response.headers_mut().extend(told.headers().clone());
                *response.body_mut() = told.into_body();
                response
            }
            Self::Denied(reason) => answer(StatusCode::FORBIDDEN, &json!({ "error": reason })),
            // The description goes to the operator's log.
            Self::Page(problem) => {
                let status = problem.into_response().status();
                answer(status, &json!({ "error": "something failed on our side" }))
            }
        }
    }
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
