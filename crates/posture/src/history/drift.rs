//! What has changed since an earlier assessment.

use chrono::{DateTime, Utc};

use super::Snapshot;
use crate::{control::ControlId, digest::Digest, result::ControlResult, score::Score, status::StatusKind};

/// What has changed since an earlier assessment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drift {
    /// When the earlier one was made.
    pub since: DateTime<Utc>,
    /// The digest of the earlier one.
    pub digest: Digest,
    /// The version of the catalogue that the earlier one used. If it is another, scores are not comparable.
    pub catalog_version: u32,
    /// The points of the earlier one, or nothing if it had no score.
    pub points: Option<u8>,
    /// By how many points the score has moved, if both have one.
    pub gain: Option<i16>,
    /// The controls that both know and whose status is another, in the order of the catalogue.
    pub changes: Vec<Change>,
}

/// A control whose status is another than it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Change {
    /// The control.
    pub control: ControlId,
    /// Its status in the earlier assessment.
    pub from: StatusKind,
    /// Its status in this one.
    pub to: StatusKind,
}

/// Which way a status moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Further from being in place.
    Setback,
    /// Nearer to it.
    Advance,
    /// The control began or ceased to apply.
    Scope,
}

impl Drift {
    pub(crate) fn since(earlier: &Snapshot, score: Option<Score>, results: &[ControlResult]) -> Self {
        let changes = results.iter().filter_map(|result| {
            let (control, to) = (result.control().id, result.status().kind());
            let from = earlier.status(control).filter(|from| *from != to)?;
            Some(Change { control, from, to })
        });
        let points = earlier.score().map(|score| score.points);
        Self {
            since: earlier.at(),
            digest: earlier.digest(),
            catalog_version: earlier.catalog_version(),
            points,
            gain: score.zip(points).map(|(now, before)| i16::from(now.points) - i16::from(before)),
            changes: changes.collect(),
        }
    }

    /// The changes that went one way.
    pub fn towards(&self, direction: Direction) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(move |change| change.direction() == direction)
    }
}

impl Change {
    /// Which way the status moved.
    #[must_use]
    pub fn direction(&self) -> Direction {
        match (self.from, self.to) {
            (StatusKind::NotApplicable, _) | (_, StatusKind::NotApplicable) => Direction::Scope,
            (from, to) if to < from => Direction::Setback,
            _ => Direction::Advance,
        }
    }
}

impl Direction {
    /// The word in exports: `setback`, `advance` or `scope`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Setback => "setback",
            Self::Advance => "advance",
            Self::Scope => "scope",
        }
    }
}
