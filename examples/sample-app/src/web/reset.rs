//! A forgotten password: a message to the owner of the account, and the form that its link opens.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use chrono::Utc;
use http::StatusCode;
use maud::{Markup, html};
use secrecy::SecretString;
use serde::Deserialize;
use stockade::{
    ratelimit::Key,
    session::{Redemption, ResetToken, tower::Visit},
};

use super::{Form, Query, WebApp, layout::door, problem::Problem, sign_in::granted};
use crate::{
    limits::{RESET_ACCOUNT, RESET_ADDRESS},
    outbox::Message,
};

/// `GET /reset`
pub(crate) async fn form() -> Markup {
    door(
        "Forgotten password",
        &html! {
            form.card method="post" action="/reset" {
                h1 { "Forgotten the password?" }
                div.field {
                    label for="email" { "E-mail" }
                    input id="email" name="email" type="email" autocomplete="username" required autofocus;
                }
                button { "Send me a link" }
                p.below { a href="/sign-in" { "Back to the sign-in" } }
            }
        },
    )
}

/// What the form sends.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    email: String,
}

/// `POST /reset`: the answer is the same whoever asks for whom.
pub(crate) async fn ask(State(app): WebApp, visit: Visit, Form(sent): Form<Wanted>) -> Result<Markup, Problem> {
    let client = visit.client()?;
    let mut keys = vec![(RESET_ACCOUNT, Key::account(&sent.email))];
    keys.extend(RESET_ADDRESS.map(|(rule, width)| (rule, Key::network(client.ip, width))));
    // Not given back: each is a message in somebody's mailbox.
    drop(granted(&app, app.limits.reserve(&keys).await?)?);
    let request = app.auth.request_reset(&sent.email, &client).await?;
    app.seal_soon();
    if let Some(mail) = request.into_mail() {
        app.outbox.send(Message {
            at: Utc::now(),
            to: sent.email.trim().to_owned(),
            subject: "A new password".to_owned(),
            text: "Somebody, perhaps you, asked for a new password. The link works once, for half an hour. If it was not you, do nothing.".to_owned(),
            link: Some(format!("/reset/password?token={}", mail.token.expose().as_str())),
        });
    }
    Ok(notice(
        "Look into your mailbox",
        "If there is an account of this name, a message with a link is on its way. This example sends no mail: the platform's operators find the message in their outbox.",
    ))
}

/// The link's token. The page has no other resource to send a `Referer` to, and the policy of referrers keeps it in the site.
#[derive(Deserialize)]
pub(crate) struct Link {
    #[serde(default)]
    token: String,
}

/// `GET /reset/password`
pub(crate) async fn password_form(Query(link): Query<Link>) -> Markup {
    password_page(&link.token, None)
}

/// What the form sends.
#[derive(Deserialize)]
pub(crate) struct NewPassword {
    token: String,
    password: SecretString,
}

/// `POST /reset/password`
pub(crate) async fn password(
    State(app): WebApp,
    visit: Visit,
    Form(sent): Form<NewPassword>,
) -> Result<Response, Problem> {
    let Ok(token) = sent.token.parse::<ResetToken>() else { return Ok(over()) };
    let outcome = app.auth.redeem_reset(&token, sent.password, &visit.client()?).await?;
    app.seal_soon();
    Ok(match outcome {
        Redemption::Changed(_) => {
            visit.sign_out().await?;
            notice(
                "The password is changed",
                "Every session has ended. Sign in with the new password, and with a code if you have a second factor.",
            )
            .into_response()
        }
        Redemption::Refused(problem) => {
            let complaint = format!("The new password will not do: {problem}.");
            (StatusCode::UNPROCESSABLE_ENTITY, password_page(&sent.token, Some(&complaint))).into_response()
        }
        Redemption::Ended => over(),
    })
}

fn over() -> Response {
    let page = notice("The link is over", "It was used already, or is older than half an hour. Ask for another one.");
    (StatusCode::GONE, page).into_response()
}

fn password_page(token: &str, complaint: Option<&str>) -> Markup {
    door(
        "New password",
        &html! {
            form.card method="post" action="/reset/password" {
                h1 { "A new password" }
                @if let Some(complaint) = complaint { div.note.bad role="alert" { p { (complaint) } } }
                input type="hidden" name="token" value=(token);
                div.field {
                    label for="password" { "New password" }
                    input id="password" name="password" type="password" autocomplete="new-password" minlength="8" required autofocus;
                    p.hint { "At least 8 characters, of any kind." }
                }
                button { "Set it" }
            }
        },
    )
}

fn notice(title: &str, text: &str) -> Markup {
    door(title, &html! { div.card { h1 { (title) } p { (text) } p { a href="/sign-in" { "To the sign-in" } } } })
}
