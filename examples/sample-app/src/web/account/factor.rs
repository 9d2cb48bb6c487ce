//! The second factor of one's account, and the recovery codes for when it is lost.

use axum::{extract::State, response::Redirect};
use maud::{Markup, html};
use stockade::session::{Assurance, store::TotpState, tower::Visit};

use super::{frame, proven};
use crate::web::{SignedIn, WebApp, problem::Problem};

/// `GET /account/second-factor`
pub(crate) async fn show(State(app): WebApp, visitor: SignedIn) -> Result<Markup, Problem> {
    let user = visitor.session.user;
    let account = app.auth.accounts().find(user).await?.ok_or(Problem::NotFound)?;
    let left = app.auth.recovery_codes_left(user).await?;
    let required = app.auth.tenant_policy(visitor.session.tenant).await?.mfa.begins().is_some();
    let content = html! {
        @if account.totp == Some(TotpState::Active) {
            @if left == 0 { div.note.warn { p { "You have no recovery code. Without one, a lost telephone locks you out until an administrator helps." } } }
            div.grid {
                div.card {
                    h2 { "Authenticator app" }
                    p { span.badge.good { "on" } " A code is asked for at every sign-in." }
                    form method="post" action="/account/second-factor/remove" { button.quiet { "Remove it" } }
                    @if required { p.muted { "Your company demands one: whoever removes it sets up another at the next sign-in." } }
                    @else { p.muted { "Every session of yours ends with it." } }
                }
                form.card method="post" action="/account/second-factor/recovery" {
                    h2 { "Recovery codes" }
                    p { (left) " left. Each opens the account once in place of the app." }
                    button { "Make ten new ones" }
                    p.muted { "Those you have become void." }
                }
            }
        } @else {
            div.card {
                h2 { "Authenticator app" }
                p { span.badge { "off" } " Your password alone opens your account." }
                a.button href="/enrol" { "Set it up" }
            }
        }
    };
    Ok(frame(
        &visitor.user,
        "second-factor",
        "Second factor",
        "What somebody who has your password still lacks.",
        &content,
    ))
}

/// `POST /account/second-factor/recovery`: the only page that ever shows them.
pub(crate) async fn recovery(State(app): WebApp, visitor: SignedIn) -> Result<Markup, Problem> {
    let fresh = proven(&app, &visitor.session, "second-factor")?;
    let codes = app.auth.issue_recovery_codes(&fresh).await?;
    app.seal_soon();
    let content = html! {
        div.note.warn { p { "They are shown once, now. Print this page or write them down, and keep them apart from your telephone." } }
        div.card {
            h2 { "Recovery codes of " (visitor.user.email) }
            ol.codes { @for code in codes.expose() { li { code { (code.as_str()) } } } }
        }
        a.button href="/account/second-factor" { "I have them" }
    };
    Ok(frame(
        &visitor.user,
        "second-factor",
        "Recovery codes",
        "Each opens your account once, together with your password.",
        &content,
    ))
}

/// `POST /account/second-factor/remove`: every session ends, so the way leads to the door.
pub(crate) async fn remove(State(app): WebApp, visit: Visit, visitor: SignedIn) -> Result<Redirect, Problem> {
    let fresh = proven(&app, &visitor.session, "second-factor")?;
    app.auth.remove_totp(&fresh).await?;
    visit.sign_out().await?;
    app.seal_soon();
    Ok(Redirect::to("/sign-in"))
}

/// How somebody signed in, for a table.
pub(super) fn by(assurance: Assurance) -> &'static str {
    match assurance {
        Assurance::Password => "password",
        _ => "password and code",
    }
}
