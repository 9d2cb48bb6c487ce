use chrono::{Days, TimeDelta};
use proptest::prelude::*;
use stockade_posture::{
    Assessment, ControlId, StatusKind,
    history::{Snapshot, Trend},
};

use super::snapshot;
use crate::evidence::{Evidence, now};

const ID: ControlId = ControlId::RLS_FORCED;

fn after(earlier: impl IntoIterator<Item = Snapshot>) -> Assessment {
    Evidence::complete().into_builder(now()).history(earlier).build()
}

proptest! {
    /// A day has the score of its last assessment and no other day's.
    #[test]
    fn a_day_has_the_score_of_its_last_assessment(hours in prop::collection::vec((1_i64..2_600, 0_usize..4), 0..40)) {
        let snapshots: Vec<Snapshot> =
            hours.iter().map(|(hours, kind)| snapshot(now() - TimeDelta::hours(*hours), ID, StatusKind::ALL[*kind])).collect();
        let with = after(snapshots.clone());
        prop_assert_eq!(with.trend().days().len() as u64, Trend::DAYS);
        for (back, day) in with.trend().days().iter().rev().enumerate() {
            prop_assert_eq!(day.day, now().date_naive() - Days::new(back as u64));
            let last = snapshots.iter().filter(|snapshot| snapshot.at().date_naive() == day.day).max();
            let expected = if back == 0 { Some(100) } else { last.and_then(|last| last.score()).map(|score| score.points) };
            prop_assert_eq!(day.points, expected);
        }
    }
}

#[test]
fn what_was_not_assessed_has_no_score() {
    let with = after([snapshot(now() - TimeDelta::days(2), ID, StatusKind::InPlace)]);
    let days: Vec<_> = with.trend().days().iter().rev().take(4).map(|day| day.points).collect();
    assert_eq!(days, [Some(100), None, Some(5), None]);
    assert_eq!(with.trend().scores().count(), 2);
}

/// A line is drawn between days that follow each other only.
#[test]
fn the_page_draws_no_line_over_a_gap() {
    let at = |days| snapshot(now() - TimeDelta::days(days), ID, StatusKind::InPlace);
    let html = stockade_posture::render::html_page(&after([at(1), at(2), at(9), at(20), at(21)]));
    let lines: Vec<&str> =
        html.split("class=\"posture-line\" d=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let days: Vec<usize> = lines.iter().map(|line| line.matches('L').count() + 1).collect();
    assert_eq!(days, [2, 1, 3]);
}
