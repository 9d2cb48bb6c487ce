//! On how many days the heaviest controls were in place, after the assessments that the audit log has.

use std::time::Duration;

use chrono::{Days, NaiveDate};
use maud::{Markup, html};
use stockade::posture::{
    catalog,
    history::{self, Period, Recorded},
};

/// As many days as the trend has.
const DAYS: u64 = history::Trend::DAYS;

pub(super) fn card(recorded: &Recorded, today: NaiveDate) -> Markup {
    let period = period(recorded, today);
    html! {
        section.card aria-labelledby="days" {
            h2 id="days" { "Day by day" }
            @match &period {
                None => p.muted { "No assessment is recorded yet. One is, once a day." },
                Some(period) => {
                    p.muted { "Controls of the highest weight since " (period.from) ", after " (recorded.snapshots.len()) @if recorded.snapshots.len() == 1 { " assessment" } @else { " assessments" } " in the audit log. A day without one counts for nothing." }
                    ul.attempts {
                        @for (title, told) in heaviest(period) {
                            li { div { (title) } span.muted { (told) } }
                        }
                    }
                }
            }
            @if recorded.unsealed > 0 { p.muted { "One more waits for its place in the chain." } }
            @for refused in &recorded.refused {
                p { span.badge.bad { "not counted" } " " (refused.recorded_at.format("%Y-%m-%d")) ": " (refused.why) }
            }
        }
    }
}

fn heaviest(period: &Period) -> impl Iterator<Item = (&'static str, String)> {
    let heavy = catalog().filter(|control| control.weight.is_essential());
    heavy.filter_map(|control| Some((control.title, period.control(control.id)?.to_string())))
}

/// From the first assessment on: of the days before nobody has said that anything was in place.
fn period(recorded: &Recorded, today: NaiveDate) -> Option<Period> {
    let first = recorded.snapshots.first()?.at().date_naive();
    let from = first.max(today.checked_sub_days(Days::new(DAYS - 1))?);
    history::period(recorded.snapshots.iter().cloned(), from.min(today), today, Duration::ZERO).ok()
}
