//! Signing in: the password, then the one-time code where the account has one. Signing out.

use axum::{
    extract::State,
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::SET_COOKIE};
use maud::{Markup, html};
use secrecy::SecretString;
use serde::Deserialize;
use stockade::{
    ratelimit::{Key, Reservation},
    rbac::Permission,
    session::{ErrorKind, Flow, FullyVerified, Step, TotpStep},
};
use zeroize::Zeroizing;

use super::{
    Form, SignedIn, WebApp,
    layout::door,
    problem::Problem,
    visitor::{Client, pending_token, session_token},
};
use crate::{
    app::App,
    limits::{CODE_ADDRESS, Permit},
    permissions::Perm,
    seed,
};

/// The one sentence for every reason: which it was is nobody's business.
const REFUSED: &str = "The e-mail address or the password is not right, or the account is locked for a while.";
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
    Client(client): Client,
    headers: HeaderMap,
    Form(sent): Form<Password>,
) -> Result<Response, Problem> {
    // Charged before the hash is computed, and given back when the password was right.
    let permit = granted(&app, app.reserve_sign_in(&sent.email, client.ip).await?)?;
    let flow = app.auth.begin(&sent.email, &client).await?;
    match flow.verify_password(sent.password).await? {
        Step::Rejected(_) => Ok((StatusCode::UNAUTHORIZED, password_page(&sent.email, Some(REFUSED))).into_response()),
        Step::TotpRequired(flow) => {
            permit.refund().await;
            Ok((set_cookies(&[app.cookies.pending(&flow.token())]), Redirect::to("/sign-in/code")).into_response())
        }
        Step::Done(flow) => {
            permit.refund().await;
            issue(&app, flow, &headers).await
        }
    }
}

/// `GET /sign-in/code`
pub(crate) async fn code_form(State(app): WebApp, headers: HeaderMap) -> Response {
    match pending_token(&app, &headers) {
        Some(_) => code_page(None).into_response(),
        None => Redirect::to("/sign-in").into_response(),
    }
}

/// What the code form sends.
#[derive(Deserialize)]
pub(crate) struct Code {
    code: String,
}

/// `POST /sign-in/code`
pub(crate) async fn code(
    State(app): WebApp,
    Client(client): Client,
    headers: HeaderMap,
    Form(sent): Form<Code>,
) -> Result<Response, Problem> {
    let permit = granted(&app, app.limits.reserve(&[(CODE_ADDRESS, Key::ip(client.ip))]).await?)?;
    let Some(pending) = pending_token(&app, &headers) else {
        return Ok(Redirect::to("/sign-in").into_response());
    };
    let flow = match app.auth.resume(&pending, &client).await {
        Ok(flow) => flow,
        Err(error) if error.kind() == ErrorKind::FlowEnded => {
            let page = password_page("", Some("That took too long, or too many attempts. Sign in again."));
            return Ok((set_cookies(&[app.cookies.clear_pending()]), page).into_response());
        }
        Err(error) => return Err(error.into()),
    };
    match flow.verify_totp(&sent.code).await? {
        TotpStep::Rejected(_) => Ok((StatusCode::UNAUTHORIZED, code_page(Some(WRONG_CODE))).into_response()),
        TotpStep::Done(flow) => {
            permit.refund().await;
            issue(&app, flow, &headers).await
        }
    }
}

/// `POST /sign-out`
pub(crate) async fn sign_out(State(app): WebApp, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(token) = session_token(&app, &headers)
        && let Some(session) = app.auth.resolve(&token).await?
    {
        app.auth.revoke(session.sid).await?;
        app.seal_soon();
    }
    Ok(gone(&app))
}

/// `POST /sign-out/everywhere`: every session of the person, by one version.
pub(crate) async fn sign_out_everywhere(State(app): WebApp, visitor: SignedIn) -> Result<Response, Problem> {
    let mut desk = app.desk(&visitor).await?;
    let entry = desk.entry(Perm::SessionRevoke.key()).entity("user", desk.user.id.to_string());
    desk.record(&entry).await?;
    desk.commit(&app).await?;
    app.auth.revoke_all(visitor.session.user).await?;
    Ok(gone(&app))
}

fn granted(app: &App, reservation: Reservation<Permit>) -> Result<Permit, Problem> {
    match reservation {
        Reservation::Granted(permit) => Ok(permit),
        Reservation::Refused(decision) => {
            app.seal_soon();
            Err(Problem::TooMany { retry_after: decision.retry_after_secs() })
        }
    }
}

/// A new session in a new cookie. The one that the browser came with, if any, ends.
async fn issue(app: &App, flow: Flow<FullyVerified>, headers: &HeaderMap) -> Result<Response, Problem> {
    if let Some(token) = session_token(app, headers)
        && let Some(old) = app.auth.resolve(&token).await?
    {
        app.auth.revoke(old.sid).await?;
    }
    let issued = app.auth.issue(flow).await?;
    app.seal_soon();
    let cookies = set_cookies(&[app.cookies.session(issued.token()), app.cookies.clear_pending()]);
    Ok((cookies, Redirect::to("/loads")).into_response())
}

fn gone(app: &App) -> Response {
    (set_cookies(&[app.cookies.clear_session()]), Redirect::to("/sign-in")).into_response()
}

/// One `Set-Cookie` line each. Marked sensitive, so that nothing below prints them.
fn set_cookies<const N: usize>(cookies: &[Zeroizing<String>; N]) -> AppendHeaders<Vec<(HeaderName, HeaderValue)>> {
    let headers = cookies.iter().filter_map(|cookie| {
        let mut value = HeaderValue::from_str(cookie).ok()?;
        value.set_sensitive(true);
        Some((SET_COOKIE, value))
    });
    AppendHeaders(headers.collect())
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
            }
        },
    )
}
