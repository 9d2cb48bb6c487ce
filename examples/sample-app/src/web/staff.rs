//! The platform's support: looking at a desk as one of its people, and what the tenant sees of it.

use std::{num::NonZeroU32, time::Duration};

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use serde::Deserialize;
use stockade::{
    audit_chain::{
        Severity,
        postgres::{Filter, search},
    },
    rbac::{Permission, Resource, Scope},
    session::{Impersonation, ImpersonationPolicy, ImpersonationStart, TenantId, UserId, tower::Visit},
};
use uuid::Uuid;

use super::{
    Form, SignedIn, WebApp,
    layout::{Place, page},
    problem::Problem,
};
use crate::{
    app::App,
    authority::Viewer,
    domain::people::{self, User},
    permissions::Perm,
};

const MOST: NonZeroU32 = NonZeroU32::new(100).unwrap();

/// `GET /staff`
pub(crate) async fn form(viewer: Viewer) -> Markup {
    render(&viewer.user, None)
}

/// As whom, why, and for how long.
#[derive(Deserialize)]
pub(crate) struct Wish {
    email: String,
    reason: String,
    minutes: u8,
}

/// `POST /staff/look`
pub(crate) async fn look(
    State(app): WebApp,
    visitor: SignedIn,
    visit: Visit,
    Form(wish): Form<Wish>,
) -> Result<Response, Problem> {
    let again = |text: &str| Ok(render(&visitor.user, Some(text)).into_response());
    let Some((tenant, person)) = account(&app, wish.email.trim()).await? else {
        return again("There is no such account.");
    };
    // Whether this member of staff may look at that person, the policy says before there is anything to look with.
    let reach = Resource::in_tenant(tenant).owner(person);
    if !visitor.actor.decide(Perm::Impersonate, &reach).is_allowed() || !app.is_member(tenant, person).await? {
        return again("You may not look at this desk.");
    }
    if !(1..=30).contains(&wish.minutes) || crate::domain::membership::reason(&wish.reason).is_none() {
        return again("Give a reason of one line, and at most 30 minutes.");
    }
    let client = visit.client()?;
    let length = Duration::from_secs(u64::from(wish.minutes) * 60);
    let started =
        app.auth.impersonations().start(&visitor.session, UserId::from(person), &wish.reason, length, &client).await?;
    app.seal_soon();
    match started {
        ImpersonationStart::Started(issued) => {
            visit.impersonate(&issued)?;
            Ok(Redirect::to("/").into_response())
        }
        ImpersonationStart::Refused(why) => again(&format!("Refused: {why}.")),
    }
}

/// `POST /staff/end`: the button of the banner.
pub(crate) async fn end(State(app): WebApp, visit: Visit, _: Viewer) -> Result<Redirect, Problem> {
    visit.end_impersonation().await?;
    app.seal_soon();
    Ok(Redirect::to("/staff"))
}

/// `GET /administration/impersonations`: who of the platform looked at the tenant, as whom, when and why.
pub(crate) async fn list(State(app): WebApp, viewer: Viewer) -> Result<Markup, Problem> {
    let tenant = viewer.user.tenant_id;
    let looks = app.auth.impersonations().list(TenantId::from(tenant), MOST).await?;
    let policy = app.auth.impersonations().policy(TenantId::from(tenant)).await?;
    let mut look = app.look(&viewer).await?;
    let people = people::all(&mut look.tx).await?;
    let pages: Vec<(String, i64)> = sqlx::query_as(
        "SELECT impersonation, count(*) FROM stockade.audit_entry WHERE action = 'impersonation.look' AND impersonation IS NOT NULL GROUP BY 1",
    )
    .fetch_all(&mut look.tx)
    .await?;
    // Staff is of no tenant but the platform's: what the log calls them is what a tenant knows.
    let entries = search(&mut look.tx, &Filter::new(tenant.into()).action("impersonation.look")).await?.rows;
    look.close().await?;
    let named = |one: &Impersonation| {
        let id = one.actor.to_string();
        let entry = entries.iter().find(|entry| entry.actor_id == id);
        entry.and_then(|entry| entry.actor_name.clone()).unwrap_or(id)
    };
    let may = viewer.user.seen_by.is_none() && viewer.actor.scope(Perm::StaffRefuse) != Scope::None;
    let content = html! {
        (switch(policy, may))
        div.card.flush { div.scroll { table.stack {
            thead { tr { th { "Who" } th { "As" } th { "Why" } th { "From (UTC)" } th { "Until" } th.num { "Pages" } } }
            tbody { @for one in &looks { (row(one, &named(one), &people, &pages)) } }
        }
        @if looks.is_empty() { p.muted.padded { "Nobody of the platform has looked at this desk." } }
        } }
        p.muted { "Each page that was looked at is an entry " code { "impersonation.look" } " of your audit log. Nothing can be changed in a look." }
    };
    let lead = "The platform's support sees a desk only as one of its people, with a reason, for half an hour at most.";
    Ok(page(&viewer.user, Place::Impersonations, "Support's looks", lead, &content))
}

