//! The limits in force, and what they refused.

use axum::extract::State;
use maud::{Markup, html};
use stockade::{
    ratelimit::{Algorithm, Mode},
    rbac::Resource,
};

use super::{
    WebApp,
    layout::{Place, page},
    problem::Problem,
};
use crate::{
    desk::Look,
    limits::{Count, Counts},
    permissions::Perm,
};

/// `GET /limits`
pub(crate) async fn show(State(app): WebApp, look: Look) -> Result<Markup, Problem> {
    look.require(Perm::LimitsView, &Resource::in_tenant(look.user.tenant_id), ("limits", "application"))?;
    let user = look.close().await?;
    let lead = "How often anybody may try, across all tenants. Neither this page nor the log says who was refused.";
    Ok(page(&user, Place::Limits, "Limits", lead, &render(&app.limits.counts())))
}

fn render(counts: &Counts) -> Markup {
    let refusing: usize = counts.rules.iter().map(|count| count.open_episodes).sum();
    html! {
        div.tiles {
            div.tile { b { (counts.allowed) } span { "requests admitted" } }
            div.tile { b { (counts.refused) } span { "requests refused" } }
            div.tile { b { (refusing) } span { @if refusing == 1 { "key" } @else { "keys" } " being refused now" } }
        }
        div.card.flush {
            h2 { "Rules" }
            div.scroll { table.stack {
                thead { tr { th { "Rule" } th.num { "At most" } th.num { "Within" } th { "Kind" } th.num { "Keys counted" } th.num { "Refused" } th.num { "Refusing now" } } }
                tbody { @for count in &counts.rules { (row(count)) } }
            } }
        }
        p.muted { "Limits are counted " (counts.place) "; the numbers above are what this process has seen since it started. The platform's audit log has when refusals of a key began and ended." }
    }
}

fn row(count: &Count) -> Markup {
    html! {
        tr {
            td.nowrap {
                code { (count.rule.name()) }
                @if count.rule.mode() != Mode::Enforce { " " span.badge.warn { "not enforced" } }
            }
            td.num data-label="At most" { (count.rule.limit()) }
            td.num data-label="Within" { (minutes(count.rule.period().as_secs())) }
            td data-label="Kind" { @if count.rule.algorithm() == Algorithm::ExactLog { "exact" } @else { "window" } }
            td.num data-label="Keys counted" { @if let Some(keys) = count.keys { (keys) } @else { span.muted { "in Redis" } } }
            td.num data-label="Refused" { (count.refusals) }
            td.num data-label="Refusing now" { @if count.open_episodes > 0 { span.badge.warn { (count.open_episodes) } } @else { "0" } }
        }
    }
}

fn minutes(seconds: u64) -> Markup {
    html! { @if seconds.is_multiple_of(60) { (seconds / 60) " min" } @else { (seconds) " s" } }
}
