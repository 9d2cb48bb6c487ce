//! The score day by day.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, Utc};

use super::Snapshot;
use crate::score::Score;

/// The score on each of the [`Trend::DAYS`] days that end with an assessment, in UTC, the oldest first.
///
/// Of several assessments of one day the last counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trend(Vec<DayScore>);

/// One day of a [`Trend`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct DayScore {
    /// The day, in UTC.
    pub day: NaiveDate,
    /// The score; nothing if none was given or nothing was assessed. It is never carried over from another day.
    pub points: Option<u8>,
}

impl Trend {
    /// How many days it has.
    pub const DAYS: u64 = 90;

    /// The days.
    #[must_use]
    pub fn days(&self) -> &[DayScore] {
        &self.0
    }

    /// The days that have a score.
    #[must_use]
    pub fn scores(&self) -> impl DoubleEndedIterator<Item = (NaiveDate, u8)> {
        self.0.iter().filter_map(|day| Some((day.day, day.points?)))
    }

    pub(crate) fn until<'a>(
        at: DateTime<Utc>,
        score: Option<Score>,
        earlier: impl Iterator<Item = &'a Snapshot>,
    ) -> Self {
        let today = at.date_naive();
        let mut last: BTreeMap<NaiveDate, &Snapshot> = BTreeMap::new();
        for snapshot in earlier {
            let of_day = last.entry(snapshot.day()).or_insert(snapshot);
            *of_day = snapshot.max(of_day);
        }
        let day = |back| {
            let day = today.checked_sub_days(Days::new(back))?;
            let score = if back == 0 { score } else { last.get(&day).and_then(|snapshot| snapshot.score()) };
            Some(DayScore { day, points: score.map(|score| score.points) })
        };
        Self((0..Self::DAYS).rev().filter_map(day).collect())
    }
}
