//! Signing in: the password, then the one-time code where the account has one. Signing out.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use maud::{Markup, html};
use secrecy::SecretString;
use serde::Deserialize;
use stockade::{
    ratelimit::{Key, Reservation},
    rbac::Permission,
    session::{Flow, FullyVerified, Step, TotpStep, tower::Visit},
};

use super::{Form, SignedIn, WebApp, layout::door, problem::Problem};
use crate::{
    app::App,
    limits::{CODE_ADDRESS, Permit},
    permissions::Perm,
    seed,
};

/// The one sentence for every reason: which it was is nobody's business.
const REFUSED: &str = "The e-mail address or the password is not right, or the account is locked for a while.";
const WRONG_RECOVERY: &str = "The code is not right, or was used already. Each works once.";
const WRONG_CODE: &str = "The code is not right, or was used already. Wait for the next one.";

/// `GET /sign-in`
pub(crate) async fn form() -> Markup {
    password_page("", None)
}

/// What the password form sends.
#[derive(Deserialize)]
pub(crate) struct Password {
    email: String,
    password: SecretString,
}

/// `POST /sign-in`
pub(crate) async fn password(
    State(app): WebApp,
    visit: Visit,
    Form(sent): Form<Password>,
) -> Result<Response, Problem> {
    // Charged before the hash is computed, and given back when the password was right.
    let permit = granted(&app, app.reserve_sign_in(&sent.email, visit.client()?.ip).await?)?;
    match visit.begin(&sent.email).await?.verify_password(sent.password).await? {
        Step::Rejected(_) => Ok((StatusCode::UNAUTHORIZED, password_page(&sent.email, Some(REFUSED))).into_response()),
        Step::TotpRequired(flow) => {
            permit.refund().await;
            visit.wait(&flow)?;
            Ok(Redirect::to("/sign-in/code").into_response())
        }
        Step::Done(flow) => {
            permit.refund().await;
            enter(&app, &visit, flow).await
        }
    }
}

/// `GET /sign-in/code`
pub(crate) async fn code_form(visit: Visit) -> Result<Response, Problem> {
    Ok(match visit.resume().await? {
        Some(_) => code_page(None).into_response(),
        None => Redirect::to("/sign-in").into_response(),
    })
}

/// What the code form sends.
#[derive(Deserialize)]
pub(crate) struct Code {
    code: String,
}

/// `POST /sign-in/code`
pub(crate) async fn code(State(app): WebApp, visit: Visit, Form(sent): Form<Code>) -> Result<Response, Problem> {
    let permit = granted(&app, app.limits.reserve(&[(CODE_ADDRESS, Key::ip(visit.client()?.ip))]).await?)?;
    let Some(flow) = visit.resume().await? else {
        return Ok(password_page("", Some("That took too long, or too many attempts. Sign in again.")).into_response());
    };
    match flow.verify_totp(&sent.code).await? {
        TotpStep::Rejected(_) => Ok((StatusCode::UNAUTHORIZED, code_page(Some(WRONG_CODE))).into_response()),
        TotpStep::Done(flow) => {
            permit.refund().await;
            enter(&app, &visit, flow).await
        }
    }
}

/// `GET /sign-in/recovery`
pub(crate) async fn recovery_form(visit: Visit) -> Result<Response, Problem> {
    Ok(match visit.resume().await? {
        Some(_) => recovery_page(None).into_response(),
        None => Redirect::to("/sign-in").into_response(),
    })
}

/// `POST /sign-in/recovery`: a recovery code in place of a one-time code, counted with them.
pub(crate) async fn recovery(State(app): WebApp, visit: Visit, Form(sent): Form<Code>) -> Result<Response, Problem> {
    let permit = granted(&app, app.limits.reserve(&[(CODE_ADDRESS, Key::ip(visit.client()?.ip))]).await?)?;
    let Some(flow) = visit.resume().await? else {
        return Ok(password_page("", Some("That took too long, or too many attempts. Sign in again.")).into_response());
    };
    match flow.verify_recovery_code(&sent.code).await? {
        TotpStep::Rejected(_) => Ok((StatusCode::UNAUTHORIZED, recovery_page(Some(WRONG_RECOVERY))).into_response()),
        TotpStep::Done(flow) => {
            permit.refund().await;
            enter(&app, &visit, flow).await
        }
    }
}

