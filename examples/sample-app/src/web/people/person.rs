//! One person: roles, exceptions, place of work, and the end of all of it.

use axum::{
    extract::{Path, State},
    response::Redirect,
};
use maud::{Markup, html};
use serde::Deserialize;
use stockade::rbac::{
    Override, Permission, Reason, Resource, Scope,
    postgres::{Changed, ExceptionKind, HeldOverride, Refused, Standing, Status},
};
use uuid::Uuid;

use super::{MOST, PAGE, held_role, role_select, status};
use crate::{
    app::App,
    authority::Viewer,
    desk::Desk,
    domain::{membership, people},
    permissions::Perm,
    web::{
        Form, SignedIn, WebApp,
        layout::{Place, page},
        problem::Problem,
    },
};

/// `GET /administration/people/{id}`
pub(crate) async fn show(State(app): WebApp, viewer: Viewer, Path(id): Path<Uuid>) -> Result<Markup, Problem> {
    let mut look = app.look(&viewer).await?;
    look.require(&app, Perm::PeopleView, &Resource::in_tenant(viewer.user.tenant_id), ("user", id))?;
    let person = people::find(&mut look.tx, id).await?.ok_or(Problem::NotFound)?;
    let members = app.members.list(&mut look.tx, None, MOST).await?;
    let standing = members.into_iter().find(|member| member.user.as_uuid() == id).map(|member| member.standing);
    let may = look.may(Perm::PeopleManage, &Resource::in_tenant(viewer.user.tenant_id));
    let offices: Vec<(Uuid, String)> =
        sqlx::query_as("SELECT id, name FROM freight.offices ORDER BY name").fetch_all(&mut look.tx).await?;
    let teams: Vec<(Uuid, String)> =
        sqlx::query_as("SELECT id, name FROM freight.teams ORDER BY name").fetch_all(&mut look.tx).await?;
    look.close().await?;
    let standing = standing.unwrap_or_default();
    let base = format!("{PAGE}/{id}");
    let content = html! {
        p { (status(standing.status)) " " a href=(PAGE) { "Everybody" } }
        (roles(&app, &base, &standing, may))
        (exceptions(&base, &standing, may))
        @if may {
            form.card method="post" action={ (base) "/place" } {
                h2 { "Works in" }
                div.row {
                    div.field { label for="office" { "Office" } (choice("office", &offices)) }
                    div.field { label for="team" { "Team" } (choice("team", &teams)) }
                    div.field { button.quiet { "Move" } }
                }
            }
            (ends(&base, &standing))
        }
    };
    Ok(page(&viewer.user, Place::People, &person.name, &person.email, &content))
}

/// A role that is given or taken.
#[derive(Deserialize)]
pub(crate) struct RoleForm {
    role: String,
    reason: String,
    #[serde(default)]
    until: String,
}

/// `POST /administration/people/{id}/roles`
pub(crate) async fn assign(
    app: WebApp,
    visitor: SignedIn,
    id: Path<Uuid>,
    Form(form): Form<RoleForm>,
) -> Result<Redirect, Problem> {
    let until = match form.until.trim() {
        "" => None,
        day => Some(membership::end_of(day).ok_or(Problem::Malformed)?),
    };
    change(app, visitor, id, "role.assign", &form.reason, async |app, desk, id, reason| {
        let actor = desk.actor.clone();
        Ok(app.members.by(actor.direct()?, &mut desk.tx).assign(id, &form.role, reason, until).await?)
    })
    .await
}

/// `POST /administration/people/{id}/roles/revoke`
pub(crate) async fn revoke(
    app: WebApp,
    visitor: SignedIn,
    id: Path<Uuid>,
    Form(form): Form<RoleForm>,
) -> Result<Redirect, Problem> {
    change(app, visitor, id, "role.revoke", &form.reason, async |app, desk, id, reason| {
        let actor = desk.actor.clone();
        Ok(app.members.by(actor.direct()?, &mut desk.tx).revoke(id, &form.role, reason).await?)
    })
    .await
}

/// An exception that is made or ended.
#[derive(Deserialize)]
pub(crate) struct ExceptionForm {
    permission: String,
    effect: String,
    reason: String,
    #[serde(default)]
    until: String,
}

