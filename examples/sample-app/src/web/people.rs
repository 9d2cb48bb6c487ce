//! People: who belongs to the tenant, in which office and team, and who is invited.

mod cards;
mod person;

use std::collections::BTreeMap;

use axum::{
    extract::{Path, State},
    response::Redirect,
};
use chrono::{TimeDelta, Utc};
use maud::{Markup, html};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use stockade::{
    bridge,
    rbac::{
        Resource, Role,
        postgres::{Email, HeldRole, Invitation, Member, Refused, Status},
    },
};
use uuid::Uuid;

pub(crate) use self::person::{assign, except, lift, place, reinstate, remove, revoke, show as one, suspend};
use super::{
    Form, SignedIn, WebApp,
    layout::{Place, page},
    problem::Problem,
};
use crate::{
    app::App,
    desk::{Desk, Look, Reads},
    domain::{membership, people, review::MOST},
    permissions::Perm,
};

/// Where the list is.
const PAGE: &str = "/administration/people";
/// `GET /administration/people`
pub(crate) async fn list(State(app): WebApp, mut look: Look) -> Result<Markup, Problem> {
    look.require(Perm::PeopleView, &Resource::in_tenant(look.user.tenant_id), ("members", "tenant"))?;
    let page = render(&app, &mut look, &html! {}).await?;
    look.close().await?;
    Ok(page)
}

/// What the form of an invitation sends.
#[derive(Deserialize)]
pub(crate) struct Draft {
    email: String,
    role: String,
    reason: String,
}

/// `POST /administration/people/invitations`: the link is shown once.
pub(crate) async fn invite(State(app): WebApp, visitor: SignedIn, Form(draft): Form<Draft>) -> Result<Markup, Problem> {
    let mut desk = app.desk(&visitor).await?;
    let (Ok(email), Some(reason)) = (draft.email.parse::<Email>(), membership::reason(&draft.reason)) else {
        let note = html! { div.note.warn role="alert" { p { "Give an e-mail address, and a reason of at most 200 characters." } } };
        let page = render(&app, &mut desk, &note).await?;
        desk.commit(&app).await?;
        return Ok(page);
    };
    let until = Utc::now() + TimeDelta::days(7);
    let answer = desk.members(&app.members).invite(email, &draft.role, reason, until).await?;
    let page = match answer {
        Ok((invitation, token)) => {
            let entry = membership::told(&desk, |by| bridge::invitation_entry("invitation.send", &invitation, by));
            desk.record(&entry).await?;
            render(&app, &mut desk, &link(&invitation, &token)).await?
        }
        Err(refused) => {
            let refused =
                membership::denied(&mut desk, "invitation.send", ("invitation", Uuid::nil()), &refused).await?;
            desk.commit(&app).await?;
            return Err(refused.into());
        }
    };
    desk.commit(&app).await?;
    Ok(page)
}

/// `POST /administration/people/invitations/{id}/withdraw`
pub(crate) async fn withdraw(State(app): WebApp, visitor: SignedIn, Path(id): Path<Uuid>) -> Result<Redirect, Problem> {
    let mut desk = app.desk(&visitor).await?;
    let answer = desk.members(&app.members).withdraw(id).await?;
    let outcome = match answer {
        Ok(invitation) => {
            let entry = membership::told(&desk, |by| bridge::invitation_entry("invitation.withdraw", &invitation, by));
            desk.record(&entry).await?;
            Ok(())
        }
        Err(Refused::NoSuchInvitation) => Err(Problem::NotFound),
        Err(refused) => {
            let place = ("invitation", id);
            Err(membership::denied(&mut desk, "invitation.withdraw", place, &refused).await?.into())
        }
    };
    desk.commit(&app).await?;
    outcome.map(|()| Redirect::to(PAGE))
}

async fn render<W: Reads<Perm>>(app: &App, desk: &mut Desk<W>, answer: &Markup) -> Result<Markup, Problem> {
    let members = app.members.list(desk.tx(), None, MOST).await?;
    let invited = app.members.invitations(desk.tx(), None, MOST).await?;
    let people: BTreeMap<Uuid, people::User> =
        people::all(desk.tx()).await?.into_iter().map(|user| (user.id, user)).collect();
    let places = places(desk).await?;
    let may = desk.may(Perm::PeopleManage, &Resource::in_tenant(desk.user.tenant_id));
    let content = html! {
        (answer)
        div.card.flush { div.scroll { table.stack {
            thead { tr { th { "Name" } th { "Roles" } th { "Exceptions" } th { "Works in" } th { "Status" } } }
            tbody { @for member in &members { (row(member, &people, &places)) } }
        } } }
        (invitations(&invited, may))
        @if may { (form(app)) }
    };
    let lead =
        "Who belongs here, and with what. Nobody gives what they do not have, and nobody touches somebody above them.";
    Ok(page(&desk.user, Place::People, "People", lead, &content))
}