/// `POST /sign-out`
pub(crate) async fn sign_out(State(app): WebApp, visit: Visit) -> Result<Redirect, Problem> {
    visit.sign_out().await?;
    app.seal_soon();
    Ok(Redirect::to("/sign-in"))
}

/// `POST /sign-out/everywhere`: every session of the person, by one version.
pub(crate) async fn sign_out_everywhere(
    State(app): WebApp,
    visit: Visit,
    visitor: SignedIn,
) -> Result<Redirect, Problem> {
    let mut desk = app.desk(&visitor).await?;
    let entry = desk.entry(Perm::SessionRevoke.key()).entity("user", desk.user.id.to_string());
    desk.record(&entry).await?;
    desk.commit(&app).await?;
    app.auth.revoke_all(visitor.session.user).await?;
    visit.sign_out().await?;
    Ok(Redirect::to("/sign-in"))
}

/// A new session. Whoever owes a second factor is led to it by the next page.
async fn enter(app: &App, visit: &Visit, flow: Flow<FullyVerified>) -> Result<Response, Problem> {
    visit.issue(flow).await?;
    app.seal_soon();
    Ok(Redirect::to("/loads").into_response())
}

pub(super) fn granted(app: &App, reservation: Reservation<Permit>) -> Result<Permit, Problem> {
    match reservation {
        Reservation::Granted(permit) => Ok(permit),
        Reservation::Refused(decision) => {
            app.seal_soon();
            Err(Problem::TooMany { retry_after: decision.retry_after_secs() })
        }
    }
}

fn password_page(email: &str, error: Option<&str>) -> Markup {
    door(
        "Sign in",
        &html! {
            form.card method="post" action="/sign-in" {
                h1 { "Sign in" }
                @if let Some(error) = error { div.note.bad role="alert" { p { (error) } } }
                div.field {
                    label for="email" { "E-mail" }
                    input id="email" name="email" type="email" autocomplete="username" value=(email) required autofocus;
                }
                div.field {
                    label for="password" { "Password" }
                    input id="password" name="password" type="password" autocomplete="current-password" required;
                }
                button { "Sign in" }
                p.below { a href="/reset" { "Forgotten the password?" } }
            }
            details.card {
                summary { "Demonstration accounts" }
                p.below { "Password: " code { (seed::PASSWORD) } }
                ul {
                    @for person in seed::ACME.people() {
                        li { code { (seed::ACME.email(person)) } " " (person.role) @if person.totp_seed.is_some() { ", with a one-time code" } }
                    }
                }
                p { "The same at " code { "bright.test" } " and " code { "cedar.test" } ". A current code: " code { "cargo run -p sample-app -- code" } }
            }
        },
    )
}

fn code_page(error: Option<&str>) -> Markup {
    door(
        "One-time code",
        &html! {
            form.card method="post" action="/sign-in/code" {
                h1 { "One-time code" }
                @if let Some(error) = error { div.note.bad role="alert" { p { (error) } } }
                div.field {
                    label for="code" { "Six digits from your authenticator app" }
                    input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="8" required autofocus;
                }
                button { "Continue" }
                p.below { a href="/sign-in/recovery" { "Use a recovery code instead" } }
            }
        },
    )
}

fn recovery_page(error: Option<&str>) -> Markup {
    door(
        "Recovery code",
        &html! {
            form.card method="post" action="/sign-in/recovery" {
                h1 { "Recovery code" }
                @if let Some(error) = error { div.note.bad role="alert" { p { (error) } } }
                div.field {
                    label for="code" { "One of the ten that you printed" }
                    input.mono id="code" name="code" autocomplete="off" autocapitalize="characters" spellcheck="false" required autofocus;
                    p.hint { "Dashes, spaces and case do not matter." }
                }
                button { "Continue" }
                p.below { a href="/sign-in/code" { "Use the authenticator app instead" } }
            }
        },
    )
}
