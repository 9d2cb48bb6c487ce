//! Coming in by an invitation.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use maud::{Markup, html};
use secrecy::SecretString;
use serde::Deserialize;
use stockade::{
    audit_chain::Actor,
    bridge,
    ratelimit::{Decision, Key},
    rbac::postgres::{Email, invited_to},
    session::{ErrorKind, NewAccount, tower::Visit},
    tenant_guard::{Principal, TenantId},
};
use uuid::Uuid;

use super::{Form, Query, WebApp, layout::door, problem::Problem};
use crate::{app::App, domain::membership, limits::CODE_ADDRESS};

/// The link's token.
#[derive(Deserialize)]
pub(crate) struct Link {
    #[serde(default)]
    token: String,
}

/// `GET /invitations/accept`
pub(crate) async fn form(Query(link): Query<Link>) -> Markup {
    page(&link.token, None)
}

/// What the form sends.
#[derive(Deserialize)]
pub(crate) struct Newcomer {
    token: SecretString,
    email: String,
    name: String,
    password: SecretString,
}

/// `POST /invitations/accept`: a membership with the invited role, and an account to sign in with.
pub(crate) async fn accept(State(app): WebApp, visit: Visit, Form(sent): Form<Newcomer>) -> Result<Response, Problem> {
    let decision: Decision = app.limits.check(&[(CODE_ADDRESS, Key::ip(visit.client()?.ip))]).await?;
    if !decision.allowed {
        return Err(Problem::TooMany { retry_after: decision.retry_after_secs() });
    }
    match join(&app, &sent).await? {
        Ok(()) => Ok(Redirect::to("/sign-in").into_response()),
        Err(complaint) => {
            let page = page(secrecy::ExposeSecret::expose_secret(&sent.token), Some(&complaint));
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

/// The invitation is tried before the account is made and used up after it: whoever has no account could not come in, and an account
/// without a membership may do nothing.
async fn join(app: &App, sent: &Newcomer) -> Result<Result<(), String>, Problem> {
    let name = sent.name.trim();
    let (Ok(tenant), Ok(email)) = (invited_to(&sent.token), sent.email.parse::<Email>()) else {
        return Ok(Err("This is not the link of an invitation, or not an e-mail address.".to_owned()));
    };
    if name.is_empty() || name.chars().count() > 80 {
        return Ok(Err("Give your name, in at most 80 characters.".to_owned()));
    }
    let person = Uuid::now_v7();
    let principal = Principal::new(TenantId::new(tenant.as_uuid()), stockade::tenant_guard::Actor::new(person));
    let mut tx = app.tenants.begin(principal.clone()).await?;
    let tried = app.members.accept(&mut tx, &sent.token, person, &email).await?;
    tx.rollback().await?;
    if let Err(refused) = tried {
        return Ok(Err(membership::sentence(&refused)));
    }
    let account = NewAccount { user: person.into(), tenant: tenant.as_uuid().into(), identifier: email.as_str() };
    match app.auth.accounts().create(account, sent.password.clone()).await {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::Conflict => {
            return Ok(Err("There is an account with this address already.".to_owned()));
        }
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            return Ok(Err(format!("Choose another password: {error}.")));
        }
        Err(error) => return Err(error.into()),
    }
    let mut tx = app.tenants.begin(principal).await?;
    sqlx::query("INSERT INTO freight.users (tenant_id, id, name, email) VALUES ($1, $2, $3, $4)")
        .bind(tenant.as_uuid())
        .bind(person)
        .bind(name)
        .bind(email.as_str())
        .execute(&mut tx)
        .await?;
    let changed = match app.members.accept(&mut tx, &sent.token, person, &email).await? {
        Ok(changed) => changed,
        Err(refused) => {
            tx.rollback().await?;
            return Ok(Err(membership::sentence(&refused)));
        }
    };
    let entry = bridge::member_entry(&changed, Actor::user(person).named(name));
    stockade::audit_chain::postgres::record(&mut tx, &entry).await?;
    tx.commit().await?;
    app.seal_soon();
    Ok(Ok(()))
}

fn page(token: &str, complaint: Option<&str>) -> Markup {
    door(
        "Invitation",
        &html! {
            form.card method="post" action="/invitations/accept" {
                h1 { "You are invited" }
                @if let Some(complaint) = complaint { div.note.bad role="alert" { p { (complaint) } } }
                input type="hidden" name="token" value=(token);
                div.field { label for="email" { "E-mail that the invitation was sent to" } input id="email" name="email" type="email" autocomplete="username" required autofocus; }
                div.field { label for="name" { "Your name" } input id="name" name="name" autocomplete="name" required maxlength="80"; }
                div.field { label for="password" { "A new password" } input id="password" name="password" type="password" autocomplete="new-password" required; }
                button { "Come in" }
            }
        },
    )
}
