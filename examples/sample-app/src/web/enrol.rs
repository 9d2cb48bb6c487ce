//! Setting up a second factor: for whoever wants one, and for whoever may do nothing before they have one.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use maud::{Markup, PreEscaped, html};
use qrcode::{QrCode, render::svg::Color};
use serde::Deserialize;
use stockade::session::{Activation, Enrolment, ErrorKind, UserId, tower::Visitor as Who};

use super::{Form, WebApp, layout::door, problem::Problem};

/// `GET /enrol`
pub(crate) async fn show(who: Who) -> Result<Markup, Problem> {
    whose(&who)?;
    Ok(door(
        "Set up a second factor",
        &html! {
            form.card method="post" action="/enrol" {
                h1 { "Set up a second factor" }
                @if matches!(who, Who::MustEnrol(_)) { div.note.warn { p { "Your company demands one. Until you have it, this is the only page for you." } } }
                p { "You need an authenticator app on a telephone or computer. Afterwards you sign in again, with a code." }
                button { "Begin" }
            }
            form method="post" action="/sign-out" { button.quiet { "Sign out" } }
        },
    ))
}

/// `POST /enrol`: a new seed. It counts for nothing before it is confirmed.
pub(crate) async fn begin(State(app): WebApp, who: Who) -> Result<Response, Problem> {
    match app.auth.enrol_totp(whose(&who)?).await {
        Ok(enrolment) => Ok(seed_page(&enrolment).into_response()),
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(Redirect::to("/account/second-factor").into_response()),
        Err(error) => Err(error.into()),
    }
}

/// What the form sends.
#[derive(Deserialize)]
pub(crate) struct Code {
    code: String,
}

/// `POST /enrol/confirm`: the code is used up and every session has ended, so the way leads to the door.
pub(crate) async fn confirm(State(app): WebApp, who: Who, Form(sent): Form<Code>) -> Result<Response, Problem> {
    let outcome = app.auth.confirm_totp(whose(&who)?, &sent.code).await?;
    app.seal_soon();
    Ok(match outcome {
        Activation::Activated => Redirect::to("/sign-in").into_response(),
        Activation::Rejected => (StatusCode::UNAUTHORIZED, wrong_page()).into_response(),
    })
}

fn whose(who: &Who) -> Result<UserId, Problem> {
    match who {
        Who::MustEnrol(session) => Ok(session.user()),
        other => Ok(other.session().map_err(Problem::of)?.ok_or(Problem::SignedOut)?.user),
    }
}

fn seed_page(enrolment: &Enrolment) -> Markup {
    door(
        "Set up a second factor",
        &html! {
            form.card method="post" action="/enrol/confirm" {
                h1 { "Scan this with your app" }
                div.qr role="img" aria-label="QR code of the seed; it stands below as text too" { (picture(enrolment.otpauth_uri())) }
                p { "Or type it in:" }
                p.mono.long { (enrolment.secret_base32()) }
                div.field {
                    label for="code" { "The code that the app shows now" }
                    input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="8" required;
                }
                button { "Confirm" }
            }
        },
    )
}

fn wrong_page() -> Markup {
    door(
        "Set up a second factor",
        &html! {
            form.card method="post" action="/enrol/confirm" {
                h1 { "That code is not right" }
                div.note.bad role="alert" { p { "Is the clock of your telephone right? Wait for the next code and type that." } }
                div.field {
                    label for="code" { "The code that the app shows now" }
                    input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="8" required autofocus;
                }
                button { "Confirm" }
                p.below { a href="/enrol" { "Begin again, with another seed" } }
            }
        },
    )
}

/// The picture of a text, without the line that makes it a file of its own.
fn picture(text: &str) -> PreEscaped<String> {
    let svg = QrCode::new(text).map(|code| code.render::<Color<'_>>().build()).unwrap_or_default();
    PreEscaped(svg.split_once("?>").map_or_else(String::new, |(_, svg)| svg.to_owned()))
}
