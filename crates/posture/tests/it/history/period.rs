use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use proptest::{collection::vec, prelude::*, sample::select};
use stockade_posture::{
    ControlId, ErrorKind, StatusKind,
    history::{ControlPeriod, Snapshot, period},
};

use super::snapshot;
use crate::evidence::{Evidence, now};

const ID: ControlId = ControlId::RLS_FORCED;
const HOUR: Duration = Duration::from_secs(3_600);

fn day(n: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, n).unwrap()
}

/// A moment of March 2026.
fn at(day: i64, hour: i64) -> DateTime<Utc> {
    "2026-03-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::days(day - 1) + TimeDelta::hours(hour)
}

fn of(snapshots: Vec<Snapshot>, from: u32, to: u32, max_age: Duration) -> ControlPeriod {
    period(snapshots, day(from), day(to), max_age).unwrap().control(ID).unwrap().clone()
}

/// The rules once more, one day at a time and without a tree: whether a day is in place, carried, exempt, missing or failing.
fn judge(snapshots: &[Snapshot], day: NaiveDate, max_age: Duration) -> char {
    let kinds = |of: &dyn Fn(&Snapshot) -> bool| -> Vec<StatusKind> {
        snapshots.iter().filter(|snapshot| of(snapshot)).filter_map(|snapshot| snapshot.status(ID)).collect()
    };
    let today = kinds(&|snapshot| snapshot.at().date_naive() == day);
    if !today.is_empty() {
        return match today {
            kinds if kinds.iter().all(|kind| *kind == StatusKind::NotApplicable) => 'n',
            kinds if kinds.iter().all(|kind| matches!(kind, StatusKind::NotApplicable | StatusKind::InPlace)) => 'y',
            _ => 'x',
        };
    }
    let end = (day + TimeDelta::days(1)).and_hms_opt(0, 0, 0).unwrap().and_utc();
    let last = snapshots.iter().filter(|snapshot| snapshot.at() < end - TimeDelta::days(1)).max();
    let Some(last) = last.filter(|last| end - last.at() <= TimeDelta::from_std(max_age).unwrap()) else { return '?' };
    match last.status(ID).unwrap() {
        StatusKind::InPlace => 'c',
        StatusKind::NotApplicable => 'n',
        _ => 'x',
    }
}

fn snapshots() -> impl Strategy<Value = Vec<Snapshot>> {
    let kinds = vec![
        StatusKind::InPlace,
        StatusKind::InPlace,
        StatusKind::InPlace,
        StatusKind::NotYet,
        StatusKind::InProgress,
        StatusKind::NotApplicable,
    ];
    vec((-5_i64..40, select(vec![0_i64, 1, 12, 23]), select(kinds)), 0..50)
        .prop_map(|drawn| drawn.into_iter().map(|(day, hour, kind)| snapshot(at(day, hour), ID, kind)).collect())
}

proptest! {
    #[test]
    fn it_says_what_a_day_by_day_walk_says(
        snapshots in snapshots(),
        from in 1_u32..28,
        length in 0_u32..4,
        max_age in select(vec![Duration::ZERO, HOUR, HOUR * 24, HOUR * 36, HOUR * 49, HOUR * 24 * 400]),
        turn in any::<prop::sample::Index>(),
    ) {
        let to = (from + length * 9).min(31);
        let mut turned = snapshots.clone();
        let middle = turn.index(turned.len() + 1);
        turned.rotate_left(middle);
        let found = of(turned, from, to, max_age);
        let days: Vec<(NaiveDate, char)> = (from..=to).map(|n| (day(n), judge(&snapshots, day(n), max_age))).collect();
        let count = |wanted: &str| days.iter().filter(|(_, judged)| wanted.contains(*judged)).map(|_| 1_u32).sum::<u32>();

        prop_assert_eq!(found.days, to - from + 1);
        prop_assert_eq!((found.in_place, found.carried, found.not_applicable), (count("yc"), count("c"), count("n")));
        let in_gaps: Vec<NaiveDate> =
            found.gaps.iter().flat_map(|gap| gap.from.iter_days().take_while(|day| *day <= gap.to)).collect();
        let expected: Vec<NaiveDate> = days.iter().filter(|(_, judged)| "x?".contains(*judged)).map(|(day, _)| *day).collect();
        prop_assert_eq!(in_gaps, expected);
        prop_assert_eq!(found.gaps.iter().map(|gap| gap.not_in_place).sum::<u32>(), count("x"));
        prop_assert_eq!(found.gaps.iter().map(|gap| gap.not_assessed).sum::<u32>(), count("?"));
        for pair in found.gaps.windows(2) {
            prop_assert!(pair[0].to.succ_opt().unwrap() < pair[1].from, "two gaps that touch are one");
        }
    }

    /// One assessment less never gains a day that is in place, if nothing is carried and it did not fail.
    #[test]
    fn a_missing_assessment_is_never_in_place(snapshots in snapshots(), which in any::<prop::sample::Index>()) {
        prop_assume!(!snapshots.is_empty());
        let before = of(snapshots.clone(), 1, 31, Duration::ZERO);
        let gone = snapshots[which.index(snapshots.len())].day();
        let rest: Vec<Snapshot> = snapshots.into_iter().filter(|snapshot| snapshot.day() != gone).collect();
        let after = of(rest, 1, 31, Duration::ZERO);
        prop_assert!(after.in_place <= before.in_place);
        if day(1) <= gone && gone <= day(31) {
            prop_assert!(after.gaps.iter().any(|gap| gap.from <= gone && gone <= gap.to));
        }
    }
}

