//! Every control with its evidence.

use maud::{Markup, html};

use super::{fix_next, mark};
use crate::{
    assessment::Assessment,
    capability::Capability,
    control::Method,
    fact::Fact,
    observation::{Observation, Outcome},
    render::{day, moment},
    result::{ControlResult, Standing},
    statement::Attestation,
    status::Status,
};

/// How many observations of one control are shown. The JSON has all of them.
const SHOWN: usize = 100;

pub(super) fn section(assessment: &Assessment) -> Markup {
    html! {
        section class="posture-controls" aria-labelledby="posture-controls" {
            h2 id="posture-controls" { "Controls and evidence" }
            @for capability in Capability::ALL { (group(assessment, capability)) }
        }
    }
}

fn group(assessment: &Assessment, capability: Capability) -> Markup {
    let within = || assessment.results().iter().filter(|result| result.control().capability == capability);
    let in_place = within().filter(|result| *result.status() == Status::InPlace).count();
    let applicable = within().filter(|result| result.is_applicable()).count();
    html! {
        div class="posture-group posture-card" {
            h3 { (capability.title()) span { (in_place) " of " (applicable) " in place" } }
            @for result in within() { (entry(result)) }
        }
    }
}

fn entry(result: &ControlResult) -> Markup {
    let control = result.control();
    html! {
        details id={ "posture-" (control.id) } {
            summary {
                (mark::of(result))
                span class="posture-title" { (control.title) " " code { (control.id) } }
                span class="posture-criteria" { @for criterion in control.criteria { span title=(criterion.title()) { (criterion) } " " } }
                span class="posture-share" { @if result.subjects() > 0 { (result.passing()) " of " (result.subjects()) } @else { "no evidence" } }
                span class={ "posture-status " (mark::class(result.status())) } { (result.status().words()) }
            }
            div class="posture-body" {
                p { (control.objective) }
                p class="posture-meta" {
                    (method(control.method)) " · weight " (control.weight.value()) " of 5 · evidence counts for " (span_of(control.max_age.as_secs()))
                }
                (statements(result))
                (evidence(result))
                @if result.is_applicable() && result.standing() != Standing::InPlace {
                    div class="posture-remedy" {
                        h4 { "Fix" }
                        (fix_next::general(control.fix))
                        h4 { "Verify" }
                        @if control.verify.starts_with("SELECT") || control.verify.starts_with("cargo") {
                            pre { code { (control.verify) } }
                        } @else {
                            p class="posture-fix" { (control.verify) }
                        }
                    }
                }
            }
        }
    }
}

fn statements(result: &ControlResult) -> Markup {
    html! {
        @if let Status::NotApplicable { reason, approved_by, until } = result.status() {
            p class="posture-note" { "Not applicable until " time { (day(*until)) } ": " (reason) ". Approved by " (approved_by) "." }
        }
        @if let Some(attestation) = result.attestation() { (attested(attestation, result.has_valid_attestation())) }
        @if let Some(plan) = result.plan() { p class="posture-note" { "Planned: " (plan.owner()) ", due " time { (day(plan.due())) } "." } }
        @else if let Some(plan) = result.overdue_plan() {
            @if result.standing() != Standing::InPlace { p class="posture-note" { "Overdue: " (plan.owner()) ", was due " time { (day(plan.due())) } "." } }
        }
    }
}

fn attested(attestation: &Attestation, is_valid: bool) -> Markup {
    html! {
        p class="posture-note" {
            "Attested by " (attestation.by()) " on " time { (day(attestation.given_at())) } ": " (attestation.statement()) ". "
            @if is_valid { "Valid until " } @else { "Not valid now; its end is " } time { (day(attestation.valid_until())) } "."
            @if let Some(reference) = attestation.evidence_reference() { " Evidence: " code { (reference) } }
        }
    }
}

/// What does not pass comes first, so that a long list cannot bury it.
fn evidence(result: &ControlResult) -> Markup {
    let observations = result.observations();
    let passes = observations.iter().filter(|seen| *seen.outcome() == Outcome::Pass);
    html! {
        @if !observations.is_empty() {
            div class="posture-scroll" {
                table {
                    thead { tr { th scope="col" { "Subject" } th scope="col" { "Outcome" } th scope="col" { "Facts" } th scope="col" { "Collected" } } }
                    tbody { @for seen in result.shortfalls().chain(passes).take(SHOWN) { (row(seen)) } }
                }
            }
            @if observations.len() > SHOWN { p class="posture-more" { (observations.len() - SHOWN) " more in the JSON export." } }
        }
    }
}

fn row(seen: &Observation) -> Markup {
    html! {
        tr {
            td { code { (seen.subject()) } }
            td class=(outcome_class(seen.outcome())) {
                b { (seen.outcome().word()) }
                @if let Some(reason) = seen.outcome().reason() { " " (reason) }
                @if let Some(remedy) = seen.suggested_remedy() { pre { code { (remedy) } } }
            }
            td {
                @for (key, fact) in seen.facts() {
                    span class="posture-fact" { (key) " " b { @match fact { Fact::Count(n) => (n), Fact::Flag(flag) => (flag), Fact::Name(name) => (name) } } } " "
                }
            }
            td { time { (moment(seen.collected_at())) } br; small { (seen.collector()) } }
        }
    }
}

const fn outcome_class(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "posture-outcome posture-is-in-place",
        Outcome::Unknown { .. } => "posture-outcome posture-is-na",
        Outcome::Fail { .. } => "posture-outcome posture-is-not-yet",
    }
}

const fn method(method: Method) -> &'static str {
    match method {
        Method::Test => "Tested: the mechanism was exercised",
        Method::Examine => "Examined: configuration and records were read",
        Method::Attest => "Attested: a named person states it",
    }
}

fn span_of(seconds: u64) -> String {
    match seconds / 86_400 {
        0 | 1 => "one day".to_owned(),
        days => format!("{days} days"),
    }
}
