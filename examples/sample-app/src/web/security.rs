//! Administration of sign-ins: whether a second factor is demanded, and ending other people's sessions.

use axum::{
    extract::{Path, State},
    response::Redirect,
};
use maud::{Markup, html};
use serde::Deserialize;
use stockade::{
    rbac::{Permission, Resource},
    session::{MfaRule, TenantPolicy, UserId, store::TotpState},
};
use uuid::Uuid;

use super::{
    Form, SignedIn, WebApp,
    layout::{Place, page},
    problem::Problem,
};
use crate::{
    app::App,
    domain::people::{self, User},
    permissions::Perm,
};

/// `GET /administration/sign-in`
pub(crate) async fn show(State(app): WebApp, visitor: SignedIn) -> Result<Markup, Problem> {
    let mut desk = app.desk(&visitor).await?;
    let people = people::all(&mut desk.tx).await?;
    let may_demand = desk.may(Perm::SignInPolicy, &Resource::in_tenant(desk.user.tenant_id));
    desk.commit(&app).await?;
    let required = app.auth.tenant_policy(visitor.session.tenant).await?.mfa != MfaRule::Optional;
    let mut rows = Vec::new();
    for person in &people {
        let user = UserId::from(person.id);
        let factor = app.auth.accounts().find(user).await?.and_then(|account| account.totp) == Some(TotpState::Active);
        rows.push((person, factor, app.auth.sessions(user).await?.len()));
    }
    let without = rows.iter().filter(|(_, factor, _)| !factor).count();
    let content = html! {
        div.grid {
            form.card method="post" action="/administration/sign-in/policy" {
                h2 { "Second factor" }
                @if required { p { span.badge.good { "demanded" } " of everybody, since the moment it was switched on." } }
                @else { p { span.badge.warn { "optional" } " " (without) " of " (rows.len()) " people have none." } }
                @if may_demand {
                    @if required { input type="hidden" name="mfa" value="optional"; button.quiet { "Make it optional" } }
                    @else { input type="hidden" name="mfa" value="required"; button { "Demand it" } }
                    p.muted { "It holds with everybody's next request: whoever has none sets one up before anything else." }
                } @else { p.muted { "An owner decides." } }
            }
            form.card method="post" action="/administration/sign-in/end-all" {
                h2 { "In an emergency" }
                p { "Ends every session of everybody in " (visitor.user.tenant_name) ", yours too, at once." }
                button.bad { "End all sessions" }
            }
        }
        div.card.flush { div.scroll { table.stack {
            thead { tr { th { "Name" } th { "Second factor" } th.num { "Sessions" } th { span.unseen { "Actions" } } } }
            tbody { @for (person, factor, sessions) in &rows { tr {
                td { (person.name) small { (person.email) } }
                td data-label="Second factor" { @if *factor { span.badge.good { "on" } } @else { span.badge { "off" } } }
                td.num data-label="Sessions" { (sessions) }
                td.nowrap {
                    form.inline method="post" action={ "/administration/sign-in/people/" (person.id) "/end" } { button.quiet.small disabled[*sessions == 0] { "End sessions" } }
                    @if *factor && may_demand && person.id != visitor.user.id {
                        " " form.inline method="post" action={ "/administration/sign-in/people/" (person.id) "/remove-factor" } { button.quiet.small { "Remove factor" } }
                    }
                }
            } } }
        } } }
        p.muted { "Remove the factor of a person who lost it and every recovery code, after you made sure in another way who it is. It is a warning in the audit log." }
    };
    Ok(page(&visitor.user, Place::SignIns, "Sign-in and sessions", "Who is signed in, and what it takes.", &content))
}

/// What the form sends.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    mfa: String,
}

/// `POST /administration/sign-in/policy`
pub(crate) async fn policy(
    State(app): WebApp,
    visitor: SignedIn,
    Form(sent): Form<Wanted>,
) -> Result<Redirect, Problem> {
    let mfa = match sent.mfa.as_str() {
        "required" => MfaRule::Required,
        "optional" => MfaRule::Optional,
        _ => return Err(Problem::Malformed),
    };
    permitted(&app, &visitor, Perm::SignInPolicy, ("tenant", visitor.user.tenant_id)).await?;
    let policy = TenantPolicy { mfa, ..app.auth.tenant_policy(visitor.session.tenant).await? };
    app.auth.replace_tenant_policy(visitor.session.tenant, policy).await?;
    app.seal_soon();
    Ok(Redirect::to("/administration/sign-in"))
}

/// `POST /administration/sign-in/end-all`
pub(crate) async fn end_all(State(app): WebApp, visitor: SignedIn) -> Result<Redirect, Problem> {
    permitted(&app, &visitor, Perm::SessionRevoke, ("tenant", visitor.user.tenant_id)).await?;
    app.auth.revoke_all(visitor.session.tenant).await?;
    app.seal_soon();
    Ok(Redirect::to("/sign-in"))
}

/// `POST /administration/sign-in/people/{id}/end`
pub(crate) async fn end(State(app): WebApp, visitor: SignedIn, Path(id): Path<Uuid>) -> Result<Redirect, Problem> {
    let person = colleague(&app, &visitor, id).await?;
    permitted(&app, &visitor, Perm::SessionRevoke, ("user", person.id)).await?;
    app.auth.revoke_all(UserId::from(person.id)).await?;
    app.seal_soon();
    Ok(Redirect::to("/administration/sign-in"))
}

/// `POST /administration/sign-in/people/{id}/remove-factor`
pub(crate) async fn remove_factor(
    State(app): WebApp,
    visitor: SignedIn,
    Path(id): Path<Uuid>,
) -> Result<Redirect, Problem> {
    let person = colleague(&app, &visitor, id).await?;
    if person.id == visitor.user.id {
        return Err(Problem::Refused("Remove your own factor from your account, with a code.".to_owned()));
    }
    permitted(&app, &visitor, Perm::SignInPolicy, ("user", person.id)).await?;
    app.auth.accounts().remove_totp(person.id.into(), visitor.session.user).await?;
    app.seal_soon();
    Ok(Redirect::to("/administration/sign-in"))
}

/// A person of the same tenant. One of another tenant is not found.
async fn colleague(app: &App, visitor: &SignedIn, id: Uuid) -> Result<User, Problem> {
    let mut desk = app.desk(visitor).await?;
    let person = people::find(&mut desk.tx, id).await?;
    desk.commit(app).await?;
    person.ok_or(Problem::NotFound)
}

/// Asks the policy and records the answer. The desk is closed before the session's store is asked: on the embedded engine there is
/// one connection.
async fn permitted(app: &App, visitor: &SignedIn, permission: Perm, (kind, id): (&str, Uuid)) -> Result<(), Problem> {
    let mut desk = app.desk(visitor).await?;
    desk.require(permission, &Resource::in_tenant(desk.user.tenant_id), (kind, id))?;
    let entry = desk.entry(permission.key()).entity(kind, id.to_string());
    desk.record(&entry).await?;
    Ok(desk.commit(app).await?)
}