/// `POST /administration/people/{id}/overrides`
pub(crate) async fn except(
    app: WebApp,
    visitor: SignedIn,
    id: Path<Uuid>,
    Form(form): Form<ExceptionForm>,
) -> Result<Redirect, Problem> {
    let permission = Perm::from_key(&form.permission).ok_or(Problem::Malformed)?;
    let until = membership::end_of(&form.until);
    let scope =
        [Scope::Own, Scope::Team, Scope::Office, Scope::Tenant].into_iter().find(|scope| scope.name() == form.effect);
    let reason = membership::reason(&form.reason).ok_or(Problem::Malformed)?;
    let exception = match (scope, until) {
        (Some(scope), Some(until)) => {
            Override::allow(permission, scope, reason, until).map_err(|_| Problem::Malformed)?
        }
        (None, Some(until)) if form.effect == "deny" => Override::deny_until(permission, reason, until),
        (None, None) if form.effect == "deny" && form.until.trim().is_empty() => Override::deny(permission, reason),
        _ => {
            return Err(Problem::Refused(
                "An exception that allows something needs a day on which it ends.".to_owned(),
            ));
        }
    };
    change(app, visitor, id, "override.set", &form.reason, async |app, desk, id, _| {
        let actor = desk.actor.clone();
        Ok(app.members.by(actor.direct()?, &mut desk.tx).except(id, &exception).await?)
    })
    .await
}

/// `POST /administration/people/{id}/overrides/lift`
pub(crate) async fn lift(
    app: WebApp,
    visitor: SignedIn,
    id: Path<Uuid>,
    Form(form): Form<ExceptionForm>,
) -> Result<Redirect, Problem> {
    let permission = Perm::from_key(&form.permission).ok_or(Problem::Malformed)?;
    let kind = if form.effect == "deny" { ExceptionKind::Deny } else { ExceptionKind::Allow };
    change(app, visitor, id, "override.lift", &form.reason, async |app, desk, id, reason| {
        let actor = desk.actor.clone();
        Ok(app.members.by(actor.direct()?, &mut desk.tx).lift(id, permission, kind, reason).await?)
    })
    .await
}

/// Why somebody is suspended, comes back or leaves.
#[derive(Deserialize)]
pub(crate) struct Because {
    reason: String,
}

/// `POST /administration/people/{id}/suspend`
pub(crate) async fn suspend(
    app: WebApp,
    visitor: SignedIn,
    id: Path<Uuid>,
    Form(form): Form<Because>,
) -> Result<Redirect, Problem> {
    change(app, visitor, id, "member.suspend", &form.reason, async |app, desk, id, reason| {
        let actor = desk.actor.clone();
        Ok(app.members.by(actor.direct()?, &mut desk.tx).suspend(id, reason).await?)
    })
    .await
}

/// `POST /administration/people/{id}/reinstate`
pub(crate) async fn reinstate(
    app: WebApp,
    visitor: SignedIn,
    id: Path<Uuid>,
    Form(form): Form<Because>,
) -> Result<Redirect, Problem> {
    change(app, visitor, id, "member.reinstate", &form.reason, async |app, desk, id, reason| {
        let actor = desk.actor.clone();
        Ok(app.members.by(actor.direct()?, &mut desk.tx).reinstate(id, reason).await?)
    })
    .await
}

/// `POST /administration/people/{id}/remove`
pub(crate) async fn remove(
    app: WebApp,
    visitor: SignedIn,
    id: Path<Uuid>,
    Form(form): Form<Because>,
) -> Result<Redirect, Problem> {
    change(app, visitor, id, "member.remove", &form.reason, async |app, desk, id, reason| {
        let actor = desk.actor.clone();
        Ok(app.members.by(actor.direct()?, &mut desk.tx).remove(id, reason).await?)
    })
    .await
}

/// Where somebody works. Empty means nowhere.
#[derive(Deserialize)]
pub(crate) struct PlaceForm {
    office: String,
    team: String,
}

/// `POST /administration/people/{id}/place`
pub(crate) async fn place(
    State(app): WebApp,
    visitor: SignedIn,
    Path(id): Path<Uuid>,
    Form(form): Form<PlaceForm>,
) -> Result<Redirect, Problem> {
    let chosen = |text: &str| match text {
        "" => Ok(None),
        text => text.parse::<Uuid>().map(Some).map_err(|_| Problem::Malformed),
    };
    let (office, team) = (chosen(&form.office)?, chosen(&form.team)?);
    let mut desk = app.desk(&visitor).await?;
    let outcome = membership::move_to(&app, &mut desk, id, office, team).await?;
    desk.commit(&app).await?;
    outcome?;
    Ok(Redirect::to(&format!("{PAGE}/{id}")))
}

/// One change of one person, with a reason, an entry of the log, and a sentence if it is refused.
async fn change(
    State(app): WebApp,
    visitor: SignedIn,
    Path(id): Path<Uuid>,
    action: &str,
    reason: &str,
    make: impl AsyncFnOnce(&App, &mut Desk, Uuid, Reason) -> anyhow::Result<Result<Changed, Refused>>,
) -> Result<Redirect, Problem> {
    let reason = membership::reason(reason)
        .ok_or_else(|| Problem::Refused("Give a reason of one line, at most 200 characters.".to_owned()))?;
    let mut desk = app.desk(&visitor).await?;
    let answer = make(&app, &mut desk, id, reason).await?;
    let outcome = membership::kept(&mut desk, action, id, answer).await?;
    desk.commit(&app).await?;
    outcome?;
    Ok(Redirect::to(&format!("{PAGE}/{id}")))
}

