//! Proving again who is there, before what cannot be taken back.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use maud::{Markup, html};
use secrecy::SecretString;
use serde::Deserialize;
use stockade::session::{Proof, StepUp, store::TotpState, tower::Visit};

use super::{PAGES, frame};
use crate::{
    app::App,
    web::{Form, Query, SignedIn, WebApp, problem::Problem},
};

/// Where the person came from.
#[derive(Deserialize)]
pub(crate) struct From {
    r#for: String,
}

/// `GET /account/proof`
pub(crate) async fn form(State(app): WebApp, visitor: SignedIn, Query(from): Query<From>) -> Result<Markup, Problem> {
    render(&app, &visitor, page_of(&from.r#for)?, None).await
}

/// What the form sends: one of the two.
#[derive(Deserialize)]
pub(crate) struct Sent {
    r#for: String,
    #[serde(default)]
    password: SecretString,
    #[serde(default)]
    code: String,
}

/// `POST /account/proof`
pub(crate) async fn prove(
    State(app): WebApp,
    visit: Visit,
    visitor: SignedIn,
    Form(sent): Form<Sent>,
) -> Result<Response, Problem> {
    let from = page_of(&sent.r#for)?;
    let token = visit.token().ok_or(Problem::SignedOut)?;
    let proof = if sent.code.is_empty() { Proof::Password(sent.password) } else { Proof::Totp(&sent.code) };
    let outcome = app.auth.step_up(token, proof, &visit.client()?).await?;
    app.seal_soon();
    match outcome {
        StepUp::Confirmed(issued) => {
            visit.carry(&issued)?;
            Ok(Redirect::to(&format!("/account/{from}")).into_response())
        }
        StepUp::Ended => Err(Problem::SignedOut),
        StepUp::Rejected(_) => {
            let page = render(&app, &visitor, from, Some("That is not right, or too many were tried.")).await?;
            Ok((StatusCode::UNAUTHORIZED, page).into_response())
        }
    }
}

/// One of our own pages: nothing that a link says is a place to go to.
fn page_of(text: &str) -> Result<&'static str, Problem> {
    PAGES.iter().map(|(path, _)| *path).find(|path| *path == text).ok_or(Problem::NotFound)
}

async fn render(app: &App, visitor: &SignedIn, from: &str, complaint: Option<&str>) -> Result<Markup, Problem> {
    let account = app.auth.accounts().find(visitor.session.user).await?.ok_or(Problem::NotFound)?;
    let content = html! {
        @if let Some(complaint) = complaint { div.note.bad role="alert" { p { (complaint) } } }
        form.card.narrow method="post" action="/account/proof" {
            input type="hidden" name="for" value=(from);
            @if account.totp == Some(TotpState::Active) {
                div.field {
                    label for="code" { "Six digits from your authenticator app" }
                    input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="8" required autofocus;
                }
            } @else {
                div.field {
                    label for="password" { "Password" }
                    input id="password" name="password" type="password" autocomplete="current-password" required autofocus;
                }
            }
            button { "Go on" }
        }
    };
    let lead = "You signed in more than ten minutes ago. Then repeat what you wanted to do.";
    Ok(frame(&visitor.user, from, "Is it still you?", lead, &content))
}
