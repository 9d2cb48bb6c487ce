//! The score: a weighted mean in whole numbers, with a ceiling.

use crate::{control::ControlId, result::ControlResult};

/// The score stops here while a control of weight 5 stands at not yet.
pub(crate) const CEILING: u8 = 79;

/// How much of what applies is in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Score {
    /// 0 to 100, rounded down: 100 means everything.
    pub points: u8,
    /// The first control of the catalogue that keeps the points at 79; without it they would be higher.
    pub capped_by: Option<ControlId>,
}

/// What the score needs to know of one control.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) id: ControlId,
    pub(crate) weight: u64,
    pub(crate) attainment: u64,
    pub(crate) measured: bool,
    pub(crate) holds_ceiling: bool,
}

impl Part {
    /// The part of a control, if it applies.
    pub(crate) fn of(result: &ControlResult) -> Option<Self> {
        result.is_applicable().then(|| Self {
            id: result.control().id,
            weight: result.control().weight.value().into(),
            attainment: result.attainment(),
            measured: result.is_measured(),
            holds_ceiling: result.holds_ceiling(),
        })
    }

    /// The same control, in place.
    pub(crate) const fn mended(self) -> Self {
        Self { attainment: 10_000, measured: true, holds_ceiling: false, ..self }
    }
}

impl Score {
    /// `floor(Σ w·a / Σ w)`, or nothing if no part was measured.
    pub(crate) fn of(parts: &[Part]) -> Option<Self> {
        if !parts.iter().any(|part| part.measured) {
            return None;
        }
        let weight: u64 = parts.iter().map(|part| part.weight).sum();
        let attained: u64 = parts.iter().map(|part| part.weight * part.attainment).sum();
        let points = u8::try_from(attained.checked_div(weight * 100)?).unwrap_or(100).min(100);
        match parts.iter().find(|part| part.holds_ceiling) {
            Some(part) if points > CEILING => Some(Self { points: CEILING, capped_by: Some(part.id) }),
            _ => Some(Self { points, capped_by: None }),
        }
    }
}