fn roles(app: &App, base: &str, standing: &Standing, may: bool) -> Markup {
    html! {
        div.card {
            h2 { "Roles" }
            @for held in &standing.roles {
                div.row {
                    div.field { (held_role(held)) " " span.muted { "since " (held.granted_at.format("%Y-%m-%d")) ": " (held.reason.as_str()) } }
                    @if may {
                        form.row method="post" action={ (base) "/roles/revoke" } {
                            input type="hidden" name="role" value=(held.role);
                            div.field { input name="reason" aria-label={ "Why " (held.role) " is taken" } placeholder="Reason" required maxlength="200"; }
                            button.quiet.small { "Take" }
                        }
                    }
                }
            }
            @if standing.roles.is_empty() { p.muted { "None." } }
            @if may {
                form.below method="post" action={ (base) "/roles" } {
                    div.row {
                        div.field { label for="role" { "Give a role" } (role_select(app, "role")) }
                        div.field { label for="role-reason" { "Reason" } input id="role-reason" name="reason" required maxlength="200"; }
                        div.field { label for="role-until" { "Until (may stay empty)" } input id="role-until" name="until" type="date"; }
                        div.field { button { "Give" } }
                    }
                }
            }
        }
    }
}

fn exceptions(base: &str, standing: &Standing, may: bool) -> Markup {
    html! {
        div.card {
            h2 { "Exceptions" }
            @for held in &standing.overrides { (exception(base, held, may)) }
            @if standing.overrides.is_empty() { p.muted { "None. Roles alone say what this person may do." } }
            @if may {
                form.below method="post" action={ (base) "/overrides" } {
                    div.row {
                        div.field { label for="permission" { "Permission" } select id="permission" name="permission" {
                            @for permission in Perm::ALL { option { (permission.key()) } }
                        } }
                        div.field { label for="effect" { "Is" } select id="effect" name="effect" {
                            option value="deny" { "denied" }
                            option value="own" { "allowed on own rows" }
                            option value="team" { "allowed in the team" }
                            option value="office" { "allowed in the office" }
                            option value="tenant" { "allowed everywhere" }
                        } }
                        div.field { label for="override-reason" { "Reason" } input id="override-reason" name="reason" required maxlength="200"; }
                        div.field { label for="override-until" { "Until" } input id="override-until" name="until" type="date"; }
                        div.field { button { "Make an exception" } }
                    }
                    p.muted { "What is allowed ends on a day; a denial may be for good, and wins over every role." }
                }
            }
        }
    }
}

fn exception(base: &str, held: &HeldOverride, may: bool) -> Markup {
    let effect = held.scope.map_or("deny", Scope::name);
    html! {
        div.row {
            div.field {
                code { (held.permission) } " "
                @match held.scope { Some(scope) => span.badge.good { "allowed at " (scope) }, None => span.badge.bad { "denied" } }
                " " span.muted { @if let Some(until) = held.expires_at { "until " (until.format("%Y-%m-%d %H:%M UTC")) ": " } (held.reason.as_str()) }
            }
            @if may {
                form.row method="post" action={ (base) "/overrides/lift" } {
                    input type="hidden" name="permission" value=(held.permission);
                    input type="hidden" name="effect" value=(effect);
                    div.field { input name="reason" aria-label={ "Why the exception for " (held.permission) " ends" } placeholder="Reason" required maxlength="200"; }
                    button.quiet.small { "End" }
                }
            }
        }
    }
}

fn ends(base: &str, standing: &Standing) -> Markup {
    let suspended = standing.status == Some(Status::Suspended);
    let (action, name) = if suspended { ("reinstate", "Reinstate") } else { ("suspend", "Suspend") };
    html! {
        div.grid {
            @for (action, name, text) in [
                (action, name, if suspended { "Gives back what the person had." } else { "Takes everything until it is given back. Sessions stay, and may do nothing." }),
                ("remove", "Remove", "The person is no member any more."),
            ] {
                form.card method="post" action={ (base) "/" (action) } {
                    h2 { (name) }
                    p.muted { (text) }
                    div.row {
                        div.field { input name="reason" aria-label={ "Reason: " (name) } placeholder="Reason" required maxlength="200"; }
                        button.quiet { (name) }
                    }
                }
            }
        }
    }
}

fn choice(name: &str, all: &[(Uuid, String)]) -> Markup {
    html! {
        select id=(name) name=(name) {
            option value="" { "none" }
            @for (id, name) in all { option value=(id) { (name) } }
        }
    }
}
