//! What to fix next.

use maud::{Markup, html};

use crate::{
    assessment::Assessment,
    control::Fix,
    observation::Observation,
    remediation::{Remediation, RemediationState},
    render::day,
};

/// How many items are shown; the others stand at their controls.
const SHOWN: usize = 6;

/// How many suggested remedies are shown for one item.
const REMEDIES: usize = 2;

pub(super) fn section(assessment: &Assessment) -> Markup {
    let items = assessment.fix_next();
    html! {
        section class="posture-next posture-card" aria-labelledby="posture-fix-next" {
            h2 id="posture-fix-next" { "Fix next" }
            @if items.is_empty() {
                p class="posture-lead" { "Nothing: every control that applies is in place." }
            } @else {
                p class="posture-lead" { "Ordered by the points that each one alone would add." }
                ol { @for next in items.iter().take(SHOWN) { (item(next)) } }
                @if items.len() > SHOWN { p class="posture-more" { (items.len() - SHOWN) " more below, each at its control." } }
            }
        }
    }
}

fn item(next: &Remediation) -> Markup {
    let remedies: Vec<&str> = next.shortfalls.iter().filter_map(Observation::suggested_remedy).collect();
    html! {
        li {
            p class="posture-gain" { "+" (next.points) span class="posture-hidden" { " points" } }
            div {
                h3 { a href={ "#posture-" (next.control.id) } { (next.control.title) } }
                p class="posture-tags" {
                    code { (next.control.id) } " "
                    span class={ "posture-severity posture-severity-" (next.severity.word()) } { (next.severity.word()) }
                }
                p class="posture-why" { (next.why) }
                p class="posture-plan" {
                    @match &next.plan {
                        Some(plan) if next.state == RemediationState::Overdue => {
                            b class="posture-is-not-yet" { "Overdue" } ": " (plan.owner()) ", was due " time { (day(plan.due())) }
                        }
                        Some(plan) => { "Planned: " (plan.owner()) ", due " time { (day(plan.due())) } }
                        None => "Open: nobody has taken it",
                    }
                }
                @if remedies.is_empty() {
                    (general(next.control.fix))
                } @else {
                    @for remedy in remedies.iter().take(REMEDIES) { pre { code { (remedy) } } }
                    @if remedies.len() > REMEDIES { p class="posture-more" { (remedies.len() - REMEDIES) " more at the control." } }
                }
            }
        }
    }
}

/// The fix that the catalogue gives.
pub(super) fn general(fix: Fix) -> Markup {
    html! {
        @match fix {
            Fix::Sql(text) => pre { code { (text) } },
            Fix::Config(text) | Fix::Steps(text) => p class="posture-fix" { (text) },
        }
    }
}
