//! What has changed, and the score day by day.

use maud::{Markup, html};

use super::mark;
use crate::{
    assessment::Assessment,
    history::{Change, Direction, Drift, Trend},
    render::moment,
    score::CEILING,
};

/// How many changes are shown of each kind.
const SHOWN: usize = 8;

/// Nothing if no earlier assessment was given.
pub(super) fn section(assessment: &Assessment) -> Markup {
    html! {
        @if let Some(drift) = assessment.drift() {
            div class="posture-columns posture-past" {
                (trend(assessment.trend()))
                (changes(drift, assessment.catalog_version()))
            }
        }
    }
}

fn changes(drift: &Drift, catalog_version: u32) -> Markup {
    html! {
        section class="posture-drift posture-card" aria-labelledby="posture-drift" {
            h2 id="posture-drift" { "Since the last run" }
            p class="posture-lead" { "Compared with " time { (moment(drift.since)) } "." }
            @match (drift.points, drift.gain) {
                (Some(before), Some(0)) => p class="posture-moved" { b { "±0" } " points, still " (before) },
                (Some(before), Some(gain)) => p class="posture-moved" { b { (format!("{gain:+}")) } " points, from " (before) },
                (Some(before), None) => p class="posture-moved" { "There is no score now; it was " (before) },
                (None, _) => p class="posture-moved" { "There was no score then" },
            }
            @if drift.catalog_version != catalog_version {
                p class="posture-lead" { "It used version " (drift.catalog_version) " of the catalogue: the scores are not comparable." }
            }
            @if drift.changes.is_empty() { p class="posture-lead" { "No status has changed." } }
            @for (direction, title) in [(Direction::Setback, "Set back"), (Direction::Advance, "Advanced"), (Direction::Scope, "In or out of scope")] {
                (moved(&drift.towards(direction).collect::<Vec<_>>(), title))
            }
        }
    }
}

fn moved(changes: &[&Change], title: &str) -> Markup {
    html! {
        @if !changes.is_empty() {
            h3 { (title) }
            ul {
                @for change in changes.iter().take(SHOWN) {
                    li {
                        a href={ "#posture-" (change.control) } { code { (change.control) } }
                        " " span { (mark::kind(change.from)) " " (change.from.words()) " → " (mark::kind(change.to)) " " (change.to.words()) }
                    }
                }
            }
            @if changes.len() > SHOWN { p class="posture-more" { (changes.len() - SHOWN) " more in the JSON export." } }
        }
    }
}

/// The chart is 720 units wide: eight for each day. A day without a score is a gap in the line.
fn trend(trend: &Trend) -> Markup {
    let runs = runs(trend);
    let scored = trend.scores().count();
    let last = trend.scores().next_back();
    html! {
        section class="posture-trend posture-card" aria-labelledby="posture-trend" {
            h2 id="posture-trend" { "Score over " (Trend::DAYS) " days" }
            p class="posture-lead" { (words(trend, scored)) }
            svg viewBox="-44 -2 774 200" role="img" aria-label=(words(trend, scored)) {
                @for points in [0_u8, 50, 100] {
                    path class="posture-grid" d={ "M0 " (y(points)) "H720" } {}
                    text class="posture-axis" x="-6" y=(y(points) + 3) text-anchor="end" { (points) }
                }
                path class="posture-limit" d={ "M0 " (y(CEILING)) "H720" } {}
                text class="posture-axis" x="-6" y=(y(CEILING) + 3) text-anchor="end" { (CEILING) }
                @for run in &runs {
                    path class="posture-line" d=(run) {}
                }
                @for (x, points) in scored_days(trend) { circle class="posture-dot" cx=(x) cy=(y(points)) r="2" {} }
                @if let (Some(first), Some(end)) = (trend.days().first(), trend.days().last()) {
                    text class="posture-axis" x="0" y="192" { (first.day) }
                    text class="posture-axis" x="720" y="192" text-anchor="end" { (end.day) }
                }
                @if let Some((_, points)) = last {
                    @if let Some((x, _)) = scored_days(trend).last() {
                        circle class="posture-now" cx=(x) cy=(y(points)) r="4" {}
                    }
                }
            }
        }
    }
}

fn words(trend: &Trend, scored: usize) -> String {
    let missing = trend.days().len().saturating_sub(scored);
    let range = trend.scores().fold(None, |range: Option<(u8, u8)>, (_, points)| {
        let (low, high) = range.unwrap_or((points, points));
        Some((low.min(points), high.max(points)))
    });
    match range {
        None => "No score on any of these days.".to_owned(),
        Some((low, high)) if low == high => format!("{low} on every day with a score; {missing} days have none."),
        Some((low, high)) => {
            format!("Between {low} and {high}; {missing} of {} days have no score.", trend.days().len())
        }
    }
}

/// The middle of each day that has a score, and its points.
fn scored_days(trend: &Trend) -> impl Iterator<Item = (usize, u8)> {
    trend.days().iter().enumerate().filter_map(|(index, day)| Some((index * 8 + 4, day.points?)))
}

/// A line for each run of days that follow each other.
fn runs(trend: &Trend) -> Vec<String> {
    let mut runs: Vec<String> = vec![];
    let mut previous = None;
    for (x, points) in scored_days(trend) {
        let point = format!("{x} {}", y(points));
        match runs.last_mut().filter(|_| previous.is_some_and(|previous| previous + 8 == x)) {
            Some(run) => run.push_str(&format!("L{point}")),
            None => runs.push(format!("M{point}")),
        }
        previous = Some(x);
    }
    runs
}

fn y(points: u8) -> u16 {
    170_u16.saturating_sub(u16::from(points) * 8 / 5)
}
