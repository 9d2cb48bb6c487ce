//! Integrations: services that the brokerage is connected to, each by a sealed token.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use maud::{Markup, html};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use stockade::field_crypto::Secret;
use uuid::Uuid;

use super::{
    Form, SignedIn, WebApp,
    drivers::masked,
    layout::{Place, page},
    problem::Problem,
};
use crate::{app::App, desk::Look, domain::integrations, permissions::Perm};

/// `GET /integrations`
pub(crate) async fn list(State(app): WebApp, look: Look) -> Result<Markup, Problem> {
    render(&app, look, None).await
}

/// What the form sends.
#[derive(Deserialize)]
pub(crate) struct Draft {
    name: String,
    token: SecretString,
}

/// `POST /integrations`
pub(crate) async fn connect(
    State(app): WebApp,
    visitor: SignedIn,
    Form(draft): Form<Draft>,
) -> Result<Response, Problem> {
    let keys = app.vault.tenant(Uuid::from(visitor.session.tenant).into()).await?;
    let (name, token) = (draft.name.trim(), draft.token.expose_secret().trim());
    if name.is_empty() || name.chars().count() > 60 || token.is_empty() || token.len() > 4_096 {
        let look = app.look(&visitor.into()).await?;
        let page = render(&app, look, Some("Give a name of at most 60 characters, and the token.")).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    let mut desk = app.desk(&visitor).await?;
    let outcome = integrations::connect(&mut desk, &keys, name, &Secret::new(token.to_owned())).await?;
    desk.commit(&app).await?;
    outcome.map_err(|refused| Problem::Refused(refused.to_string()))?;
    Ok(Redirect::to("/integrations").into_response())
}

async fn render(app: &App, mut look: Look, complaint: Option<&str>) -> Result<Markup, Problem> {
    let connected = integrations::all(&mut look.tx).await?;
    let may = look.may(Perm::IntegrationEdit, &look.resource());
    let user = look.close().await?;
    let keys = app.vault.tenant(user.tenant_id.into()).await?;
    let content = html! {
        @if let Some(complaint) = complaint { div.note.warn role="alert" { p { (complaint) } } }
        div.card.flush { div.scroll { table {
            thead { tr { th { "Service" } th { "OAuth token" } } }
            tbody { @for one in &connected { tr {
                td { (one.name) }
                td.mono.nowrap { (masked(one.masked_token(&keys))) }
            } } }
            @if connected.is_empty() { p.muted.padded { "No service is connected." } }
        } } }
        @if may {
            form.card method="post" action="/integrations" autocomplete="off" {
                div.row {
                    div.field { label for="name" { "Service" } input id="name" name="name" required maxlength="60"; }
                    div.field { label for="token" { "OAuth token" } input id="token" name="token" type="password" autocomplete="off" required; }
                    div.field { button { "Connect" } }
                }
                p.muted { "The token is stored sealed, and shown to nobody again." }
            }
        }
    };
    Ok(page(&user, Place::Integrations, "Integrations", "Services that act in your name.", &content))
}
