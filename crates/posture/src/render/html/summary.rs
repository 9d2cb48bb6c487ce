//! The score and the four tiles.

use maud::{Markup, html};

use super::mark;
use crate::{
    assessment::Assessment,
    freshness::Freshness,
    render::moment,
    result::ControlResult,
    score::{CEILING, Score},
    status::Status,
};

pub(super) fn hero(assessment: &Assessment) -> Markup {
    let coverage = assessment.coverage();
    let essential: Vec<&ControlResult> = assessment.results().iter().filter(|result| result.holds_ceiling()).collect();
    html! {
        section class="posture-hero posture-card" aria-label="Score" {
            (ring(assessment.score(), !essential.is_empty()))
            div class="posture-verdict" {
                h2 { (verdict(assessment)) }
                @if let [first, rest @ ..] = essential.as_slice() {
                    p {
                        "The score stops at " (CEILING) " while an essential control is not in place at all: "
                        a href={ "#posture-" (first.control().id) } { (first.control().title) }
                        @if !rest.is_empty() { " and " (rest.len()) " more" }
                        "."
                    }
                }
                dl class="posture-facts" {
                    div { dt { "Measured" } dd { (coverage.measured) " of " (coverage.applicable) " controls" } }
                    div { dt { "Evidence" } dd { (evidence(assessment.freshness())) } }
                    div { dt { "Oldest evidence" } dd { (assessment.oldest_evidence().map_or_else(|| "none".to_owned(), moment)) } }
                    div { dt { "Assessed" } dd { (moment(assessment.at())) } }
                    div { dt { "Catalogue" } dd { "version " (assessment.catalog_version()) } }
                }
            }
        }
    }
}

pub(super) fn tiles(assessment: &Assessment) -> Markup {
    let count =
        |matches: fn(&Status) -> bool| assessment.results().iter().filter(|result| matches(result.status())).count();
    html! {
        section class="posture-tiles" aria-label="Controls by status" {
            (tile(&Status::InPlace, count(|status| *status == Status::InPlace), "Every subject passes on fresh evidence"))
            (tile(&Status::InProgress, count(|status| *status == Status::InProgress), "Partly, on ageing evidence, or planned"))
            (tile(&Status::NotYet, count(|status| *status == Status::NotYet), "Failing, or nothing measured"))
            (tile(&none(assessment), count(|status| matches!(status, Status::NotApplicable { .. })), "Exempt, with an approver and a date"))
        }
    }
}

fn tile(status: &Status, count: usize, meaning: &str) -> Markup {
    html! {
        div class={ "posture-tile posture-card " (mark::class(status)) } {
            p class="posture-count" { (count) }
            p class="posture-word" { (mark::shape(status, false)) (status.words()) }
            p class="posture-meaning" { (meaning) }
        }
    }
}

fn none(assessment: &Assessment) -> Status {
    Status::NotApplicable { reason: String::new(), approved_by: String::new(), until: assessment.at() }
}

fn evidence(freshness: Freshness) -> String {
    let fresh = format!("{} of {} fresh", freshness.fresh, freshness.total());
    match (freshness.stale, freshness.outdated) {
        (0, 0) => fresh,
        (stale, 0) => format!("{fresh}, {stale} stale"),
        (0, outdated) => format!("{fresh}, {outdated} too old"),
        (stale, outdated) => format!("{fresh}, {stale} stale, {outdated} too old"),
    }
}

fn verdict(assessment: &Assessment) -> String {
    let coverage = assessment.coverage();
    match assessment.score() {
        None => "Nothing has been measured yet, so there is no score.".to_owned(),
        Some(Score { capped_by: Some(id), .. }) => format!("{CEILING} of 100, capped by {id}"),
        Some(Score { points: 100, .. }) => "100 of 100: every control that applies is in place".to_owned(),
        Some(Score { points, .. }) if coverage.measured < coverage.applicable => {
            format!("{points} of 100, with {} controls not measured", coverage.applicable - coverage.measured)
        }
        Some(Score { points, .. }) => format!("{points} of 100, every control measured"),
    }
}

/// A ring of 100 parts that begins at the top; the parts above the ceiling are marked while it is in force.
fn ring(score: Option<Score>, has_ceiling: bool) -> Markup {
    let points = score.map_or(0, |score| score.points);
    let label = score.map_or_else(|| "No score".to_owned(), |score| format!("Score {} of 100", score.points));
    html! {
        svg class="posture-ring" viewBox="-12 0 132 120" width="185" height="168" role="img" aria-label=(label) {
            g fill="none" stroke-width="9" transform="rotate(-90 60 60)" {
                circle class="posture-track" cx="60" cy="60" r="52" {}
                @if has_ceiling {
                    circle class="posture-locked" cx="60" cy="60" r="52" pathLength="100" stroke-dasharray="21 79" stroke-dashoffset="-79" {}
                }
                @if points > 0 {
                    circle class="posture-arc" cx="60" cy="60" r="52" pathLength="100" stroke-dasharray={ (points) " " (100 - points) } {}
                }
            }
            @if has_ceiling {
                path class="posture-cap" d="M15.4 48.6L3.9 45.6" stroke-width="2" {}
                text class="posture-cap-label" x="1.5" y="48" text-anchor="end" { (CEILING) }
            }
            @if score.is_some() {
                text class="posture-points" x="60" y="70" text-anchor="middle" { (points) }
                text class="posture-of" x="60" y="86" text-anchor="middle" { "of 100" }
            } @else {
                text class="posture-of" x="60" y="64" text-anchor="middle" { "no score" }
            }
        }
    }
}
