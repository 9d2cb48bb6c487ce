//! Tenant isolation: a lane per tenant, and attempts to leave one's own.

use std::time::Duration;

use axum::{
    extract::State,
    response::{Response, sse::Event},
};
use maud::{Markup, html};
use stockade::{session::tower::Visit, tenant_guard::TenantId};
use tokio::time::Instant;

use super::{
    SignedIn, WebApp,
    layout::{Place, page},
    live::{ASK_EVERY, Following, answer, bar},
    problem::Problem,
};
use crate::{
    app::App,
    desk::Look,
    domain::{
        attacks::{self, Attempt, Outcome},
        lanes::{self, Lane, Reaches},
        people::User,
    },
    permissions::Perm,
    seed,
};

/// How often the numbers of an open page are looked at. They are in this process.
const MOMENT: Duration = Duration::from_secs(1);

/// `GET /isolation`
pub(crate) async fn show(State(app): WebApp, mut look: Look) -> Result<Markup, Problem> {
    let reaches = lanes::reaches(&mut look).await?;
    Ok(render(&app, &look.close().await?, &reaches, &[]))
}

/// `POST /isolation`: every attempt of this tenant on another one.
pub(crate) async fn attack(State(app): WebApp, visitor: SignedIn) -> Result<Markup, Problem> {
    let mut desk = app.desk(&visitor).await?;
    let (user, attacker) = (desk.user.clone(), desk.principal()?);
    let entry = desk.entry("isolation.probe").entity("tenant", user.tenant_id.to_string());
    desk.record(&entry).await?;
    desk.commit(&app).await?;
    let victim =
        seed::TENANTS.iter().find(|tenant| tenant.id != user.tenant_id).map_or(user.tenant_id, |tenant| tenant.id);
    let attempts = attacks::run(&app, &attacker, victim).await?;
    let mut look = app.look(&visitor.into()).await?;
    let reaches = lanes::reaches(&mut look).await?;
    look.close().await?;
    Ok(render(&app, &user, &reaches, &attempts))
}

/// `GET /isolation/stream`: the lanes, whenever a number of them changes.
pub(crate) async fn stream(State(app): WebApp, visit: Visit, visitor: SignedIn) -> Result<Response, Problem> {
    answer(app, visit, &visitor, Perm::IsolationView, async |mut following: Following| {
        let mut shown = String::new();
        loop {
            let mut look = following.still().await?;
            let reaches = lanes::reaches(&mut look).await?;
            let user = look.close().await?;
            let asked = Instant::now();
            while asked.elapsed() < ASK_EVERY {
                let now = counted(&following.app, &user, &reaches).into_string();
                if now != shown {
                    following.send(Event::default().event("whole").data(&now)).await?;
                    shown = now;
                }
                following.pause(MOMENT).await?;
            }
        }
    })
}

fn render(app: &App, user: &User, reaches: &Reaches, attempts: &[Attempt]) -> Markup {
    let content = html! {
        @if user.seen_by.is_none() { (bar("/isolation/stream", "lanes")) }
        div id="lanes" { (counted(app, user, reaches)) }
        div.card.below {
            div.head {
                div { h2 { "Try to leave the lane" } p { "Runs as this application does: its login, its connection, your tenant's scope. Each attempt is undone." } }
                form method="post" { button { "Run the attempts" } }
            }
            @if !attempts.is_empty() { (results(attempts)) }
        }
    };
    page(
        user,
        Place::Isolation,
        "Tenant isolation",
        "A query runs in the scope of one tenant, and the database refuses what lies outside it.",
        &content,
    )
}

/// The part of the page that changes while it is open.
fn counted(app: &App, user: &User, reaches: &Reaches) -> Markup {
    let today = app.counted_today();
    let own = TenantId::from(user.tenant_id);
    let total = today.total();
    let foreign: u64 = reaches.iter().filter(|(tenant, _)| **tenant != own).map(|(_, reach)| reach.rows).sum();
    html! {
        div.tiles {
            (tile(total.queries, "queries today, each in one tenant's scope"))
            (tile(foreign, "rows of another tenant in your reach"))
            (tile(lanes::stopped(&total), "attempts to leave a lane stopped today"))
        }
        div.lanes {
            @for (index, lane) in lanes::lanes(own, reaches, &today).iter().enumerate() {
                @if index > 0 { div.wall { "row-level security, enforced by the database" } }
                // Another customer's name is nobody's business here.
                @let name = if index == 0 { user.tenant_name.clone() } else { format!("Another tenant ({index})") };
                (self::lane(&name, lane, index == 0))
            }
        }
        p.muted.below { "Counted in this process since midnight, UTC." }
    }
}

fn tile(number: u64, text: &str) -> Markup {
    html! { div.tile { b { (number) } span { (text) } } }
}

fn lane(name: &str, lane: &Lane, own: bool) -> Markup {
    html! {
        div.lane.own[own] {
            div { strong { (name) } @if own { " " span.badge.good { "you" } } }
            div { b { (lane.reach.rows) } span { "rows in your reach" } }
            div { b { (lane.reach.documents) } span { "documents in your reach" } }
            div { b { (lane.today.queries) } span { "queries today" } }
            div { b { (lanes::stopped(&lane.today)) } span { "attempts stopped today" } }
        }
    }
}

fn results(attempts: &[Attempt]) -> Markup {
    let held = attempts.iter().all(|attempt| attempt.outcome.held());
    html! {
        div.note.good[held].bad[!held] role="status" {
            p { @if held { "All " (attempts.len()) " attempts ended inside the lane." } @else { "An attempt reached another tenant. This is an incident." } }
        }
        ul.attempts {
            @for attempt in attempts {
                li {
                    div { strong { (attempt.what) } br; code.muted { (attempt.how) } }
                    div {
                        @match &attempt.outcome {
                            Outcome::Nothing => span.badge.good { "0 rows" },
                            Outcome::Refused(reason) => { span.badge.good { "refused" } " " span.muted { (reason) } },
                            Outcome::Crossed(rows) => span.badge.bad { (rows) " rows crossed" },
                        }
                    }
                }
            }
        }
    }
}
