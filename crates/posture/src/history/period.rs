//! On how many days of a period each control was in place.

use std::{collections::BTreeMap, fmt, time::Duration};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use super::Snapshot;
use crate::{catalog::catalog, control::ControlId, error::Error, status::StatusKind};

/// The longest period, in days.
const MAX_DAYS: i64 = 3_660;

/// How each control stood on each day of a period: what a SOC 2 examination of type II asks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Period {
    /// The first day, in UTC.
    pub from: NaiveDate,
    /// The last day, in UTC.
    pub to: NaiveDate,
    /// Every control of the catalogue, in its order.
    pub controls: Vec<ControlPeriod>,
}

/// How one control stood. Every day is counted once: in place, not applicable, or within a gap.
///
/// `Display` writes the sentence for a report: `in place 181 of 182 days, one gap: 2026-03-03 (not assessed)`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ControlPeriod {
    /// The control.
    pub control: ControlId,
    /// How many days the period has.
    pub days: u32,
    /// On how many the control was in place, by every assessment of the day to which it applied.
    pub in_place: u32,
    /// On how many of these nothing was assessed and an earlier assessment was young enough.
    pub carried: u32,
    /// On how many the control was exempt, by every assessment of the day.
    pub not_applicable: u32,
    /// The other days, in runs that are as long as they can be.
    pub gaps: Vec<Gap>,
}

/// Days in a row on which a control was not in place, or nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Gap {
    /// The first day.
    pub from: NaiveDate,
    /// The last day.
    pub to: NaiveDate,
    /// On how many an assessment found the control not in place, if only once.
    pub not_in_place: u32,
    /// On how many there was no assessment of the control that was young enough.
    pub not_assessed: u32,
}

/// What is known of one control on one day. Of several assessments of a day the last in this order decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Day {
    NotApplicable,
    InPlace,
    Carried,
    NotAssessed,
    NotInPlace,
}

/// Judges every day from `from` to `to`, both included and in UTC, by the assessments that were made.
///
/// - A control is in place on a day if every assessment of that day says so. One that does not makes the day a gap, though it may
///   have been mended within the hour.
/// - A day without an assessment is a gap, unless the one before it is at most `max_age` old when the day ends:
///   then the control stands as it stood there, and the day is counted as carried too. With [`Duration::ZERO`] no day is carried.
/// - A control that the catalogue of an assessment did not have was not assessed by it.
///
/// It believes the snapshots that it is given.
///
/// # Errors
///
/// [`Period`](crate::ErrorKind::Period) if `to` is before `from`, or the period is longer than ten years.
pub fn period(
    snapshots: impl IntoIterator<Item = Snapshot>,
    from: NaiveDate,
    to: NaiveDate,
    max_age: Duration,
) -> Result<Period, Error> {
    match to.signed_duration_since(from).num_days() {
        ..0 => return Err(Error::period("it ends before it begins")),
        MAX_DAYS.. => return Err(Error::period("it is longer than ten years")),
        _ => {}
    }
    let mut by_day: BTreeMap<NaiveDate, Vec<Snapshot>> = BTreeMap::new();
    for snapshot in snapshots {
        by_day.entry(snapshot.day()).or_default().push(snapshot);
    }
    let days: Vec<(NaiveDate, &[Snapshot], Option<&Snapshot>)> = from
        .iter_days()
        .take_while(|day| *day <= to)
        .map(|day| {
            let of_day = by_day.get(&day).map_or(&[][..], Vec::as_slice);
            let before = by_day.range(..day).next_back().and_then(|(_, snapshots)| snapshots.iter().max());
            (day, of_day, before.filter(|before| reaches(before.at(), day, max_age)))
        })
        .collect();
    let judge = |control: ControlId| {
        let mut all = ControlPeriod::new(control);
        for (day, of_day, before) in &days {
            all.count(*day, Day::of(control, of_day, *before));
        }
        all
    };
    Ok(Period { from, to, controls: catalog().map(|control| judge(control.id)).collect() })
}

/// Whether what was assessed `at` is at most `max_age` old when `day` ends.
fn reaches(at: DateTime<Utc>, day: NaiveDate, max_age: Duration) -> bool {
    let end = day.succ_opt().map(|next| next.and_time(NaiveTime::MIN).and_utc());
    end.is_some_and(|end| end.signed_duration_since(at).to_std().is_ok_and(|age| age <= max_age))
}

impl Period {
    /// How one control stood.
    #[must_use]
    pub fn control(&self, control: ControlId) -> Option<&ControlPeriod> {
        self.controls.iter().find(|period| period.control == control)
    }
}

impl Day {
    fn of(control: ControlId, of_day: &[Snapshot], before: Option<&Snapshot>) -> Self {
        match of_day.iter().map(|snapshot| Self::said(snapshot.status(control))).max() {
            Some(said) => said,
            None => match before.map(|before| Self::said(before.status(control))) {
                Some(Self::InPlace) => Self::Carried,
                said => said.unwrap_or(Self::NotAssessed),
            },
        }
    }

    const fn said(status: Option<StatusKind>) -> Self {
        match status {
            Some(StatusKind::InPlace) => Self::InPlace,
            Some(StatusKind::NotApplicable) => Self::NotApplicable,
            Some(StatusKind::InProgress | StatusKind::NotYet) => Self::NotInPlace,
            None => Self::NotAssessed,
        }
    }
}

impl ControlPeriod {
    const fn new(control: ControlId) -> Self {
        Self { control, days: 0, in_place: 0, carried: 0, not_applicable: 0, gaps: Vec::new() }
    }

    fn count(&mut self, day: NaiveDate, state: Day) {
        self.days += 1;
        let (not_in_place, not_assessed) = match state {
            Day::InPlace | Day::Carried => {
                self.in_place += 1;
                self.carried += u32::from(state == Day::Carried);
                return;
            }
            Day::NotApplicable => {
                self.not_applicable += 1;
                return;
            }
            Day::NotInPlace => (1, 0),
            Day::NotAssessed => (0, 1),
        };
        match self.gaps.last_mut().filter(|gap| gap.to.succ_opt() == Some(day)) {
            Some(gap) => {
                gap.to = day;
                gap.not_in_place += not_in_place;
                gap.not_assessed += not_assessed;
            }
            None => self.gaps.push(Gap { from: day, to: day, not_in_place, not_assessed }),
        }
    }
}

impl Gap {
    /// How many days it has.
    #[must_use]
    pub const fn days(&self) -> u32 {
        self.not_in_place.saturating_add(self.not_assessed)
    }
}

impl fmt::Display for ControlPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in place {} of {} days", self.in_place, self.days)?;
        if self.carried > 0 {
            write!(f, " ({} of them by an earlier assessment)", self.carried)?;
        }
        if self.not_applicable > 0 {
            write!(f, ", not applicable on {}", self.not_applicable)?;
        }
        match self.gaps.as_slice() {
            [] => Ok(()),
            [gap] => write!(f, ", one gap: {gap}"),
            [gaps @ .., last] => {
                write!(f, ", {} gaps: ", self.gaps.len())?;
                gaps.iter().try_for_each(|gap| write!(f, "{gap}, "))?;
                write!(f, "{last}")
            }
        }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.days() {
            1 => write!(f, "{}", self.from)?,
            _ => write!(f, "from {} to {}", self.from, self.to)?,
        }
        match (self.not_in_place, self.not_assessed) {
            (_, 0) => f.write_str(" (not in place)"),
            (0, _) => f.write_str(" (not assessed)"),
            (_, missing) => write!(f, " ({missing} of them not assessed)"),
        }
    }
}