/// Whether the platform may look.
#[derive(Deserialize)]
pub(crate) struct Switch {
    policy: String,
}

/// `POST /administration/impersonations`
pub(crate) async fn set(
    State(app): WebApp,
    visitor: SignedIn,
    Form(switch): Form<Switch>,
) -> Result<Redirect, Problem> {
    let policy = match switch.policy.as_str() {
        "refused" => ImpersonationPolicy::Refused,
        "allowed" => ImpersonationPolicy::Allowed,
        _ => return Err(Problem::Malformed),
    };
    let mut desk = app.desk(&visitor).await?;
    let own = Resource::in_tenant(desk.user.tenant_id);
    desk.require(Perm::StaffRefuse, &own, ("tenant", desk.user.tenant_id))?;
    let entry = desk.entry(Perm::StaffRefuse.key()).entity("tenant", desk.user.tenant_id);
    let entry = entry.after(serde_json::json!({ "policy": switch.policy })).severity(Severity::Notice);
    desk.record(&entry).await?;
    desk.commit(&app).await?;
    app.auth.impersonations().set_policy(visitor.session.tenant, policy).await?;
    Ok(Redirect::to("/administration/impersonations"))
}

/// The account behind an address: its tenant and its person. Asked as the gate, which signs people in.
async fn account(app: &App, email: &str) -> sqlx::Result<Option<(Uuid, Uuid)>> {
    sqlx::query_as("SELECT tenant_id, user_id FROM stockade.auth_account WHERE identifier = lower($1)")
        .bind(email)
        .fetch_optional(app.gate())
        .await
}

fn render(user: &User, complaint: Option<&str>) -> Markup {
    let content = html! {
        @if let Some(complaint) = complaint { div.note.warn role="alert" { p { (complaint) } } }
        form.card method="post" action="/staff/look" {
            h2 { "Look at a desk" }
            div.row {
                div.field { label for="email" { "As whom (e-mail)" } input id="email" name="email" type="email" required; }
                div.field { label for="reason" { "Reason, which the tenant reads" } input id="reason" name="reason" required maxlength="200" placeholder="ticket 4711"; }
                div.field { label for="minutes" { "For" } select id="minutes" name="minutes" { option value="15" { "15 minutes" } option value="30" { "30 minutes" } } }
                div.field { button { "Look" } }
            }
            p.muted { "You see what the person sees and change nothing. Each page is an entry of the tenant's log, under your name." }
        }
    };
    page(user, Place::Staff, "Support", "For the platform's own people.", &content)
}

fn switch(policy: ImpersonationPolicy, may: bool) -> Markup {
    let refused = policy == ImpersonationPolicy::Refused;
    let (other, button) = if refused { ("allowed", "Let support look again") } else { ("refused", "Refuse all looks") };
    html! {
        form.card method="post" action="/administration/impersonations" {
            p { @if refused { "Support may not look at this desk." } @else { "Support may look at this desk, with a reason." } }
            @if may {
                input type="hidden" name="policy" value=(other);
                button.quiet { (button) }
            }
        }
    }
}

fn row(one: &Impersonation, who: &str, people: &[User], pages: &[(String, i64)]) -> Markup {
    let seen =
        people.iter().find(|user| user.id == Uuid::from(one.target)).map_or("somebody", |user| user.name.as_str());
    let count = pages.iter().find(|(id, _)| *id == one.id.to_string()).map_or(0, |(_, count)| *count);
    html! {
        tr {
            td { (who) }
            td data-label="As" { (seen) }
            td data-label="Why" { (one.reason) }
            td.nowrap data-label="From (UTC)" { (one.started_at.format("%Y-%m-%d %H:%M")) }
            td.nowrap data-label="Until" { @match one.ended_at { Some(at) => (at.format("%H:%M")), None => span.badge.warn { "under way" } } }
            td.num data-label="Pages" { (count) }
        }
    }
}
