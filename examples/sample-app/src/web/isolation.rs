//! Tenant isolation: a lane per tenant, and attempts to leave one's own.

use axum::extract::State;
use maud::{Markup, html};
use stockade::tenant_guard::{Tally, TenantId};

use super::{
    SignedIn, WebApp,
    layout::{Place, page},
    problem::Problem,
};
use crate::{
    app::App,
    authority::Viewer,
    domain::{
        attacks::{self, Attempt, Outcome},
        people::User,
    },
    seed,
};

/// `GET /isolation`
pub(crate) async fn show(State(app): WebApp, viewer: Viewer) -> Result<Markup, Problem> {
    Ok(render(&app, &viewer.user, &[]))
}

/// `POST /isolation`: every attempt of this tenant on another one.
pub(crate) async fn attack(State(app): WebApp, visitor: SignedIn) -> Result<Markup, Problem> {
    let mut desk = app.desk(&visitor).await?;
    let user = desk.user.clone();
    let entry = desk.entry("isolation.probe").entity("tenant", user.tenant_id.to_string());
    desk.record(&entry).await?;
    desk.commit(&app).await?;
    let victim =
        seed::TENANTS.iter().find(|tenant| tenant.id != user.tenant_id).map_or(user.tenant_id, |tenant| tenant.id);
    let attempts = attacks::run(&app, &visitor.principal()?, victim).await?;
    Ok(render(&app, &user, &attempts))
}

fn render(app: &App, user: &User, attempts: &[Attempt]) -> Markup {
    let counters = app.tenants.counters().snapshot();
    let own = TenantId::from(user.tenant_id);
    let total = counters.total();
    let content = html! {
        div.tiles {
            (tile(total.queries, "queries since start, each in one tenant's scope"))
            (tile(total.rows, "rows returned, each to its own tenant"))
            (tile(total.foreign_rows, "rows of another tenant that were read"))
            (tile(total.refused_statements, "statements refused before they were sent"))
            (tile(total.refused_batches, "batches refused for straddling tenants"))
        }
        div.lanes {
            (lane(&user.tenant_name, counters.tenant(own), true))
            @for (index, (_, tally)) in counters.tenants().filter(|(tenant, _)| *tenant != own).enumerate() {
                div.wall { "row-level security, enforced by the database" }
                // Another customer's name is nobody's business here.
                (lane(&format!("Another tenant ({})", index + 1), tally, false))
            }
        }
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

fn tile(number: u64, text: &str) -> Markup {
    html! { div.tile { b { (number) } span { (text) } } }
}

fn lane(name: &str, tally: Tally, own: bool) -> Markup {
    html! {
        div.lane.own[own] {
            div { strong { (name) } @if own { " " span.badge.good { "you" } } }
            div { b { (tally.queries) } span { "queries" } }
            div { b { (tally.rows) } span { "rows" } }
            div { b { (tally.foreign_rows) } span { "foreign rows" } }
            div { b { (tally.refused_statements) } span { "refused statements" } }
            div { b { (tally.refused_batches) } span { "refused batches" } }
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
