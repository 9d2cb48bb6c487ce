//! Changing one's password.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use maud::{Markup, html};
use secrecy::SecretString;
use serde::Deserialize;
use stockade::session::{PasswordChange, tower::Visit};

use super::frame;
use crate::{
    domain::people::User,
    web::{Form, SignedIn, WebApp, problem::Problem},
};

/// `GET /account/password`
pub(crate) async fn form(visitor: SignedIn) -> Markup {
    render(&visitor.user, None)
}

/// What the form sends.
#[derive(Deserialize)]
pub(crate) struct Passwords {
    current: SecretString,
    new: SecretString,
}

/// `POST /account/password`: every other session ends, and this one goes on with a new token.
pub(crate) async fn change(
    State(app): WebApp,
    visit: Visit,
    visitor: SignedIn,
    Form(sent): Form<Passwords>,
) -> Result<Response, Problem> {
    let token = visit.token().ok_or(Problem::SignedOut)?;
    let complaint = match app.auth.change_password(token, sent.current, sent.new, &visit.client()?).await? {
        PasswordChange::Changed(issued) => {
            visit.carry(&issued)?;
            app.seal_soon();
            return Ok(Redirect::to("/account/sessions").into_response());
        }
        PasswordChange::Ended => return Err(Problem::SignedOut),
        PasswordChange::Rejected(_) => "The current password is not right, or too many were tried.".to_owned(),
        PasswordChange::Refused(problem) => format!("The new password will not do: {problem}."),
    };
    app.seal_soon();
    Ok((StatusCode::UNPROCESSABLE_ENTITY, render(&visitor.user, Some(&complaint))).into_response())
}

fn render(user: &User, complaint: Option<&str>) -> Markup {
    let content = html! {
        @if let Some(complaint) = complaint { div.note.bad role="alert" { p { (complaint) } } }
        form.card.narrow method="post" action="/account/password" {
            input type="hidden" name="username" autocomplete="username" value=(user.email);
            div.field {
                label for="current" { "Current password" }
                input id="current" name="current" type="password" autocomplete="current-password" required;
            }
            div.field {
                label for="new" { "New password" }
                input id="new" name="new" type="password" autocomplete="new-password" minlength="8" required;
                p.hint { "At least 8 characters, of any kind. Not your e-mail address." }
            }
            button { "Change it" }
        }
    };
    frame(user, "password", "Password", "Whoever is signed in as you elsewhere is signed out.", &content)
}
