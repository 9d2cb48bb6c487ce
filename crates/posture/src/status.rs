//! The status of a control: a total function of its evidence and the time.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    control::{Control, Method},
    freshness::Freshness,
    observation::{Observation, Outcome},
    result::Standing,
    statement::{Attestation, Exemption},
};

/// Evidence may be dated this far ahead of the assessment: it is collected while the assessment is made, and clocks differ.
pub(crate) const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// What the page says about a control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Every subject passes on fresh evidence.
    InPlace,
    /// Some subjects pass, or all do on stale evidence, or a dated plan is open.
    InProgress,
    /// Nothing passes, or nothing is known.
    NotYet,
    /// An approved exemption has not run out.
    NotApplicable {
        /// Why the control does not apply.
        reason: String,
        /// Who approved that.
        approved_by: String,
        /// The first moment at which the exemption no longer counts.
        until: DateTime<Utc>,
    },
}

/// A [`Status`] without its details, as histories keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatusKind {
    /// [`Status::NotYet`].
    NotYet,
    /// [`Status::InProgress`].
    InProgress,
    /// [`Status::InPlace`].
    InPlace,
    /// [`Status::NotApplicable`].
    NotApplicable,
}

/// How old evidence is beside the longest age of its control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    Fresh,
    Stale,
    /// Older than twice the longest age, or dated in the future: as good as none.
    Unusable,
}

/// The evidence for one control, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) standing: Standing,
    pub(crate) passing: u64,
    pub(crate) subjects: u64,
    pub(crate) measured: bool,
    pub(crate) attested: bool,
    pub(crate) freshness: Freshness,
}

impl Status {
    /// The words on the page.
    #[must_use]
    pub const fn words(&self) -> &'static str {
        self.kind().words()
    }

    /// The word in exports, for example `in_place`.
    #[must_use]
    pub const fn id(&self) -> &'static str {
        self.kind().id()
    }

    /// The status without its details.
    #[must_use]
    pub const fn kind(&self) -> StatusKind {
        match self {
            Self::InPlace => StatusKind::InPlace,
            Self::InProgress => StatusKind::InProgress,
            Self::NotYet => StatusKind::NotYet,
            Self::NotApplicable { .. } => StatusKind::NotApplicable,
        }
    }
}

impl StatusKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::NotYet, Self::InProgress, Self::InPlace, Self::NotApplicable];

    /// The words on the page.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::InPlace => "In place",
            Self::InProgress => "In progress",
            Self::NotYet => "Not yet",
            Self::NotApplicable => "Not applicable",
        }
    }

    /// The word in exports, for example `in_place`.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::InPlace => "in_place",
            Self::InProgress => "in_progress",
            Self::NotYet => "not_yet",
            Self::NotApplicable => "not_applicable",
        }
    }
}

impl Age {
    pub(crate) fn of(collected_at: DateTime<Utc>, max_age: Duration, at: DateTime<Utc>) -> Self {
        let age = at.signed_duration_since(collected_at);
        if age < -CLOCK_TOLERANCE {
            return Self::Unusable;
        }
        match age.to_std().unwrap_or(Duration::ZERO) {
            age if age <= max_age => Self::Fresh,
            age if age <= max_age.saturating_mul(2) => Self::Stale,
            _ => Self::Unusable,
        }
    }
}

/// Counts the evidence for one control. The observations are one for each subject.
pub(crate) fn tally(
    control: &Control,
    seen: &[Observation],
    attested: Option<&Attestation>,
    at: DateTime<Utc>,
) -> Tally {
    let attestation = attested.map(|attestation| is_valid(attestation, at));
    let mut tally = Tally {
        standing: Standing::NotYet,
        passing: u64::from(attestation == Some(true)),
        subjects: u64::from(attestation.is_some()),
        measured: attestation == Some(true),
        attested: attestation == Some(true),
        freshness: Freshness {
            fresh: u64::from(attestation == Some(true)),
            outdated: u64::from(attestation == Some(false)),
            ..Freshness::default()
        },
    };
    let mut all_fresh = control.method != Method::Attest || attestation == Some(true);
    for observation in seen {
        let age = Age::of(observation.collected_at(), control.max_age, at);
        tally.subjects += 1;
        tally.passing += u64::from(*observation.outcome() == Outcome::Pass && age != Age::Unusable);
        tally.measured |= age != Age::Unusable && !matches!(observation.outcome(), Outcome::Unknown { .. });
        all_fresh &= age == Age::Fresh;
        tally.freshness.count(age);
    }
    tally.standing = match tally.passing {
        0 => Standing::NotYet,
        passing if passing == tally.subjects && all_fresh => Standing::InPlace,
        _ => Standing::InProgress,
    };
    tally
}

pub(crate) fn is_in_force(exemption: &Exemption, at: DateTime<Utc>) -> bool {
    exemption.until() > at && !exemption.approved_by().is_empty() && !exemption.reason().is_empty()
}

fn is_valid(attestation: &Attestation, at: DateTime<Utc>) -> bool {
    attestation.given_at() <= at + CLOCK_TOLERANCE && at < attestation.valid_until()
}
