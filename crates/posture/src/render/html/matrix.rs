//! The matrix: criteria in rows, capabilities in columns.

use maud::{Markup, html};

use super::mark;
use crate::{
    assessment::Assessment, capability::Capability, criterion::CriterionRef, result::ControlResult, status::Status,
};

pub(super) fn section(assessment: &Assessment) -> Markup {
    html! {
        section class="posture-matrix posture-card" aria-labelledby="posture-criteria" {
            h2 id="posture-criteria" { "Criteria" }
            p class="posture-lead" { "SOC 2 criteria that the controls speak to. A mark is the worst status in its cell; the number, how many are in place." }
            div class="posture-scroll" {
                table {
                    thead {
                        tr {
                            th scope="col" { "Criterion" }
                            @for capability in Capability::ALL { th scope="col" { (capability.title()) } }
                        }
                    }
                    tbody {
                        @for criterion in CriterionRef::ALL {
                            tr {
                                th scope="row" { b { (criterion) } " " span { (criterion.title()) } }
                                @for capability in Capability::ALL { td { (cell(assessment, criterion, capability)) } }
                            }
                        }
                    }
                }
            }
            ul class="posture-legend" {
                @for (status, words) in [(Status::InPlace, "In place"), (Status::InProgress, "In progress"), (Status::NotYet, "Not yet")] {
                    li { (mark::shape(&status, false)) (words) }
                }
                li { (mark::shape(&Status::InPlace, true)) "In place, attested" }
            }
        }
    }
}

fn cell(assessment: &Assessment, criterion: &CriterionRef, capability: Capability) -> Markup {
    let within: Vec<&ControlResult> = assessment
        .results()
        .iter()
        .filter(|result| result.control().capability == capability && result.control().criteria.contains(criterion))
        .collect();
    let in_place = within.iter().filter(|result| *result.status() == Status::InPlace).count();
    let applicable = within.iter().filter(|result| result.is_applicable()).count();
    html! {
        @if let Some(worst) = within.iter().min_by_key(|result| rank(result.status())) {
            a href={ "#posture-" (worst.control().id) } {
                (mark::of(worst))
                span class="posture-hidden" { (worst.status().words()) ": " (worst.control().title) ". In place: " }
                @if applicable > 0 { small { (in_place) "/" (applicable) } } @else { small { "n/a" } }
            }
        }
    }
}

const fn rank(status: &Status) -> u8 {
    match status {
        Status::NotYet => 0,
        Status::InProgress => 1,
        Status::InPlace => 2,
        Status::NotApplicable { .. } => 3,
    }
}
