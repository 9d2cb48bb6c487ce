//! API tokens: made for a program, shown once, never more than their owner may.

use std::time::Duration;

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use chrono::Utc;
use http::{HeaderMap, StatusCode, header};
use maud::{Markup, html};
use serde::Deserialize;
use stockade::{
    rbac::{Permission, Scope},
    session::{ApiToken, IssuedApiToken, NewApiToken, TokenLife},
};
use uuid::Uuid;

use super::{frame, proven};
use crate::{
    app::App,
    permissions::Perm,
    web::{Form, SignedIn, WebApp, problem::Problem},
};

/// What a token of this application can be for.
const SCOPES: [Perm; 3] = [Perm::LoadView, Perm::AccountView, Perm::LedgerView];
/// How long the old token works after a rotation.
const OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// `GET /account/tokens`
pub(crate) async fn list(State(app): WebApp, visitor: SignedIn) -> Result<Markup, Problem> {
    render(&app, &visitor, None).await
}

/// What the form sends: a box that is not ticked is not sent.
#[derive(Deserialize)]
pub(crate) struct Draft {
    name: String,
    days: u16,
    #[serde(default, rename = "load.view")]
    loads: Option<String>,
    #[serde(default, rename = "account.view")]
    accounts: Option<String>,
    #[serde(default, rename = "ledger.view")]
    ledger: Option<String>,
}

impl Draft {
    /// The token that is wanted, with no scope that its owner has not.
    fn read(&self, visitor: &SignedIn) -> Option<NewApiToken> {
        let name = self.name.trim();
        let ticked = [&self.loads, &self.accounts, &self.ledger];
        let wanted = SCOPES.into_iter().zip(ticked).filter(|(_, ticked)| ticked.is_some()).map(|(scope, _)| scope);
        let scopes: Vec<_> = wanted.filter(|scope| visitor.actor.scope(*scope) != Scope::None).map(Perm::key).collect();
        let sound = (1..=60).contains(&name.chars().count()) && (1..=365).contains(&self.days) && !scopes.is_empty();
        let life = TokenLife::For(Duration::from_secs(u64::from(self.days) * 86_400));
        sound.then(|| NewApiToken::new(visitor.session.user, name, scopes).life(life))
    }
}

/// `POST /account/tokens`
pub(crate) async fn create(
    State(app): WebApp,
    visitor: SignedIn,
    headers: HeaderMap,
    Form(draft): Form<Draft>,
) -> Result<Response, Problem> {
    proven(&app, &visitor.session, "tokens")?;
    let Some(new) = draft.read(&visitor) else {
        let complaint = html! { div.note.warn role="alert" { p { "Give it a name of at most 60 characters, between 1 and 365 days, and something that it is for." } } };
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, render(&app, &visitor, Some(complaint)).await?).into_response());
    };
    let issued = app.auth.api_tokens().create(new).await?;
    shown(&app, &visitor, issued, &headers).await
}

/// `POST /account/tokens/{id}/rotate`: a successor, and a day for the old one.
pub(crate) async fn rotate(
    State(app): WebApp,
    visitor: SignedIn,
    headers: HeaderMap,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    proven(&app, &visitor.session, "tokens")?;
    let rotated = app.auth.api_tokens().rotate(visitor.session.user, id.into(), TokenLife::default(), OVERLAP).await?;
    shown(&app, &visitor, rotated.ok_or(Problem::NotFound)?, &headers).await
}

/// `POST /account/tokens/{id}/revoke`
pub(crate) async fn revoke(State(app): WebApp, visitor: SignedIn, Path(id): Path<Uuid>) -> Result<Redirect, Problem> {
    if !app.auth.api_tokens().revoke(visitor.session.user, id.into()).await? {
        return Err(Problem::NotFound);
    }
    app.seal_soon();
    Ok(Redirect::to("/account/tokens"))
}

async fn shown(
    app: &App,
    visitor: &SignedIn,
    issued: IssuedApiToken,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    app.seal_soon();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1:8080");
    let (name, text) = (issued.token().name.clone(), issued.reveal());
    let note = html! {
        div.note.good role="status" {
            p { strong { (name) } " is made. It is shown once, now:" }
            p.mono.long { (text.as_str()) }
        }
        div.card {
            h2 { "Try it" }
            pre { "curl -H 'Authorization: Bearer " (text.as_str()) "' http://" (host) "/api/loads" }
        }
    };
    Ok(render(app, visitor, Some(note)).await?.into_response())
}

async fn render(app: &App, visitor: &SignedIn, note: Option<Markup>) -> Result<Markup, Problem> {
    let tokens = app.auth.api_tokens().list(visitor.session.user).await?;
    let may = |scope: &&Perm| visitor.actor.scope(**scope) != Scope::None;
    let content = html! {
        @if let Some(note) = note { (note) }
        @if !tokens.is_empty() {
            div.card.flush { div.scroll { table.stack {
                thead { tr { th { "Token" } th { "For" } th { "Ends" } th { "Last used" } th { span.unseen { "Actions" } } } }
                tbody { @for token in &tokens { (row(token)) } }
            } } }
        } @else { p.muted { "No program has a token of yours." } }
        form.card method="post" action="/account/tokens" autocomplete="off" {
            h2 { "A new token" }
            div.row {
                div.field { label for="name" { "What uses it" } input id="name" name="name" required maxlength="60"; }
                div.field { label for="days" { "Days until it ends" } input id="days" name="days" type="number" min="1" max="365" value="90" required; }
            }
            fieldset.below {
                legend { "What it is for" }
                @for scope in SCOPES.iter().filter(may) {
                    label.tick { input type="checkbox" name=(scope.key()) checked[*scope == Perm::LoadView]; code { (scope.key()) } }
                }
            }
            button { "Make it" }
            p.muted { "It may do what you may do at that moment, and of that only what it is for. When you lose a permission, it does." }
        }
    };
    Ok(frame(&visitor.user, "tokens", "API tokens", "For programs that work in your name.", &content))
}

fn row(token: &ApiToken) -> Markup {
    let over = token.expires_at.is_some_and(|end| end <= Utc::now());
    html! {
        tr {
            td { (token.name) small.mono { (token.id) } }
            td data-label="For" { @for scope in &token.scopes { code { (scope) } " " } }
            td.nowrap data-label="Ends" {
                @match token.expires_at {
                    Some(end) => (end.format("%Y-%m-%d")),
                    None => "never",
                }
                @if over { small { "is over" } } @else if token.rotated_to.is_some() { small { "replaced" } }
            }
            td.nowrap data-label="Last used" {
                @match (token.last_used_at, token.last_used_ip) {
                    (Some(at), Some(ip)) => { (at.format("%Y-%m-%d %H:%M")) small { (ip) } }
                    _ => { span.muted { "never" } }
                }
            }
            td.nowrap {
                @if !over && token.rotated_to.is_none() {
                    form.inline method="post" action={ "/account/tokens/" (token.id) "/rotate" } { button.quiet.small { "Rotate" } } " "
                }
                form.inline method="post" action={ "/account/tokens/" (token.id) "/revoke" } { button.quiet.small { "Revoke" } }
            }
        }
    }
}
