use chrono::TimeDelta;
use proptest::{prelude::*, sample::Index};
use stockade_posture::{
    Assessment, ControlId, StatusKind,
    history::{Change, Direction, Snapshot},
    render,
};

use super::{assessed, snapshot};
use crate::evidence::{Evidence, evidence, now};

const ID: ControlId = ControlId::RATELIMIT_AUTH;

fn after(earlier: impl IntoIterator<Item = Snapshot>) -> Assessment {
    Assessment::builder(now()).history(earlier).build()
}

proptest! {
    /// The past is shown and judged by nobody: neither the score nor a status nor what to fix follows it.
    #[test]
    fn a_history_moves_nothing(evidence in evidence(), earlier in evidence()) {
        let plain = evidence.clone().assess();
        let snapshot = earlier.assess_at(now() - TimeDelta::days(1)).snapshot();
        let with = evidence.into_builder(now()).history([snapshot]).build();
        prop_assert_eq!(plain.score(), with.score());
        prop_assert_eq!(plain.results(), with.results());
        prop_assert_eq!(plain.fix_next(), with.fix_next());
        prop_assert!(plain.drift().is_none() && with.drift().is_some());
    }

    /// In whatever order the snapshots come, and however often.
    #[test]
    fn the_order_of_a_history_changes_nothing(hours in prop::collection::vec((0_i64..3_000, any::<Index>()), 0..12), turn in any::<Index>()) {
        let snapshots: Vec<Snapshot> = hours
            .iter()
            .map(|(hours, kind)| snapshot(now() - TimeDelta::hours(*hours), ID, *kind.get(&StatusKind::ALL)))
            .collect();
        let mut turned = snapshots.clone();
        turned.reverse();
        turned.extend(snapshots.first().cloned());
        let middle = turn.index(turned.len() + 1);
        turned.rotate_left(middle);
        prop_assert_eq!(render::json(&after(turned)), render::json(&after(snapshots)));
    }

    #[test]
    fn every_change_is_there_and_nothing_else(evidence in evidence(), earlier in evidence()) {
        let before = earlier.assess_at(now() - TimeDelta::days(1)).snapshot();
        let with = evidence.into_builder(now()).history([before.clone()]).build();
        let drift = with.drift().unwrap();
        let expected: Vec<_> = with
            .results()
            .iter()
            .map(|result| (result.control().id, before.status(result.control().id).unwrap(), result.status().kind()))
            .filter(|(_, from, to)| from != to)
            .collect();
        let found: Vec<_> = drift.changes.iter().map(|change| (change.control, change.from, change.to)).collect();
        prop_assert_eq!(found, expected);
        let sides = [Direction::Setback, Direction::Advance, Direction::Scope];
        prop_assert_eq!(sides.map(|side| drift.towards(side).count()).iter().sum::<usize>(), drift.changes.len());
        let gain = with.score().zip(before.score()).map(|(now, then)| i16::from(now.points) - i16::from(then.points));
        prop_assert_eq!(drift.gain, gain);
    }
}

#[test]
fn each_change_has_its_direction() {
    use StatusKind::{InPlace, InProgress, NotApplicable, NotYet};
    let direction = |from, to| {
        let before = snapshot(now() - TimeDelta::hours(1), ID, from);
        let is = assessed(now(), ID, to);
        let with = match to {
            NotApplicable => Assessment::builder(now()).exempt(stockade_posture::Exemption::new(
                ID,
                "none",
                "officer",
                now() + TimeDelta::days(1),
            )),
            _ => Assessment::builder(now()).observe(is.result(ID).unwrap().observations().to_vec()),
        };
        with.history([before]).build().drift().unwrap().changes.first().map(Change::direction)
    };
    for (from, to, expected) in [
        (InPlace, NotYet, Some(Direction::Setback)),
        (InPlace, InProgress, Some(Direction::Setback)),
        (InProgress, NotYet, Some(Direction::Setback)),
        (NotYet, InPlace, Some(Direction::Advance)),
        (NotYet, InProgress, Some(Direction::Advance)),
        (InPlace, NotApplicable, Some(Direction::Scope)),
        (NotApplicable, NotYet, Some(Direction::Scope)),
        (InPlace, InPlace, None),
    ] {
        assert_eq!(direction(from, to), expected, "{from:?} {to:?}");
    }
}

#[test]
fn the_last_run_counts_and_the_future_does_not() {
    let at = |hours| snapshot(now() - TimeDelta::hours(hours), ID, StatusKind::InPlace);
    let drift = after([at(30), at(2), at(50), at(-1), at(0)]).drift().cloned().unwrap();
    assert_eq!(drift.since, now() - TimeDelta::hours(2));
    assert!(after([at(0), at(-5)]).drift().is_none(), "an assessment is no history of itself");
}

/// Times are kept to the microsecond, and an assessment is made to the nanosecond.
#[test]
fn an_assessment_does_not_follow_itself() {
    let at = now() + TimeDelta::nanoseconds(999);
    let own = Assessment::builder(at).build().snapshot();
    assert!(Assessment::builder(at).history([own]).build().drift().is_none());
}

#[test]
fn the_page_and_the_text_say_what_changed() {
    let yesterday = now() - TimeDelta::days(1);
    let before = Evidence::complete_at(yesterday).assess_at(yesterday).snapshot();
    let with = after([before]);
    let (html, markdown) = (render::html_page(&with), render::markdown(&with));
    assert!(html.contains("Since the last run") && html.contains("Set back"));
    assert!(html.contains("There is no score now; it was 100"));
    assert!(markdown.contains("## Since 2026-03-03 09:00:00 UTC\n\nThe score was 100.\n"));
    assert!(markdown.contains("| `rls.forced` | In place | Not yet | setback |"));
}
