//! One person: roles, exceptions, place of work, and the end of all of it.

use axum::{
    extract::{Path, State},
    response::Redirect,
};
use maud::{Markup, html};
use serde::Deserialize;
use stockade::rbac::{
    Override, Permission, Reason, Resource, Scope,
    postgres::{Changed, ExceptionKind, Refused},
};
use uuid::Uuid;

use super::{
    PAGE,
    cards::{choice, ends, exceptions, roles},
    status,
};
use crate::{
    app::App,
    desk::{Desk, Look},
    domain::{membership, people, review::MOST},
    permissions::Perm,
    web::{
        Form, SignedIn, WebApp,
        layout::{Place, page},
        problem::Problem,
    },
};

/// Every office, and whether the person works there.
const OFFICES: &str = "
SELECT o.id, o.name, EXISTS (SELECT 1 FROM stockade.rbac_office_member m WHERE m.tenant_id = o.tenant_id AND m.office_id = o.id AND m.user_id = $1)
FROM freight.offices o ORDER BY o.name";
/// Every team, and whether the person is in it.
const TEAMS: &str = "
SELECT t.id, t.name, EXISTS (SELECT 1 FROM stockade.rbac_team_member m WHERE m.tenant_id = t.tenant_id AND m.team_id = t.id AND m.user_id = $1)
FROM freight.teams t ORDER BY t.name";

/// `GET /administration/people/{id}`
pub(crate) async fn show(State(app): WebApp, mut look: Look, Path(id): Path<Uuid>) -> Result<Markup, Problem> {
    look.require(Perm::PeopleView, &Resource::in_tenant(look.user.tenant_id), ("user", id))?;
    let person = people::find(&mut look.tx, id).await?.ok_or(Problem::NotFound)?;
    let members = app.members.list(&mut look.tx, None, MOST).await?;
    let standing = members.into_iter().find(|member| member.user.as_uuid() == id).map(|member| member.standing);
    let may = look.may(Perm::PeopleManage, &Resource::in_tenant(look.user.tenant_id));
    let offices: Vec<(Uuid, String, bool)> = sqlx::query_as(OFFICES).bind(id).fetch_all(&mut look.tx).await?;
    let teams: Vec<(Uuid, String, bool)> = sqlx::query_as(TEAMS).bind(id).fetch_all(&mut look.tx).await?;
    let user = look.close().await?;
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
    Ok(page(&user, Place::People, &person.name, &person.email, &content))
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
        Ok(desk.members(&app.members).assign(id, &form.role, reason, until).await?)
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
        Ok(desk.members(&app.members).revoke(id, &form.role, reason).await?)
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
        Ok(desk.members(&app.members).except(id, &exception).await?)
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
        Ok(desk.members(&app.members).lift(id, permission, kind, reason).await?)
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
        Ok(desk.members(&app.members).suspend(id, reason).await?)
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
        Ok(desk.members(&app.members).reinstate(id, reason).await?)
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
        Ok(desk.members(&app.members).remove(id, reason).await?)
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