#[test]
fn it_reads_as_a_sentence() {
    let daily = |skip: &[i64]| -> Vec<Snapshot> {
        (1..=31).filter(|n| !skip.contains(n)).map(|n| snapshot(at(n, 6), ID, StatusKind::InPlace)).collect()
    };
    assert_eq!(of(daily(&[]), 1, 31, Duration::ZERO).to_string(), "in place 31 of 31 days");
    let one = of(daily(&[3]), 1, 31, Duration::ZERO).to_string();
    assert_eq!(one, "in place 30 of 31 days, one gap: 2026-03-03 (not assessed)");
    let mut failing = daily(&[3, 4, 20]);
    failing.push(snapshot(at(3, 6), ID, StatusKind::InProgress));
    let two = of(failing.clone(), 1, 31, Duration::ZERO).to_string();
    assert_eq!(
        two,
        "in place 28 of 31 days, 2 gaps: from 2026-03-03 to 2026-03-04 (1 of them not assessed), 2026-03-20 (not assessed)"
    );
    failing.push(snapshot(at(20, 6), ID, StatusKind::NotApplicable));
    let carried = of(failing, 5, 31, HOUR * 48).to_string();
    assert_eq!(carried, "in place 26 of 27 days, not applicable on 1");
    let sparse = vec![snapshot(at(1, 6), ID, StatusKind::InPlace)];
    let carried = of(sparse, 1, 3, HOUR * 48).to_string();
    assert_eq!(
        carried,
        "in place 2 of 3 days (1 of them by an earlier assessment), one gap: 2026-03-03 (not assessed)"
    );
}

/// Half a year, day by day, with one day missing.
#[test]
fn half_a_year_with_one_gap() {
    let from = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
    let days: Vec<NaiveDate> = from.iter_days().take(182).collect();
    let missing = NaiveDate::from_ymd_opt(2026, 4, 17).unwrap();
    let snapshots = days.iter().filter(|day| **day != missing).map(|day| {
        let at = day.and_hms_opt(5, 0, 0).unwrap().and_utc();
        Evidence::complete_at(at).assess_at(at).snapshot()
    });
    let period = period(snapshots, from, *days.last().unwrap(), Duration::ZERO).unwrap();
    assert!(
        period
            .controls
            .iter()
            .all(|control| control.to_string() == "in place 181 of 182 days, one gap: 2026-04-17 (not assessed)")
    );
    assert_eq!(period.controls.len(), stockade_posture::catalog().count());
}

#[test]
fn one_failing_assessment_makes_the_day_a_gap() {
    let day = vec![
        snapshot(at(1, 6), ID, StatusKind::InPlace),
        snapshot(at(1, 7), ID, StatusKind::NotYet),
        snapshot(at(1, 8), ID, StatusKind::InPlace),
    ];
    assert_eq!(of(day, 1, 1, Duration::ZERO).to_string(), "in place 0 of 1 days, one gap: 2026-03-01 (not in place)");
}

/// Days begin and end at midnight in UTC, and the limit of what is carried is exact.
#[test]
fn the_limits_are_exact() {
    let second = TimeDelta::seconds(1);
    let last = snapshot(at(2, 0) - second, ID, StatusKind::InPlace);
    let first = snapshot(at(2, 0), ID, StatusKind::InPlace);
    assert_eq!(of(vec![last.clone()], 1, 1, Duration::ZERO).in_place, 1);
    assert_eq!(of(vec![last.clone()], 2, 2, Duration::ZERO).in_place, 0);
    assert_eq!(of(vec![first], 2, 2, Duration::ZERO).in_place, 1);
    assert_eq!(of(vec![last.clone()], 2, 2, HOUR * 24).in_place, 0);
    assert_eq!(of(vec![last], 2, 2, HOUR * 24 + Duration::from_secs(1)).carried, 1);
}

#[test]
fn no_assessment_is_one_long_gap_and_never_in_place() {
    let period = period([], day(1), day(31), HOUR * 24 * 365).unwrap();
    for control in &period.controls {
        assert_eq!((control.in_place, control.gaps.len(), control.gaps[0].not_assessed), (0, 1, 31));
    }
}

#[test]
fn unusable_periods_are_refused() {
    let refuse = |from, to| period([], from, to, Duration::ZERO).unwrap_err().kind();
    assert_eq!(refuse(day(2), day(1)), ErrorKind::Period);
    assert_eq!(refuse(day(1), day(1) + TimeDelta::days(3_660)), ErrorKind::Period);
    assert_eq!(refuse(NaiveDate::MIN, NaiveDate::MAX), ErrorKind::Period);
    assert!(period([], day(1), day(1) + TimeDelta::days(3_659), Duration::ZERO).is_ok());
    assert!(period([], NaiveDate::MAX, NaiveDate::MAX, HOUR).is_ok());
}

/// A control that the catalogue of the time did not have was not assessed.
#[test]
fn what_a_catalogue_did_not_have_was_not_assessed() {
    let mut json: serde_json::Value =
        serde_json::from_str(&Evidence::complete().assess().snapshot().to_string()).unwrap();
    json["catalog_version"] = 999.into();
    json["controls"].as_object_mut().unwrap().remove("rls.forced");
    let older: Snapshot = json.to_string().parse().unwrap();
    let today = now().date_naive();
    let found = period([older.clone()], today, today, Duration::ZERO).unwrap();
    assert_eq!(found.control(ID).unwrap().gaps[0].not_assessed, 1);
    assert_eq!(found.control(ControlId::RLS_ENABLED).unwrap().in_place, 1);
}