fn row(member: &Member, people: &BTreeMap<Uuid, people::User>, places: &BTreeMap<Uuid, String>) -> Markup {
    let id = member.user.as_uuid();
    html! {
        tr {
            td {
                a href={ (PAGE) "/" (id) } { (people.get(&id).map_or("(no name)", |user| user.name.as_str())) }
                small { (people.get(&id).map_or("", |user| user.email.as_str())) }
            }
            td data-label="Roles" { @for held in &member.standing.roles { (held_role(held)) " " } @if member.standing.roles.is_empty() { span.muted { "none" } } }
            td data-label="Exceptions" { @if member.standing.overrides.is_empty() { span.muted { "none" } } @else { (member.standing.overrides.len()) } }
            td data-label="Works in" { (places.get(&id).map_or("", String::as_str)) }
            td data-label="Status" { (status(member.standing.status)) }
        }
    }
}

fn held_role(held: &HeldRole) -> Markup {
    html! {
        span.badge { (held.role) @if let Some(until) = held.expires_at { " until " (membership::last_day(until)) } }
    }
}

fn status(status: Option<Status>) -> Markup {
    html! {
        @match status {
            Some(Status::Active) => span.badge.good { "active" },
            Some(Status::Suspended) => span.badge.warn { "suspended" },
            None => span.badge { "no member" },
        }
    }
}

fn invitations(invited: &[Invitation], may: bool) -> Markup {
    let now = Utc::now();
    html! {
        @if !invited.is_empty() {
            div.card.flush {
                h2 { "Invitations" }
                div.scroll { table.stack {
                    thead { tr { th { "For" } th { "Role" } th { "Until (UTC)" } th { span.unseen { "Actions" } } } }
                    tbody { @for one in invited { tr {
                        td { (one.email.as_str()) small { (one.reason.as_str()) } }
                        td { span.badge { (one.role) } }
                        td.nowrap { (one.expires_at.format("%Y-%m-%d %H:%M")) @if one.expires_at <= now { " " span.badge.warn { "over" } } }
                        td { @if may {
                            form.inline method="post" action={ (PAGE) "/invitations/" (one.id) "/withdraw" } { button.quiet.small { "Withdraw" } }
                        } }
                    } } }
                } }
            }
        }
    }
}

fn form(app: &App) -> Markup {
    html! {
        form.card method="post" action={ (PAGE) "/invitations" } {
            h2 { "Invite somebody" }
            div.row {
                div.field { label for="email" { "E-mail" } input id="email" name="email" type="email" required maxlength="254"; }
                div.field { label for="role" { "Role" } (role_select(app, "role")) }
                div.field { label for="reason" { "Reason" } input id="reason" name="reason" required maxlength="200"; }
                div.field { button { "Invite" } }
            }
            p.muted { "The link is valid once, for a week, for that address alone, and as long as you may give the role." }
        }
    }
}

/// The roles that can be given to somebody. Whether this person may give them is asked when they do.
fn role_select(app: &App, id: &str) -> Markup {
    let given = |role: &&Role<Perm>| role.is_assignable() && !role.is_staff();
    html! {
        select id=(id) name="role" required {
            @for role in app.policy.roles().iter().filter(given) { option value=(role.name()) { (role.title()) } }
        }
    }
}

fn link(invitation: &Invitation, token: &SecretString) -> Markup {
    html! {
        div.note.good role="status" {
            p { "Send this link to " strong { (invitation.email.as_str()) } ". It is shown once and stored nowhere." }
            p.mono.long { "/invitations/accept?token=" (token.expose_secret()) }
        }
    }
}

/// Where everybody works, in words.
async fn places<W: Reads<Perm>>(desk: &mut Desk<W>) -> sqlx::Result<BTreeMap<Uuid, String>> {
    let places: Vec<(Uuid, String)> = sqlx::query_as(
        "SELECT m.user_id, string_agg(m.name, ', ' ORDER BY m.name) FROM (
            SELECT o.user_id, f.name FROM stockade.rbac_office_member o JOIN freight.offices f ON f.tenant_id = o.tenant_id AND f.id = o.office_id
            UNION ALL
            SELECT t.user_id, f.name FROM stockade.rbac_team_member t JOIN freight.teams f ON f.tenant_id = t.tenant_id AND f.id = t.team_id
         ) m GROUP BY m.user_id",
    )
    .fetch_all(desk.tx())
    .await?;
    Ok(places.into_iter().collect())
}
